"""Bad input at every operator: refused for good, with advice, and nothing half-written."""

from __future__ import annotations

import errno
import json
import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from airflow.sdk.exceptions import AirflowFailException
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegression

from stoker.core.names import check_alias, check_name, check_partition
from stoker.errors import InvalidName, StoreNotWritable, StoreUnavailable
from stoker.registry import derived
from stoker.store import layout
from stoker.store.documents import get_document
from tests.operators.conftest import Lived, Loop, refused
from tests.support.hostile import HOSTILE_NAMES
from tests.support.models import flights
from tests.support.recorded_os import RecordedOs
from tests.support.registrations import ACTOR

# Files


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _other_format(path: Path) -> None:
    path.write_text("id,late\n1,0\n")


def _truncated(path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])


def _flipped(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def _missing(path: Path) -> None:
    path.unlink()


def _without_rows(path: Path) -> None:
    pq.write_table(pq.read_table(path).slice(0, 0), path)


FILES: dict[str, tuple[Callable[[Path], None], str]] = {
    "missing": (_missing, "SourceNotFound: .*names none"),
    "empty": (_empty, "UnreadableData: .*empty"),
    "of another format": (_other_format, "UnreadableData: .*valid .parquet"),
    "truncated": (_truncated, "UnreadableData: .*valid .parquet"),
    "without rows": (_without_rows, "UnsuitableData: .*at least one row"),
}


@pytest.mark.parametrize("case", FILES)
def test_a_bad_file_is_refused_and_the_good_one_is_taken(loop: Loop, case: str) -> None:
    spoil, match = FILES[case]
    source = loop.land("2013-01")
    spoil(Path(source))
    with refused(loop, match):
        loop.snapshot("2013-01", source=source)
    assert list(loop.store.keys("")) == []
    assert loop.snapshot("2013-01")["summary"]["new"] is True


@pytest.mark.parametrize(
    ("source", "match"),
    [
        ("", "SourceNotFound"),
        ([], "SourceNotFound"),
        (None, "ConfigurationError"),
        (7, "ConfigurationError"),
        ([None], "ConfigurationError"),
        ("/", "SourceNotFound"),
        ("x" * 65536, "SourceNotFound"),
        ("a\0b.parquet", "SourceNotFound"),
        ("ftp://host/x.parquet", "ConfigurationError"),
        ("/etc/passwd", "UnreadableData"),
    ],
)
def test_a_source_that_is_no_file_of_data_is_refused(loop: Loop, source: Any, match: str) -> None:
    with refused(loop, match):
        loop.execute("snapshot", source=source, dataset="flights")


# Columns


def _renamed(table: pa.Table) -> pa.Table:
    return table.rename_columns(["winds" if name == "wind" else name for name in table.column_names])


def _replaced(name: str, values: Any) -> Callable[[pa.Table], pa.Table]:
    def replace(table: pa.Table) -> pa.Table:
        column = pa.array(values(table[name].to_pylist()))
        return table.set_column(table.schema.get_field_index(name), name, column)

    return replace


COLUMNS: dict[str, tuple[Callable[[pa.Table], pa.Table], str]] = {
    "missing": (lambda table: table.drop_columns(["wind"]), "column 'wind' is missing"),
    "renamed": (_renamed, "did it become 'winds'"),
    "extra": (lambda table: table.append_column("gust", table["wind"]), "column 'gust' is not in the schema"),
    "of another type": (
        _replaced("seats", lambda values: [f"n{value}" for value in values]),
        "must be int64; it is str",
    ),
}


@pytest.mark.parametrize("case", COLUMNS)
def test_columns_that_changed_are_refused_and_told(old: Loop, case: str) -> None:
    change, match = COLUMNS[case]
    path = old.landing / "changed.parquet"
    pq.write_table(change(flights(1200, month="2013-03", seed=3)), path)
    with refused(old, f"SchemaMismatch: .*{match}"):
        old.snapshot("2013-03", source=str(path))
    assert old.snapshot("2013-03")["summary"]["new"] is True


# Values


def _first_none(values: list[Any]) -> list[Any]:
    return [None, *values[1:]]


VALUES: dict[str, tuple[Callable[[pa.Table], pa.Table], dict[str, Any], str]] = {
    "an all-null feature": (
        _replaced("wind", lambda values: np.full(len(values), np.nan)),
        {},
        "UnsuitableData: .*wind",
    ),
    "a target of one class": (_replaced("late", lambda values: [1] * len(values)), {}, "UnsuitableData: .*two classes"),
    "a missing target": (_replaced("late", _first_none), {}, "UnsuitableData: .*1 of 1200 rows of 'late'"),
    "an all-null target": (_replaced("late", lambda values: [None] * len(values)), {}, "UnsuitableData: .*late"),
    "an infinite target": (
        _replaced("delay", lambda values: [float("inf"), *values[1:]]),
        {"target": "delay", "estimator": "sklearn.tree.DecisionTreeRegressor", "id_columns": ["id", "late", "grade"]},
        "UnsuitableData: .*infinity",
    ),
    "a target among the features": (lambda table: table, {"features": ["wind", "late"]}, "UsageError: .*'late' is"),
    "a target that is not there": (lambda table: table, {"target": "lates"}, "UnsuitableData: .*near: late"),
    "a feature that is not there": (lambda table: table, {"features": ["winds"]}, "UnsuitableData: .*near: wind"),
    "too few rows": (lambda table: table.slice(0, 5), {}, "UnsuitableData: .*at least 20"),
}


@pytest.mark.parametrize("case", VALUES)
def test_data_that_cannot_be_trained_on_is_refused_before_anything_is_stored(loop: Loop, case: str) -> None:
    change, options, match = VALUES[case]
    path = loop.landing / "values.parquet"
    pq.write_table(change(flights(1200)), path)
    data = loop.snapshot("2013-01", source=str(path))
    stored = list(loop.store.keys(""))
    with refused(loop, match):
        loop.train(data, **options)
    assert list(loop.store.keys("")) == stored
    assert loop.train(loop.snapshot("2013-01"))["verdict"] == "pass"


# Estimators


class Fuzzy(ClassifierMixin, BaseEstimator):
    """Fits, and then predicts nothing but NaN."""

    def fit(self, frame: Any, y: Any) -> Fuzzy:
        self.classes_ = np.unique(y)
        return self

    def predict(self, frame: Any) -> Any:
        return np.full(len(frame), self.classes_[0])

    def predict_proba(self, frame: Any) -> Any:
        return np.full((len(frame), len(self.classes_)), np.nan)


def _fitted() -> Any:
    return LogisticRegression().fit([[0.0], [1.0]], [0, 1])


def _unstorable() -> Any:
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer

    return make_pipeline(FunctionTransformer(lambda frame: frame[["seats"]]), LogisticRegression())


def _raising() -> Any:
    raise RuntimeError("no licence")


ESTIMATORS: dict[str, tuple[dict[str, Any], str]] = {
    "fitted already": ({"estimator": _fitted}, "ModelError: .*fitted one"),
    "a class": ({"estimator": lambda: LogisticRegression}, "ModelError: .*returned the class"),
    "an instance": ({"estimator": LogisticRegression()}, "UsageError: .*function that returns it"),
    "nothing": ({"estimator": lambda: None}, "ModelError: .*None"),
    "None itself": ({"estimator": None}, "UsageError: .*function"),
    "not storable": ({"estimator": _unstorable}, "ModelError: .*storable"),
    "predicting NaN": ({"estimator": Fuzzy}, "ModelError: .*NaN"),
    "raising": ({"estimator": _raising}, "ModelError: .*RuntimeError: no licence"),
    "not to be imported": ({"estimator": "no_such_module.build"}, "UsageError: .*importable"),
    "no dotted path": ({"estimator": "build"}, "UsageError: .*dotted path"),
    "given what it does not take": ({"estimator_params": {"depth": 3}}, "UsageError: .*depth"),
    "given nonsense": ({"estimator_params": {"min_samples_leaf": -1}}, "ModelError: .*min_samples_leaf"),
    "not fit for gaps": ({"estimator": "sklearn.linear_model.LogisticRegression"}, "ModelError: .*raised"),
}


@pytest.mark.parametrize("case", ESTIMATORS)
def test_a_bad_estimator_is_refused_before_anything_is_stored(old: Loop, lived: Lived, case: str) -> None:
    options, match = ESTIMATORS[case]
    stored = list(old.store.keys(""))
    with refused(old, match):
        old.train(lived.january["good"], **options)
    assert list(old.store.keys("")) == stored
    assert old.train(lived.january["good"])["summary"]["cached"] is True


# Arguments

Call = Callable[[Loop, Lived], Any]


def _raise() -> Any:
    raise RuntimeError("no catalogue")


def _unknown(**kwargs: Any) -> dict[str, Any]:
    return {"type": "expect_column_values_to_be_lovely", "kwargs": kwargs}


ARGUMENTS: dict[str, tuple[Call, str]] = {
    "schema file": (lambda it, _: it.snapshot(schema="/nowhere.json"), "readable JSON"),
    "schema type": (lambda it, _: it.snapshot(schema={"id": "varchar"}), "varchar"),
    "schema change": (lambda it, _: it.snapshot(on_schema_change="shrug"), "on_schema_change"),
    "time column": (lambda it, _: it.snapshot(time_column="departures"), "departure"),
    "sql source": (lambda it, _: it.snapshot(source=["a", "b"], sql_conn_id="db"), "one query"),
    "sql connection": (lambda it, _: it.snapshot(source="select 1", sql_conn_id="nowhere"), "nowhere"),
    "expectation": (lambda it, was: it.validate(was.january["data"], expectations=[_unknown(column="id")]), "lovely"),
    "no expectation": (lambda it, was: it.validate(was.january["data"], expectations=[]), "at least one"),
    "expectation file": (lambda it, was: it.validate(was.january["data"], expectations="/nowhere.json"), "readable"),
    "expectations": (lambda it, was: it.validate(was.january["data"], expectations=_raise), "RuntimeError: no catal"),
    "validate mode": (lambda it, was: it.validate(was.january["data"], on_failure="shrug"), "on_failure"),
    "share": (lambda it, was: it.validate(was.january["data"], max_quarantine_share="lots"), "max_quarantine_share"),
    "share too large": (
        lambda it, was: it.validate(was.january["data"], max_quarantine_share=2),
        "max_quarantine_share",
    ),
    "test_size": (lambda it, was: it.train(was.january["good"], test_size="half"), "test_size"),
    "test_size too large": (lambda it, was: it.train(was.january["good"], test_size=1.5), "test_size"),
    "random_state": (lambda it, was: it.train(was.january["good"], random_state="lucky"), "random_state"),
    "cv": (lambda it, was: it.train(was.january["good"], cv=None), "cv"),
    "iterations": (lambda it, was: it.train(was.january["good"], search_iterations="many"), "search_iterations"),
    "split": (lambda it, was: it.train(was.january["good"], split="fair"), "split"),
    "history": (lambda it, was: it.train(was.january["good"], history="some"), "history"),
    "search": (lambda it, was: it.train(was.january["good"], search="magic"), "search"),
    "grid": (
        lambda it, was: it.train(was.january["good"], search="grid", param_grid={"nose": [1]}),
        "nose",
    ),
    "scoring": (lambda it, was: it.train(was.january["good"], scoring="beauty"), "beauty"),
    "cache": (lambda it, was: it.train(was.january["good"], cache="perhaps"), "cache"),
    "params": (lambda it, was: it.train(was.january["good"], estimator_params="depth=3"), "estimator_params"),
    "metric": (lambda it, was: it.evaluate(was.january["model"], metric="roc_ack"), "roc_auc"),
    "threshold": (lambda it, was: it.evaluate(was.january["model"], thresholds={"beauty": {"min": 1}}), "beauty"),
    "whole number": (lambda it, was: it.train(was.january["good"], cv=2.5), "cv must be a whole number"),
    "bounds": (lambda it, was: it.evaluate(was.january["model"], thresholds={"roc_auc": {"mim": 1}}), "min"),
    "policy": (lambda it, was: it.evaluate(was.january["model"], policy="/nowhere.yaml"), "readable"),
    "comparison": (lambda it, was: it.evaluate(was.january["model"], comparison="vibes"), "superiority"),
    "margin": (lambda it, was: it.evaluate(was.january["model"], margin=-1), "margin"),
    "alpha": (lambda it, was: it.evaluate(was.january["model"], alpha="small"), "alpha"),
    "mode": (lambda it, was: it.evaluate(was.january["model"], mode="yolo"), "mode"),
    "evaluate mode": (lambda it, was: it.evaluate(was.january["model"], on_failure="shrug"), "on_failure"),
    "champion at registration": (lambda it, was: it.register(was.january["model"], aliases=["champion"]), "champion"),
    "previous": (lambda it, was: it.promote(2, alias="previous"), "previous"),
    "expected": (lambda it, was: it.promote(2, expected_version=[1]), "expected_version"),
    "expected word": (lambda it, was: it.promote(2, expected_version="some"), "version number"),
    "reason": (lambda it, was: it.promote(2, reason="x" * 3000), "reason"),
    "no reason": (lambda it, was: it.rollback(reason=" "), "reason"),
    "rollback to zero": (lambda it, was: it.rollback(version=0), "whole number"),
}


@pytest.mark.parametrize("case", ARGUMENTS)
def test_an_argument_that_makes_no_sense_is_refused(old: Loop, lived: Lived, case: str) -> None:
    call, match = ARGUMENTS[case]
    stored = list(old.store.keys(""))
    with refused(old, match):
        call(old, lived)
    assert list(old.store.keys("")) == stored


# References

REFERENCES: list[Any] = [None, "", "x", 7.5, [], {}, {"kind": "dataset"}]
TAKERS: dict[str, Callable[[Loop, Any], Any]] = {
    "validate": Loop.validate,
    "train": Loop.train,
    "evaluate": Loop.evaluate,
    "evaluate on": lambda loop, value: loop.evaluate(value, dataset=value),
    "register": Loop.register,
    "promote": Loop.promote,
}


@pytest.mark.parametrize("taker", TAKERS)
def test_what_is_no_reference_is_refused(old: Loop, taker: str) -> None:
    # A training also takes the name of a dataset, of which there is none here.
    refusal = "UsageError|InvalidName" + ("|UnsuitableData: The dataset 'x'" if taker == "train" else "")
    for value in REFERENCES:
        with refused(old, refusal):
            TAKERS[taker](old, value)


@pytest.mark.parametrize("taker", TAKERS)
def test_a_reference_of_another_kind_is_refused(old: Loop, lived: Lived, taker: str) -> None:
    takes = {
        "validate": ["data"], "train": ["data", "good"], "evaluate": ["model"], "evaluate on": [], "register": ["model"],
        "promote": ["version"],
    }[taker]  # fmt: skip
    for kind in {"data", "good", "model", "judged", "version", "moved"} - set(takes):
        with refused(old, "UsageError"):
            TAKERS[taker](old, lived.january[kind])


FORGERIES: list[tuple[dict[str, Any], str]] = [
    ({"digest": "0" * 64}, "NotFound|UsageError"),
    ({"digest": "../../etc/passwd"}, "CorruptArtifact|UsageError"),
    ({"digest": 7}, "UsageError"),
    ({"kind": ["version"]}, "UsageError"),
    ({"summary": None}, "UsageError"),
    ({"uri": 7}, "UsageError"),
]


@pytest.mark.parametrize("taker", ["validate", "train", "evaluate", "register", "promote"])
def test_a_forged_reference_is_refused(old: Loop, lived: Lived, taker: str) -> None:
    given = {"validate": "data", "train": "data", "evaluate": "model", "register": "model", "promote": "version"}[taker]
    for change, match in FORGERIES:
        with refused(old, match):
            TAKERS[taker](old, {**lived.february[given], **change})


def test_a_version_reference_without_its_number_is_refused(old: Loop, lived: Lived) -> None:
    for summary in ({}, {"name": "late"}, {"name": "late", "version": "two"}):
        with refused(old, "UsageError|InvalidName"):
            old.promote({**lived.february["version"], "summary": summary})


def test_a_document_of_another_kind_behind_a_reference_is_refused(old: Loop, lived: Lived) -> None:
    with refused(old, "UsageError: .*candidate document .* kind 'dataset'"):
        old.evaluate({**lived.january["model"], "digest": lived.january["data"]["digest"]})


def test_the_evaluation_of_another_model_is_refused(old: Loop, lived: Lived) -> None:
    with refused(old, "UsageError: The evaluation must be of the model that is registered"):
        old.register(lived.february["model"], evaluation=lived.january["judged"], name="fresh")


def test_the_version_of_another_model_is_refused(old: Loop, lived: Lived) -> None:
    with refused(old, "UsageError: .*'late'"):
        old.promote({**lived.february["version"], "summary": {"name": "fresh", "version": 2}})


# Names


def _refusing(check: Callable[[str], Any]) -> list[str]:
    """The hostile names that break a rule: ``0`` and ``nul.json`` may well be partitions."""

    def breaks(name: str) -> bool:
        try:
            check(name)
        except InvalidName:
            return True
        return False

    return [name for name in HOSTILE_NAMES if breaks(name)]


NAMES = _refusing(lambda name: check_name(name, "model"))
ALIASES = _refusing(check_alias)
NAMED: dict[str, tuple[Callable[[Loop, Lived, str], Any], list[str]]] = {
    "dataset": (lambda it, _, name: it.snapshot(dataset=name, source=it.land("2013-03")), NAMES),
    "partition": (
        lambda it, _, name: it.snapshot(partition=name, source=it.land("2013-03")),
        [name for name in _refusing(check_partition) if name],  # an empty one means that there are no partitions
    ),
    "evaluated model": (lambda it, was, name: it.evaluate(was.february["model"], name=name), NAMES),
    "evaluated model alone": (
        lambda it, was, name: it.evaluate(was.february["model"], name=name, baseline=None),
        NAMES,
    ),
    "baseline": (lambda it, was, name: it.evaluate(was.february["model"], baseline=name), ALIASES),
    "registered model": (
        lambda it, was, name: it.register(was.february["model"], evaluation=was.february["judged"], name=name),
        NAMES,
    ),
    "alias of a new version": (
        lambda it, was, name: it.register(was.february["model"], evaluation=was.february["judged"], aliases=[name]),
        ALIASES,
    ),
    "promoted model": (lambda it, _, name: it.promote(2, name=name), NAMES),
    "promoted version": (lambda it, _, name: it.promote(name), HOSTILE_NAMES),
    "promoted alias": (lambda it, _, name: it.promote(2, alias=name), ALIASES),
    "expected version": (
        lambda it, _, name: it.promote(2, expected_version=name),
        [name for name in HOSTILE_NAMES if name],  # an empty one means that the alias must be unset
    ),
    "rolled back model": (lambda it, _, name: it.rollback(name=name), NAMES),
    "rolled back alias": (lambda it, _, name: it.rollback(alias=name), ALIASES),
    "rolled back version": (lambda it, _, name: it.rollback(version=name), [name for name in HOSTILE_NAMES if name]),
}


@pytest.mark.parametrize("argument", NAMED)
def test_hostile_names_are_refused_before_anything_is_written(old: Loop, lived: Lived, argument: str) -> None:
    call, names = NAMED[argument]
    stored = list(old.store.keys(""))
    for name in names:
        with refused(old, "InvalidName: "):
            call(old, lived, name)
    assert list(old.store.keys("")) == stored
    assert sorted(path.name for path in old.folder.parent.iterdir()) == ["landing", "store"]


# Damage

DAMAGES: dict[str, Callable[[Path, bytes], Any]] = {
    "a flipped bit": lambda path, _: _flipped(path),
    "cut short": lambda path, _: _truncated(path),
    "empty": lambda path, _: _empty(path),
    "another model's bytes": lambda path, other: path.write_bytes(other),
    "gone": lambda path, _: _missing(path),
}
AFTER_TRAINING: dict[str, Call] = {
    "evaluate": lambda it, was: it.evaluate(was.february["model"]),
    "register": lambda it, was: it.register(was.february["model"], evaluation=was.february["judged"], name="fresh"),
    "promote": lambda it, was: it.promote(was.february["version"]),
}


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("step", AFTER_TRAINING)
def test_a_damaged_model_is_refused_by_every_step_and_mended_it_is_taken(
    old: Loop, lived: Lived, step: str, damage: str
) -> None:
    path, other = (_model_file(old, turn) for turn in (lived.february, lived.january))
    good = path.read_bytes()
    DAMAGES[damage](path, other.read_bytes())
    with refused(old, "CorruptArtifact: .*model.skops|NotFound: "):
        AFTER_TRAINING[step](old, lived)
    path.write_bytes(good)
    if step != "evaluate":  # a whole evaluation takes seconds, and other tests have many
        assert AFTER_TRAINING[step](old, lived)["verdict"] == "pass"
    assert old.torn() == []


def test_a_damaged_version_is_not_rolled_back_to(old: Loop, lived: Lived) -> None:
    old.promote(lived.february["version"])
    _flipped(_model_file(old, lived.january))
    with refused(old, "ModelError: .*corrupt"):
        old.rollback()
    assert old.registry.aliases("late") == {"champion": 2, "previous": 1}


@pytest.mark.parametrize("damage", ["a flipped bit", "gone"])
def test_damaged_rows_are_refused_by_every_step(old: Loop, lived: Lived, damage: str) -> None:
    rows = get_document(old.store, lived.january["data"]["digest"])["file"]["sha256"]
    DAMAGES[damage](old.blob(rows), b"")
    for call in (
        lambda: old.validate(lived.january["data"]),
        lambda: old.train(lived.january["data"], cache="off"),
    ):
        with refused(old, "CorruptArtifact: .*flights|NotFound: "):
            call()


def test_a_damaged_champion_keeps_its_office_until_a_person_looks(old: Loop, lived: Lived) -> None:
    _flipped(_model_file(old, lived.january))
    judged = old.evaluate(lived.february["model"])
    assert (judged["verdict"], old.last.skipped) == ("fail", ["after", "aside"])
    assert "must be scored on the same rows, and cannot" in judged["summary"]["reasons"][0]


def _model_file(loop: Loop, turn: dict[str, Any]) -> Path:
    candidate = get_document(loop.store, turn["model"]["digest"], "candidate")
    return loop.blob(candidate["files"]["model.skops"]["sha256"])


def test_an_edited_document_is_refused(old: Loop, lived: Lived) -> None:
    path = old.blob(lived.february["judged"]["digest"])
    path.write_bytes(path.read_bytes().replace(b'"roc_auc":0.7', b'"roc_auc":0.9'))
    with refused(old, "CorruptArtifact: .*evaluation document"):
        old.register(lived.february["model"], evaluation=lived.february["judged"], name="fresh")


def test_an_edited_manifest_is_not_promoted(old: Loop, lived: Lived) -> None:
    path = old.blob(lived.february["version"]["digest"])
    path.write_bytes(path.read_bytes().replace(b'"outcome":"pass"', b'"outcome":"fail"'))
    with refused(old, "CorruptArtifact: "):
        old.promote(2)


def test_an_edited_copy_of_a_manifest_changes_nothing(old: Loop, lived: Lived) -> None:
    for _ in range(derived.EVERY):  # the copies are written with the next checkpoint
        old.registry.block("late", 1, actor=ACTOR, reason="a test")
        old.registry.unblock("late", 1, actor=ACTOR, reason="a test")
    copy = old.folder / layout.version_manifest("late", 2)
    copy.write_bytes(copy.read_bytes().replace(lived.february["version"]["digest"].encode(), b"0" * 64))
    before = old.registry.version("late", 2)
    assert before.digest == lived.february["version"]["digest"]
    assert old.promote(2, expected_version="any")["summary"]["version"] == 2


def _reworded(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b"by {{", b"BY {{").replace(b"its gate", b"ITS gate"))


