"""A task's context without a database, and a store in which the loop has gone round twice."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow.parquet as pq
import pytest
from airflow.sdk import DAG
from airflow.sdk.bases.operator import BaseOperator
from airflow.sdk.exceptions import AirflowFailException, DownstreamTasksSkipped
from sklearn.tree import DecisionTreeClassifier

import stoker
from stoker.core import wire
from stoker.core.clock import random_id
from stoker.registry.registry import Registry
from stoker.store import layout
from stoker.store.base import ObjectStore
from stoker.store.opening import open_store
from tests.support.faulty_store import Fault, FaultyStore
from tests.support.models import flights

IDS = ["id", "delay", "grade"]
FLOOR = {"roc_auc": {"min": 0.55}}
LABELLED = {"type": "expect_column_values_to_not_be_null", "kwargs": {"column": "late"}}
KINDS = {
    "snapshot": "SnapshotDatasetOperator",
    "validate": "ValidateDataOperator",
    "train": "TrainModelOperator",
    "evaluate": "EvaluateModelOperator",
    "register": "RegisterModelOperator",
    "promote": "PromoteModelOperator",
    "rollback": "RollbackModelOperator",
}


def few_trees(random_state: int = 0, min_samples_leaf: int = 5) -> Any:
    """A quick classifier of the flights' numbers."""
    from sklearn.compose import make_column_selector, make_column_transformer
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline

    numbers = make_column_transformer((SimpleImputer(), make_column_selector(dtype_include="number")))
    return make_pipeline(
        numbers, RandomForestClassifier(10, random_state=random_state, min_samples_leaf=min_samples_leaf)
    )


class OwnTree(DecisionTreeClassifier):
    """A class of one's own, which no file may hold unless the installation trusts it."""


@dataclass
class Task:
    """What one execution left behind besides its return value."""

    pushed: dict[str, Any] = field(default_factory=dict)
    skipped: list[str] = field(default_factory=list)


@dataclass
class Loop:
    """The steps of the loop over one store, each with what it usually gets.

    :param uri: the store's address.
    :param landing: where source files are.
    """

    uri: str
    landing: Path
    run_id: str = "manual__1"
    run_type: str = "manual"
    user: str | None = "ada"
    last: Task = field(default_factory=Task)

    @property
    def store(self) -> ObjectStore:
        return open_store(self.uri)

    @property
    def registry(self) -> Registry:
        return Registry(self.store)

    def land(self, month: str, **options: Any) -> str:
        """A source file."""
        path = self.landing / f"{month}.parquet"
        pq.write_table(flights(1200, month=month, seed=int(month[-2:]), **options), path)
        return str(path)

    def snapshot(self, month: str = "2013-03", **given: Any) -> dict[str, Any]:
        source = given.pop("source", None) or self.land(month)
        usual = {"source": source, "dataset": "flights", "partition": month, "time_column": "departure"}
        return self.execute("snapshot", **{**usual, **given})

    def validate(self, dataset: Any, **given: Any) -> dict[str, Any]:
        return self.execute("validate", **{"dataset": dataset, "expectations": [LABELLED], **given})

    def train(self, dataset: Any, **given: Any) -> dict[str, Any]:
        usual = {"dataset": dataset, "estimator": few_trees, "target": "late", "id_columns": IDS}
        return self.execute("train", **{**usual, **given})

    def evaluate(self, model: Any, **given: Any) -> dict[str, Any]:
        usual = {"model": model, "name": "late", "thresholds": FLOOR, "comparison": "non_inferiority", "margin": 0.5}
        return self.execute("evaluate", **{**usual, **given})

    def register(self, model: Any, **given: Any) -> dict[str, Any]:
        return self.execute("register", **{"model": model, "name": "late", **given})

    def promote(self, version: Any, **given: Any) -> dict[str, Any]:
        return self.execute("promote", **{"name": "late", "version": version, **given})

    def rollback(self, **given: Any) -> dict[str, Any]:
        return self.execute("rollback", **{"name": "late", "reason": "worse", **given})

    def execute(self, step: str, **given: Any) -> dict[str, Any]:
        """Run one operator as a worker would, in a DAG with two tasks after it."""
        with DAG("loop", schedule=None) as dag:
            task = getattr(stoker, KINDS[step])(task_id=step, store=self.uri, **given)
            task >> [BaseOperator(task_id="after"), BaseOperator(task_id="aside")]
        self.last = Task()
        ti = SimpleNamespace(
            dag_id="loop", run_id=self.run_id, task_id=step, map_index=-1, task=task, xcom_push=self._push
        )
        run = SimpleNamespace(run_type=self.run_type, triggering_user_name=self.user)
        context: Any = {"ti": ti, "dag_run": run, "task": task, "dag": dag}
        try:
            return task.execute(context)  # type: ignore[no-any-return]
        except DownstreamTasksSkipped as skipped:
            self.last.skipped = sorted(name if isinstance(name, str) else name[0] for name in skipped.tasks)
            return self.last.pushed["return_value"]  # type: ignore[no-any-return]

    def _push(self, key: str, value: Any) -> None:
        self.last.pushed[key] = value

    def pointers(self) -> dict[str, str]:
        """Every key that gives something a meaning, with the digest of what lies there."""
        store = self.store
        keys = (key for prefix in ("datasets/", "training/", "models/") for key in store.keys(prefix))
        return {key: wire.sha256(store.read(key)) for key in keys}

    def torn(self) -> list[str]:
        """Blobs that are not what their name says."""
        store = self.store
        return [key for key in store.keys("blobs/") if wire.sha256(store.read(key)) != key.rsplit("/", 1)[-1]]

    def unfinished(self) -> list[Path]:
        """Files that a write has not finished."""
        return list((self.folder / ".tmp").glob("*"))

    @property
    def folder(self) -> Path:
        """The store's own folder."""
        return Path(self.uri.removeprefix("file://"))

    def blob(self, digest: str) -> Path:
        """The file of a blob."""
        return self.folder / layout.blob(digest)


