"""The drift map."""

from __future__ import annotations

from stoker.registry.registry import Registry
from stoker.store import layout
from stoker.store.base import ObjectStore
from stoker.ui.views import Views
from tests.support.registrations import register
from tests.ui.views.conftest import CountingStore
from tests.ui.views.lives import HOSTILE, drifted


def test_a_model_without_windows_has_an_empty_map(views: Views, registry: Registry) -> None:
    register(registry)
    found = views.drift("churn")
    assert (found.windows, found.columns, found.omitted) == ([], [], 0)


def test_columns_that_drifted_most_often_and_furthest_come_first(
    views: Views, registry: Registry, store: ObjectStore
) -> None:
    register(registry)
    drifted(store, "2013-04", columns={"calm": 0.1, "once": 5.0, "twice": 1.5, "restless": 0.9})
    drifted(
        store,
        "2013-05",
        columns={"calm": 0.2, "once": 0.3, "twice": 1.2, "late": 0.1},
        verdict="fail",
        kinds=["covariate"],
    )
    found = views.drift("churn")
    assert [(window.window, window.verdict, window.alert) for window in found.windows] == [
        ("2013-04", "pass", False),
        ("2013-05", "fail", True),
    ]
    assert [column.column for column in found.columns] == ["twice", "once", "restless", "calm", "late"]
    twice, once, restless = found.columns[:3]
    assert (twice.drifted, once.drifted, once.worst) == (2, 1, 5.0)
    assert [cell.effect if cell else None for cell in restless.cells] == [0.9, None]
    assert [cell.drifted for cell in once.cells if cell] == [True, False]


def test_a_document_that_is_gone_leaves_the_verdict(views: Views, registry: Registry, store: ObjectStore) -> None:
    register(registry)
    gone = drifted(store, "2013-04", columns={"a": 2.0}, verdict="fail")
    drifted(store, "2013-05", columns={"a": 0.5})
    store.delete_swept(layout.blob(gone))
    found = views.drift("churn")
    assert [(window.verdict, window.missing) for window in found.windows] == [("fail", True), ("pass", False)]
    assert [cell is None for cell in found.columns[0].cells] == [True, False]


def test_a_window_whose_document_is_damaged_hides_nothing_else(
    views: Views, registry: Registry, store: ObjectStore
) -> None:
    register(registry)
    digest = drifted(store, "2013-03", columns={"a": 2.0})
    drifted(store, "2013-04", columns={"a": 1.0})
    store.delete_swept(layout.blob(digest))
    store.create(layout.blob(digest), b"no document")
    assert [window.missing for window in views.drift("churn").windows] == [True, False]


def test_columns_beyond_forty_are_counted(views: Views, registry: Registry, store: ObjectStore) -> None:
    register(registry)
    drifted(store, "2013-04", columns={f"column{number:02d}": number for number in range(50)})
    found = views.drift("churn")
    assert (len(found.columns), found.omitted) == (40, 10)
    assert found.columns[0].column == "column49"


def test_only_so_many_windows_are_read_and_each_document_once(
    views: Views, registry: Registry, store: CountingStore
) -> None:
    register(registry)
    for number in range(40):
        drifted(store, f"w{number:02d}", columns={"a": number / 10})
    found = views.drift("churn", windows=1000)
    assert [window.window for window in found.windows] == [f"w{number:02d}" for number in range(10, 40)]
    before = store.reads
    views.drift("churn")
    assert store.reads - before <= 2


def test_hostile_columns_pass_through_as_data(views: Views, registry: Registry, store: ObjectStore) -> None:
    register(registry)
    drifted(store, "2013-04", columns={HOSTILE: 2.0})
    assert views.drift("churn").columns[0].column == HOSTILE
