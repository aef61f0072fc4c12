"""From data to predictions."""

from __future__ import annotations

from typing import Any

import pytest

from stoker.engines import candidates
from stoker.errors import InvalidName
from stoker.registry.registry import Registry
from stoker.store import layout, partitions
from stoker.store.base import ObjectStore
from stoker.store.documents import put_document
from stoker.ui.views import LineageStage, Views
from tests.support.registrations import ACTOR, register
from tests.ui.views.lives import TASK, drifted, trained


def task(name: str) -> str:
    return f"churn_train/manual__1/{name}/-1"


def dataset(store: ObjectStore, stage: str, partition: str, **facts: Any) -> str:
    return put_document(
        store,
        {
            "kind": "dataset",
            "dataset": "flights",
            "stage": stage,
            "partition": partition,
            "rows": 100,
            "parent": None,
            **facts,
        },
    )


def landed(store: ObjectStore, partition: str, *, origin: bool = True) -> str:
    """A partition that was snapshotted and validated; the digest of its good rows."""
    raw = dataset(store, "raw", partition)
    ok = dataset(store, "ok", partition, parent=raw, rows=90)
    verdict = {"outcome": "pass", "reasons": [f"{partition} is good."], "numbers": {}}
    validation = put_document(store, {"kind": "validation", "ok": ok, "verdict": verdict})
    common = {"dataset": "flights", "partition": partition, "data_id": "id"}
    partitions.point(store, stage="raw", snapshot=raw, origin=task("snapshot") if origin else None, **common)
    partitions.point(
        store, stage="ok", snapshot=ok, validation=validation, origin=task("validate") if origin else None, **common
    )
    return ok


def scored(store: ObjectStore, partition: str, version: int = 1) -> str:
    digest = put_document(
        store, {"kind": "dataset", "stage": "predictions", "partition": partition, "source": [{"version": version}]}
    )
    partitions.point(
        store,
        dataset="churn",
        stage="predictions",
        partition=partition,
        snapshot=digest,
        data_id="id",
        origin=task("predict"),
    )
    return digest


def stages(views: Views, number: int | None = None) -> dict[str, LineageStage]:
    return {stage.name: stage for stage in views.lineage("churn", number).stages}


def test_a_line_leads_from_data_to_predictions(views: Views, registry: Registry, store: ObjectStore) -> None:
    ok = landed(store, "2013-03")
    version = trained(registry, datasets=[ok])
    candidate = version.manifest["candidate"]
    candidates.remember(store, candidate["digest"], dict(candidate), keep_first=False, origin=task("train"))
    registry.promote("churn", 1, actor=TASK, reason="good")
    predictions = scored(store, "2013-04")
    drifted(store, "2013-04", verdict="fail")
    found = stages(views)
    assert list(found) == ["data", "validation", "training", "version", "champion", "predictions"]
    nodes = {name: stage.nodes[0] for name, stage in found.items()}
    assert nodes["data"].label == "flights 2013-03"
    assert (nodes["validation"].verdict, nodes["validation"].detail) == ("pass", "2013-03 is good.")
    assert nodes["training"].detail == "DecisionTreeClassifier, 900 rows"
    assert (nodes["version"].label, nodes["version"].verdict) == ("Version 1", "pass")
    assert nodes["champion"].detail.endswith("good")
    assert (nodes["predictions"].verdict, nodes["predictions"].version) == ("fail", 1)
    assert nodes["predictions"].document == predictions
    tasks = {name: node.where.task_id for name, node in nodes.items() if node.where}
    assert tasks == {
        "data": "snapshot", "validation": "validate", "training": "train", "version": "register", "champion": "register",
        "predictions": "predict",
    }  # fmt: skip


def test_pointers_of_before_name_no_task(views: Views, registry: Registry, store: ObjectStore) -> None:
    trained(registry, datasets=[landed(store, "2013-03", origin=False)])
    found = stages(views)
    assert found["data"].nodes[0].where is None
    assert found["validation"].nodes[0].where is None
    assert found["training"].nodes[0].where is None
    assert found["champion"].nodes == []


def test_only_the_newest_snapshots_are_shown(views: Views, registry: Registry, store: ObjectStore) -> None:
    trained(registry, datasets=[landed(store, f"2013-{month:02d}") for month in range(1, 8)])
    data = stages(views)["data"]
    assert [node.label for node in data.nodes] == ["flights 2013-05", "flights 2013-06", "flights 2013-07"]
    assert data.omitted == 4


def test_documents_that_are_gone_leave_their_place(views: Views, registry: Registry, store: ObjectStore) -> None:
    ok = landed(store, "2013-03")
    trained(registry, datasets=[ok, "no digest"])
    gone = scored(store, "2013-04")
    for digest in (ok, gone):
        store.delete_swept(layout.blob(digest))
    found = stages(views)
    assert [node.detail for node in found["data"].nodes] == ["The document is gone."] * 2
    assert found["validation"].nodes == []
    assert found["predictions"].nodes[0].detail == "the document is gone"


def test_the_last_partitions_that_were_scored_are_shown(views: Views, registry: Registry, store: ObjectStore) -> None:
    trained(registry)
    for day in range(1, 16):
        scored(store, f"2013-04-{day:02d}", version=2 if day > 10 else 1)
    last = stages(views)["predictions"]
    assert [node.label for node in last.nodes] == [f"2013-04-{day:02d}" for day in range(4, 16)]
    assert [node.version for node in last.nodes][-1] == 2
    assert last.omitted == 3


def test_a_version_of_few_words_has_a_line_too(views: Views, registry: Registry) -> None:
    register(registry, outcome=None)
    found = stages(views)
    assert [len(stage.nodes) for stage in found.values()] == [0, 0, 0, 1, 0, 0]


def test_the_champion_is_shown_unless_another_is_asked_for(views: Views, registry: Registry) -> None:
    register(registry)
    registry.promote("churn", 1, actor=ACTOR, reason="good")
    register(registry)
    registry.promote("churn", 2, actor=ACTOR, reason="better")
    register(registry)
    assert views.lineage("churn").version == 2
    assert views.lineage("churn", 3).version == 3
    assert "to" in stages(views, 1)["champion"].nodes[0].detail
    with pytest.raises(InvalidName):
        views.lineage("churn", 0)
