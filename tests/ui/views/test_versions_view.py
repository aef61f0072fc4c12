"""Versions: the list, one of them, and two side by side."""

from __future__ import annotations

from datetime import timedelta

import pytest

from stoker.errors import CorruptArtifact, InvalidName, NotFound
from stoker.registry.registry import Registry
from stoker.store import layout
from stoker.store.base import ObjectStore
from stoker.ui.views import Views
from tests.registry.cases import SteppedClock
from tests.support.registrations import ACTOR, register
from tests.ui.views.lives import TASK, trained


def test_versions_are_listed_newest_first_and_page_by_page(views: Views, registry: Registry) -> None:
    for _ in range(5):
        register(registry)
    page = views.versions("churn", limit=2)
    assert [row.number for row in page.rows] == [5, 4]
    assert (page.next, page.total) == (4, 5)
    rest = views.versions("churn", before=page.next)
    assert [row.number for row in rest.rows] == [3, 2, 1]
    assert rest.next is None
    assert views.versions("churn", before=1).rows == []


def test_a_row_shows_what_is_true_now(views: Views, registry: Registry) -> None:
    for outcome in ("pass", "fail", None):
        register(registry, outcome=outcome, reasons=("Judged so.",))
    views.versions("churn")
    registry.promote("churn", 1, actor=ACTOR, reason="good")
    registry.block("churn", 2, actor=ACTOR, reason="bad")
    third, second, first = views.versions("churn").rows
    assert (first.aliases, first.blocked) == (["champion"], False)
    assert (second.aliases, second.blocked, second.outcome) == ([], True, "fail")
    assert (third.outcome, third.reason, third.metric) == ("not_configured", "It was not evaluated.", None)


def test_the_deciding_metric_comes_first(views: Views, registry: Registry) -> None:
    trained(registry)
    row = views.versions("churn").rows[0]
    assert list(row.metrics) == ["roc_auc", "accuracy"]
    assert row.metric == "roc_auc"
    assert row.where is not None
    assert row.where.href == "/dags/churn_train/runs/manual__1/tasks/register"


def test_everything_of_a_version_is_there(views: Views, registry: Registry) -> None:
    version = trained(registry)
    shown = views.version("churn", 1)
    assert shown.row.digest == version.digest
    assert shown.reasons == ["It is better.", "It is fast."]
    assert [(row.name, row.value, row.champion, row.decides) for row in shown.metrics] == [
        ("roc_auc", 0.8, 0.78, True),
        ("accuracy", 0.75, 0.7, False),
    ]
    assert shown.metrics[0].baselines == {"dummy": 0.5}
    assert shown.difference is not None
    assert (shown.difference.low, shown.difference.high) == (0.01, 0.03)
    assert shown.data["rows_train"] == 900
    assert shown.parameters == {"depth": 3, "rate": 0.1}
    assert list(shown.importances) == ["carrier", "distance"]
    assert shown.code == {"commit": "c0ffee", "dirty": False, "source": "my.tree", "source_sha256": "ab"}
    assert shown.training["seconds"] == 1.5
    assert [file.name for file in shown.files] == ["model.skops"]
    assert shown.registered_because == "trained by churn_train"


def test_a_version_of_few_words_has_nothing_but_its_files(views: Views, registry: Registry) -> None:
    register(registry, outcome=None)
    shown = views.version("churn", 1)
    assert (shown.metrics, shown.difference, shown.parameters, shown.estimator) == ([], None, {}, None)
    assert len(shown.files) == 1


@pytest.mark.parametrize("odd", [None, [], "text", 7, {"roc_auc": None}, {"roc_auc": "high"}, {"roc_auc": True}])
def test_metrics_of_any_form_are_shown_or_left_out(views: Views, registry: Registry, odd: object) -> None:
    trained(registry, metrics=odd, importances=odd, features=odd, policy=odd, comparison=odd)
    assert all(value is None for value in views.versions("churn").rows[0].metrics.values())
    assert views.version("churn", 1).importances == {}
    assert views.quality("churn").versions[0].value is None


def test_a_manifest_that_is_gone_is_told(registry: Registry, store: ObjectStore) -> None:
    version = register(registry)
    store.delete_swept(layout.blob(version.digest))
    with pytest.raises(CorruptArtifact):
        Views(Registry(store)).version("churn", 1)


def test_what_is_not_there_is_not_found(views: Views, registry: Registry) -> None:
    register(registry)
    for ask in (lambda: views.version("churn", 2), lambda: views.compare("churn", 1, 2), lambda: views.versions("no")):
        with pytest.raises(NotFound):
            ask()
    with pytest.raises(InvalidName):
        views.version("churn", 0)
    with pytest.raises(InvalidName):
        views.versions("churn", before=0)


def test_two_versions_differ_where_they_do(views: Views, registry: Registry) -> None:
    trained(registry)
    trained(registry, params={"depth": 5, "leaves": 7}, metrics={"roc_auc": 0.9})
    compared = views.compare("churn", 1, 2)
    assert compared.same_rows
    sections = {section.name: section for section in compared.sections}
    assert list(sections) == ["metrics", "parameters", "data", "code", "environment"]
    parameters = {row.label: (row.left, row.right, row.differs) for row in sections["parameters"].rows}
    assert parameters == {"depth": ("3", "5", True), "rate": ("0.1", None, True), "leaves": (None, "7", True)}
    metric = next(row for row in sections["metrics"].rows if row.label == "roc_auc")
    assert (metric.left, metric.right) == ("0.8", "0.9")
    assert metric.change == pytest.approx(0.1)
    assert sections["code"].differing == 0
    assert sections["parameters"].differing == 3


def test_metrics_are_compared_with_the_deciding_one_first_and_rows_are_data(views: Views, registry: Registry) -> None:
    trained(registry)
    trained(registry, split={"kind": "time", "boundary": "2013-04-20"}, metrics={"accuracy": 0.7, "roc_auc": 0.8})
    metrics, _, data, *_ = views.compare("churn", 1, 2).sections
    assert [row.label for row in metrics.rows] == ["roc_auc", "accuracy", "verdict"]
    assert [(row.label, row.left) for row in data.rows if row.differs] == [("split boundary", "2013-03-20")]
    assert "evaluation rows" in {row.label for row in data.rows}


def test_metrics_on_other_rows_are_marked(views: Views, registry: Registry) -> None:
    trained(registry)
    trained(registry, dataset="ef" * 32)
    register(registry, outcome=None)
    assert not views.compare("churn", 1, 2).same_rows
    assert not views.compare("churn", 2, 3).same_rows
    assert views.compare("churn", 2, 3).sections[1].rows[0].right is None


def test_long_values_are_cut_in_a_comparison(views: Views, registry: Registry) -> None:
    trained(registry, params={"text": "x" * 10_000})
    row = views.compare("churn", 1, 1).sections[1].rows[0]
    assert len(row.left or "") == 500
    assert not row.differs


def test_reviews_stand_beside_their_version(views: Views, registry: Registry, clock: SteppedClock) -> None:
    version = trained(registry)
    registry.ask_approval("churn", 1, until=clock.now + timedelta(hours=1), actor=TASK, reason="look at it")
    registry.approve("churn", 1, evidence=version.digest, actor=ACTOR, reason="looks good")
    review = views.versions("churn").rows[0].review
    assert review is not None
    assert (review.status, review.decided_by, review.four_eyes) == ("approved", "ada", True)
    kinds = [entry.kind for entry in views.history("churn").entries]
    assert kinds == ["approve", "ask_approval", "register"]