@dataclass
class Lived:
    """A store after two turns, and what the steps returned."""

    root: Path
    january: dict[str, Any]
    february: dict[str, Any]


@pytest.fixture(autouse=True, scope="session")
def no_database() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("_AIRFLOW_PROCESS_CONTEXT", "client")
        patch.setenv("AIRFLOW__STOKER__MAX_THREADS", "1")
        yield


@pytest.fixture
def loop(tmp_path: Path) -> Loop:
    """The steps over an empty store."""
    (tmp_path / "landing").mkdir()
    return Loop(f"file://{tmp_path}/store", tmp_path / "landing")


@pytest.fixture(scope="session")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Lived:
    """January became the champion; February passed its gate and is registered, not promoted."""
    root = tmp_path_factory.mktemp("lived")
    loop = Loop(f"file://{root}/store", root)
    turns = [_turn(loop, month) for month in ("2013-01", "2013-02")]
    return Lived(root / "store", *turns)


def _turn(loop: Loop, month: str) -> dict[str, Any]:
    loop.run_id = f"scheduled__{month}"
    data = loop.snapshot(month)
    good = loop.validate(data)
    model = loop.train(good)
    judged = loop.evaluate(model)
    version = loop.register(model, evaluation=judged)
    moved = loop.promote(version) if month == "2013-01" else None
    return {"data": data, "good": good, "model": model, "judged": judged, "version": version, "moved": moved}


@pytest.fixture
def old(lived: Lived, loop: Loop) -> Loop:
    """The steps over a copy of the store that has lived."""
    shutil.copytree(lived.root, loop.uri.removeprefix("file://"))
    return loop


@pytest.fixture
def fresh(lived: Lived, loop: Loop) -> Callable[[], Loop]:
    """Gives the steps over another copy in memory at each call."""
    files = {str(path.relative_to(lived.root)): path.read_bytes() for path in lived.root.rglob("*") if path.is_file()}

    def copied() -> Loop:
        copy = replace(loop, uri=f"memory://{random_id()}")
        for key, data in files.items():
            copy.store.create(key, data)
        return copy

    return copied


@contextmanager
def faulty(plan: dict[int, Fault]) -> Iterator[list[FaultyStore]]:
    """Let every store that an operator opens fail at these writes; gives the stores."""
    opened: list[FaultyStore] = []

    def open_faulty(uri: str, **_: Any) -> FaultyStore:
        opened.append(FaultyStore(open_store(uri), plan))
        return opened[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("stoker.hooks.registry.open_store", open_faulty)
        yield opened


def twice(loop: Loop, call: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """The answer of a step that a retry or a cleared task repeats: the same, and nothing more is written."""
    first = call()
    before = list(loop.store.keys(""))
    again = call()
    assert (again["kind"], again["digest"], again["verdict"]) == (first["kind"], first["digest"], first["verdict"])
    assert list(loop.store.keys("")) == before
    return again


@contextmanager
def refused(loop: Loop, match: str) -> Iterator[None]:
    """What happens inside fails the task for good, says what must hold, and leaves every meaning as it was."""
    before = loop.pointers()
    with pytest.raises(AirflowFailException, match=match) as failure:
        yield
    message = str(failure.value)
    assert re.match(r"[A-Z][A-Za-z]+: .*\b(must|needs?|may|is needed|had to)\b.*\.", message, re.DOTALL), message
    assert len(message) < 4000
    assert failure.value.__cause__.retryable is False  # type: ignore[union-attr]
    assert loop.pointers() == before
    assert loop.unfinished() == []
