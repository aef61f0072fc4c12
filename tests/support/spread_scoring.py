"""A scoring run in one task, or spread over several, without a database."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from stoker.core.clock import random_id
from stoker.operators.predict import BatchPredictOperator, MergePredictionsOperator, PlanPredictionsOperator
from stoker.registry.changes import ANY
from stoker.registry.registry import Registry
from stoker.store import partitions
from stoker.store.memory import MemoryStore
from tests.operators.conftest import faulty, few_trees
from tests.operators.runs import Run
from tests.support.faulty_store import Fault, Killed
from tests.support.models import fit, flights, manifest, put
from tests.support.registrations import ACTOR

ROWS = flights(90, month="2013-02", seed=5)


def trained_on() -> dict[str, bytes]:
    """What a store holds of a model with two versions, apart from its data."""
    store = MemoryStore()
    for seed in (1, 2):
        made = manifest(store, fit(store, put(store, flights(200, seed=seed)), few_trees))
        found = {**made, "fingerprint": made["candidate"]["fingerprint"]}
        Registry(store).register("late", found, actor=ACTOR, reason="trained")
    return {key: store.read(key) for key in store.keys("") if not key.startswith("datasets/")}


def start(trained: dict[str, bytes], sizes: Sequence[int]) -> Run:
    """A run over a store with the first version in office and partitions of these sizes."""
    run = Run(uri=f"memory://{random_id()}")
    for key, data in trained.items():
        run.store.create(key, data)
    promote(run, 1)
    done = 0
    for number, size in enumerate(sizes):
        put(run.store, ROWS.slice(done, size), f"part-{number:02d}")
        done += size
    return run


def promote(run: Run, version: int, alias: str = "champion") -> None:
    """Let an alias point at a version."""
    run.registry.promote(
        "late", version, alias=alias, expected_version=ANY, require_verdict=False, actor=ACTOR, reason="by hand"
    )


def plan(run: Run, **given: Any) -> Any:
    """What the planning task gives to the mapped ones."""
    return run.execute(PlanPredictionsOperator, **{"model": "late@champion", "dataset": "flights", **given})


def predict(run: Run, dataset: Any, **given: Any) -> dict[str, Any]:
    """What a scoring task returns."""
    return run.execute(
        BatchPredictOperator, **{"model": "late@champion", "dataset": dataset, "id_columns": ["id"], **given}
    )


def merge(run: Run, predictions: Any) -> dict[str, Any]:
    """What the task that puts together returns."""
    return run.execute(MergePredictionsOperator, predictions=predictions)


def scored(run: Run) -> list[tuple[str, str]]:
    """Each partition of the predictions with the digest of its rows."""
    return partitions.partitions(run.store, "late", "predictions")


def timeless(reference: dict[str, Any]) -> dict[str, Any]:
    """Without the store that was written to, and how long it took."""
    summary = {name: value for name, value in reference["summary"].items() if name != "rows_per_second"}
    return {**reference, "uri": reference["uri"].rsplit("/", 1)[-1], "summary": summary}


@dataclass
class Mortal:
    """Does tasks whose first try meets these faults, and whose second does not.

    :param plan: the fault at each write of a first try that has one.
    :param died: how many first tries did.
    """

    plan: dict[int, Fault]
    died: int = 0

    def do(self, task: Callable[..., Any], *given: Any, **more: Any) -> Any:
        """What the first try returns, or the retry where it died."""
        try:
            with faulty(self.plan):
                return task(*given, **more)
        except Killed:
            self.died += 1
            return task(*given, **more)