# The last entry may be reworded unseen: only an audit that was told the head's digest finds that out.
@pytest.mark.parametrize(
    ("entry", "spoil"), [(1, _reworded), (2, _reworded), (2, _empty), (3, _truncated), (3, _empty)]
)
def test_an_edited_log_takes_no_more_entries(
    old: Loop, lived: Lived, entry: int, spoil: Callable[[Path], None]
) -> None:
    path = old.folder / layout.numbered(layout.log("late"), entry)
    good = path.read_bytes()
    spoil(path)
    calls: list[Callable[[], Any]] = [
        lambda: old.promote(2),
        lambda: old.rollback(),
        lambda: old.register(lived.january["model"], evaluation=lived.january["judged"]),
    ]
    for call in calls:
        with refused(old, "TamperedRecord: .*log/"):
            call()
    path.write_bytes(good)
    assert old.promote(2)["summary"]["previous"] == 1


# Disks and networks


@contextmanager
def _mounted(folder: Path) -> Iterator[bool]:
    """A tmpfs of one mebibyte, where this process may mount; otherwise the plain folder."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", os.fspath(folder)]
    mounted = subprocess.run(command, check=False, capture_output=True).returncode == 0
    try:
        yield mounted
    finally:
        if mounted:
            subprocess.run(["umount", os.fspath(folder)], check=True)


def test_a_full_disk_is_retried_and_a_smaller_file_fits(loop: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    with _mounted(loop.folder) as mounted:
        if not mounted:  # the kernel's own answer needs a mount; the same error is injected instead
            RecordedOs(monkeypatch, loop.folder).fail("write .tmp/*", errno.ENOSPC)
        pq.write_table(pa.table({"noise": np.random.default_rng(0).random(300_000)}), loop.landing / "large.parquet")
        with pytest.raises(StoreNotWritable, match="No space left"):
            loop.execute("snapshot", source=str(loop.landing / "large.parquet"), dataset="large")
        assert (list(loop.store.keys("")), loop.unfinished()) == ([], [])
        assert loop.snapshot("2013-01")["summary"]["new"] is True
        assert loop.torn() == []


def test_a_disk_that_fills_up_during_training_leaves_no_candidate(old: Loop, lived: Lived, monkeypatch: Any) -> None:
    before = old.pointers()
    with monkeypatch.context() as patch:
        calls = RecordedOs(patch, old.folder)
        calls.fail("write .tmp/*", errno.ENOSPC)
        with pytest.raises(StoreNotWritable, match="No space left"):
            old.train(lived.january["good"], random_state=1)
    assert (old.pointers(), old.unfinished(), old.torn()) == (before, [], [])
    assert old.train(lived.january["good"], random_state=1)["summary"]["cached"] is False


def test_a_read_only_store_is_retried_and_answers_what_it_knows(old: Loop, lived: Lived, monkeypatch: Any) -> None:
    before = old.pointers()
    writes: list[Call] = [
        lambda it, _: it.snapshot("2013-03"),
        lambda it, was: it.train(was.january["good"], random_state=1),
        lambda it, was: it.register(was.february["model"], evaluation=was.february["judged"], name="fresh"),
        lambda it, was: it.promote(was.february["version"]),
    ]
    for write in writes:
        with monkeypatch.context() as patch:
            for call in ("open .tmp/*", "mkdir .tmp"):
                RecordedOs(patch, old.folder).fail(call, *[errno.EROFS] * 9)
            with pytest.raises(StoreNotWritable, match="Read-only file system"):
                write(old, lived)
            assert old.train(lived.january["good"])["summary"]["cached"] is True
    assert (old.pointers(), old.torn()) == (before, [])
    assert old.promote(lived.february["version"])["summary"]["version"] == 2


def test_a_store_out_of_reach_is_left_to_airflows_retries(loop: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    extra = {"endpoint_url": "http://127.0.0.1:1", "region_name": "us-east-1"}
    connection = {"conn_type": "aws", "login": "key", "password": "canary-4711", "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", json.dumps(connection))
    loop.uri = "s3://models/stoker"
    with pytest.raises(StoreUnavailable) as failure:
        loop.promote(1)
    assert failure.value.retryable
    assert "canary-4711" not in str(failure.value)


def test_a_store_whose_address_is_wrong_is_refused(loop: Loop) -> None:
    for uri in ("ftp://x", "file://relative/x", "s3://key:secret@bucket/x", "models"):
        loop.uri = uri
        with pytest.raises(AirflowFailException, match=r"ConfigurationError: .*address") as failure:
            loop.promote(1)
        assert "secret" not in str(failure.value)


# Promotion


def test_a_version_that_is_not_there_is_not_promoted(old: Loop) -> None:
    with refused(old, "NotFound: Version 9 of model 'late' must exist"):
        old.promote(9)
    with refused(old, "NotFound: Model 'nobody' must exist"):
        old.promote(1, name="nobody")


def test_a_version_without_a_verdict_is_not_promoted(old: Loop, lived: Lived) -> None:
    version = old.register(lived.january["model"], name="unjudged")
    with refused(old, "GateFailed: "):
        old.promote(version, name="unjudged")
    assert old.promote(version, name="unjudged", require_verdict=False)["summary"]["version"] == 1


def test_a_blocked_version_is_not_promoted(old: Loop, lived: Lived) -> None:
    old.registry.block("late", 2, actor=ACTOR, reason="worse")
    with refused(old, "VersionBlocked: .*unblock it"):
        old.promote(lived.february["version"])
    old.registry.unblock("late", 2, actor=ACTOR, reason="a mistake")
    assert old.promote(lived.february["version"])["summary"]["version"] == 2


def test_a_champion_that_moved_after_the_evaluation_is_not_overrun(old: Loop, lived: Lived) -> None:
    other = old.train(lived.january["good"], random_state=1)
    third = old.register(other)
    old.promote(third, require_verdict=False)
    with refused(old, "PromotionConflict: .*must point at version 1; it points at version 3"):
        old.promote(lived.february["version"])
    assert old.promote(lived.february["version"], expected_version="3")["summary"]["previous"] == 3


def test_there_must_be_something_to_go_back_to(old: Loop) -> None:
    with refused(old, "NotFound: .*nothing to go back to"):
        old.rollback()
    with refused(old, "NotFound: .*must be set"):
        old.rollback(alias="shadow")
    with refused(old, "NotFound: .*version 2"):
        old.rollback(version=2)
