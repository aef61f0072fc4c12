"""The state of a model, and what a person should do about it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from stoker.errors import InvalidName, NotFound, TamperedRecord
from stoker.loop.broker import Broker
from stoker.loop.windows import WindowLog
from stoker.registry.registry import Registry
from stoker.store import layout
from stoker.store.base import ObjectStore
from stoker.ui.views import Views
from tests.registry.cases import SteppedClock
from tests.support.registrations import ACTOR, register
from tests.ui.views.lives import HOSTILE, TASK, damage, drifted, judged, ran, trained


def test_a_model_without_a_champion_is_new(views: Views, registry: Registry) -> None:
    register(registry)
    model = views.model("churn")
    assert (model.state, model.champion, model.versions) == ("new", None, 1)
    assert model.state_reason == "The one version is not in office yet."
    assert model.action


def test_a_champion_is_shown_with_its_evaluation_until_it_was_measured_in_office(
    views: Views, registry: Registry, store: ObjectStore
) -> None:
    trained(registry)
    registry.promote("churn", 1, actor=TASK, reason="good")
    champion = views.model("churn").champion
    assert champion is not None
    assert (champion.metric, champion.value, champion.low, champion.measured) == ("roc_auc", 0.8, None, "evaluation")
    judged(store, "2013-04", 0.7)
    champion = views.model("churn").champion
    assert champion is not None
    assert (champion.value, champion.measured, champion.window) == (0.7, "window", "2013-04")
    assert champion.low == pytest.approx(0.6)


def test_a_healthy_model_says_so_and_asks_for_nothing(views: Views, registry: Registry, store: ObjectStore) -> None:
    trained(registry)
    registry.promote("churn", 1, actor=TASK, reason="good")
    drifted(store, "2013-04")
    model = views.model("churn")
    assert (model.state, model.action, model.problem) == ("healthy", "", None)
    assert model.dag_id == "churn_train"
    assert model.aliases == {"champion": 1}
    assert model.entries == 2
    assert model.digest == registry.state("churn").digest


def test_an_open_incident_of_the_champion_is_a_drift(views: Views, registry: Registry, store: ObjectStore) -> None:
    trained(registry)
    registry.promote("churn", 1, actor=TASK, reason="good")
    drifted(store, "2013-04", verdict="fail", kinds=["covariate", "data_quality"])
    model = views.model("churn")
    assert model.state == "drifting"
    assert "2013-04" in model.state_reason
    assert "covariate, data quality" in model.state_reason
    assert model.last_drift is not None
    assert model.last_drift.open == ["covariate", "data_quality"]


def test_another_champion_begins_with_a_clean_slate(views: Views, registry: Registry, store: ObjectStore) -> None:
    trained(registry), trained(registry)
    registry.promote("churn", 1, actor=TASK, reason="good")
    drifted(store, "2013-04", verdict="fail", kinds=["covariate"])
    registry.promote("churn", 2, actor=TASK, reason="better")
    model = views.model("churn")
    assert (model.state, model.previous, model.last_drift) == ("healthy", 1, None)


def test_a_champion_that_does_worse_than_it_may_is_drifting(
    views: Views, registry: Registry, store: ObjectStore
) -> None:
    trained(registry)
    registry.promote("churn", 1, actor=TASK, reason="good")
    judged(store, "2013-04", 0.5, verdict="fail")
    model = views.model("churn")
    assert model.state == "drifting"
    assert "does worse in window 2013-04" in model.state_reason


def test_a_run_that_holds_the_lease_is_training(
    views: Views, registry: Registry, store: ObjectStore, clock: SteppedClock
) -> None:
    trained(registry)
    registry.promote("churn", 1, actor=TASK, reason="good")
    broker = Broker(store, "churn", clock=clock)
    broker.put(source="hand", reason="asked", dedupe_key="a", actor=TASK)
    broker.claim("churn_train/run", actor=TASK)
    assert views.model("churn").state == "training"
    clock.step(3 * 3600)
    assert views.model("churn").state == "healthy"


def test_an_open_breaker_stops_the_loop_until_somebody_resumes_it(
    views: Views, registry: Registry, store: ObjectStore, clock: SteppedClock
) -> None:
    trained(registry)
    registry.promote("churn", 1, actor=TASK, reason="good")
    for number in range(3):
        ran(store, clock, "kept", run=f"run{number}")
    broker = Broker(store, "churn", clock=clock)
    broker.put(source="drift", reason="drift", dedupe_key="d", actor=TASK)
    model = views.model("churn")
    assert model.state == "stopped"
    assert "The last 3 trainings" in model.state_reason
    assert "resume" in model.action
    assert views.why("churn").breaker.open
    broker.reset(actor=ACTOR, reason="mended")
    assert views.model("churn").state == "healthy"


def test_broken_data_stops_the_loop_until_data_is_good_again(
    views: Views, registry: Registry, store: ObjectStore, clock: SteppedClock
) -> None:
    trained(registry)
    registry.promote("churn", 1, actor=TASK, reason="good")
    drifted(store, "2013-04", verdict="fail", kinds=["data_quality"])
    Broker(store, "churn", clock=clock).note_triage(
        action="stop", kind="data_quality", reason="Half of the rows are empty.", dedupe_key="t", actor=TASK
    )
    model = views.model("churn")
    assert (model.state, model.state_reason) == ("stopped", "Half of the rows are empty.")
    drifted(store, "2013-05")
    assert views.model("churn").state == "healthy"


def test_a_version_that_waits_for_approval_is_shown_until_it_is_late(
    views: Views, registry: Registry, clock: SteppedClock
) -> None:
    version = trained(registry)
    registry.ask_approval("churn", 1, until=clock.now + timedelta(hours=1), actor=TASK, reason="a person must look")
    model = views.model("churn")
    assert model.state == "waiting"
    assert [(one.version, one.status, one.evidence) for one in model.reviews] == [(1, "waiting", version.digest)]
    assert model.reviews[0].where is not None
    clock.step(2 * 3600)
    model = views.model("churn")
    assert (model.state, model.reviews) == ("new", [])
    review = views.versions("churn").rows[0].review
    assert review is not None
    assert review.status == "rejected"


def test_a_damaged_log_is_told(views: Views, registry: Registry, store: ObjectStore) -> None:
    register(registry)
    damage(store)
    model = Views(Registry(store)).model("churn")
    assert model.state == "damaged"
    assert model.problem == model.state_reason
    assert "stoker audit verify churn" in model.action


def test_a_damaged_journal_is_told_too(views: Views, registry: Registry, store: ObjectStore) -> None:
    register(registry)
    store.create(layout.numbered(f"{layout.journal('churn', 'drift')}entries/", 1), b"{}")
    assert views.model("churn").state == "damaged"


def test_a_record_that_lacks_a_field_is_damage(views: Views, registry: Registry, store: ObjectStore) -> None:
    register(registry)
    record = b'{"format":1,"kind":"wake_up","prev":"","seq":1,"time":"2026-01-01T00:00:00Z","write_id":"w"}'
    store.create(layout.numbered(f"{layout.journal('churn', 'broker')}entries/", 1), record)
    model = views.model("churn")
    assert model.state == "damaged"
    assert "must have true or false in 'granted'" in model.state_reason
    with pytest.raises(TamperedRecord, match="'granted'"):
        views.why("churn")


def test_a_model_that_is_not_there_is_not_found(views: Views, store: ObjectStore) -> None:
    WindowLog(store, "wished", "drift").record("2013-01", 1, None, {})
    for name in ("nobody", "wished"):
        with pytest.raises(NotFound):
            views.model(name)
        with pytest.raises(NotFound):
            views.why(name)
    with pytest.raises(InvalidName):
        views.model("../etc")


def test_texts_of_others_pass_through_as_data(views: Views, registry: Registry, store: ObjectStore) -> None:
    register(registry, metrics={HOSTILE: HOSTILE, "accuracy": 0.5}, reasons=(HOSTILE,), reason=HOSTILE)
    registry.promote("churn", 1, actor=ACTOR, reason=HOSTILE)
    row = views.versions("churn").rows[0]
    assert row.metrics == {HOSTILE: None, "accuracy": 0.5}
    assert row.reason == HOSTILE
    assert views.history("churn").entries[0].reason == HOSTILE
    assert views.champions("churn").events[0].reason == HOSTILE
