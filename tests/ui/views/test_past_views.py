"""Quality, champions and the audit log: what was."""

from __future__ import annotations

import pytest

from stoker.errors import NotFound, TamperedRecord
from stoker.registry.registry import Registry
from stoker.store import layout
from stoker.store.base import ObjectStore
from stoker.ui.views import Views
from tests.registry.cases import SteppedClock
from tests.support.registrations import ACTOR, register
from tests.ui.views.lives import TASK, judged, trained


def test_quality_goes_over_the_last_versions_oldest_first(views: Views, registry: Registry) -> None:
    for number in range(5):
        trained(registry, metrics={"roc_auc": 0.5 + number / 10})
    found = views.quality("churn", versions=3)
    assert [(point.version, point.value) for point in found.versions] == [(3, 0.7), (4, 0.8), (5, 0.9)]
    assert found.metric == "roc_auc"
    assert (found.versions[0].low, found.versions[0].high) == (0.01, 0.03)


def test_quality_goes_over_the_windows_that_were_judged(views: Views, registry: Registry, store: ObjectStore) -> None:
    trained(registry)
    for month, value in (("2013-05", 0.6), ("2013-04", 0.7)):
        judged(store, month, value)
    judged(store, "2013-05", 0.65, version=2)
    windows = views.quality("churn").windows
    assert [(one.window, one.version, one.value) for one in windows] == [
        ("2013-04", 1, 0.7),
        ("2013-05", 1, 0.6),
        ("2013-05", 2, 0.65),
    ]
    assert [one.window for one in views.quality("churn", windows=1).windows] == ["2013-05"]


def test_champions_are_told_with_their_time_in_office(views: Views, registry: Registry, clock: SteppedClock) -> None:
    for _ in range(3):
        register(registry)
    times = {}
    for number in (1, 2, 3):
        times[number] = clock.step()
        registry.promote("churn", number, actor=TASK, reason=f"better {number}")
    back = clock.step()
    registry.rollback("churn", actor=ACTOR, reason="it was worse")
    registry.unblock("churn", 3, actor=ACTOR, reason="it was not")
    found = views.champions("churn")
    assert [(event.kind, event.version, event.before) for event in found.events] == [
        ("unblocked", 3, None),
        ("rolled_back", 2, 3),
        ("promoted", 3, 2),
        ("promoted", 2, 1),
        ("promoted", 1, None),
    ]
    assert [event.until for event in found.events[1:]] == [None, back, times[3], times[2]]
    assert found.complete
    assert found.events[2].where is not None
    assert found.events[1].where is None


def test_a_long_reign_of_many_champions_is_cut(views: Views, registry: Registry) -> None:
    for number in range(1, 6):
        register(registry)
        registry.promote("churn", number, actor=ACTOR, reason="better")
    found = views.champions("churn", limit=2)
    assert [event.version for event in found.events] == [5, 4]
    assert not found.complete


def test_a_model_that_never_had_a_champion_has_no_events(views: Views, registry: Registry) -> None:
    register(registry)
    found = views.champions("churn")
    assert (found.events, found.complete) == ([], True)


def test_history_is_told_newest_first_and_page_by_page(views: Views, registry: Registry, clock: SteppedClock) -> None:
    register(registry, reason="trained on Monday")
    registry.promote("churn", 1, actor=TASK, reason="good")
    registry.block("churn", 1, actor=ACTOR, reason="bad")
    page = views.history("churn", limit=2)
    assert [(entry.seq, entry.kind, entry.version, entry.reason) for entry in page.entries] == [
        (3, "block", 1, "bad"),
        (2, "set_alias", 1, "good"),
    ]
    assert (page.next, page.total) == (2, 3)
    assert (page.entries[0].origin, page.entries[0].where) == ("python", None)
    assert page.entries[1].where is not None
    rest = views.history("churn", before=2)
    assert [entry.reason for entry in rest.entries] == ["trained on Monday"]
    assert rest.next is None


def test_history_goes_on_when_something_was_added(views: Views, registry: Registry) -> None:
    register(registry)
    assert views.history("churn").total == 1
    register(registry)
    assert [entry.seq for entry in views.history("churn").entries] == [2, 1]


def test_history_refuses_an_entry_that_was_exchanged(registry: Registry, store: ObjectStore) -> None:
    for _ in range(20):
        register(registry)
    foreign = store.read(layout.numbered(layout.log("churn"), 3)).replace(b"trained", b"trusted")
    store.delete_swept(layout.numbered(layout.log("churn"), 3))
    store.create(layout.numbered(layout.log("churn"), 3), foreign)
    fresh = Views(Registry(store))
    assert len(fresh.history("churn", limit=10).entries) == 10
    with pytest.raises(TamperedRecord, match="does not follow"):
        fresh.history("churn", before=10)


def test_the_past_of_nobody_is_not_found(views: Views) -> None:
    for ask in (views.quality, views.champions, views.history, views.drift, views.lineage):
        with pytest.raises(NotFound):
            ask("nobody")
