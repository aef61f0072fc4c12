"""The rows and columns that a model is trained on: looked up, checked, and read with the history that belongs to them."""

from __future__ import annotations

import difflib
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from sklearn.base import is_classifier, is_regressor
from sklearn.utils.multiclass import type_of_target

from stoker.core import memory
from stoker.core.records import Reference
from stoker.engines import footprints
from stoker.engines.frames import read_table, row_hashes, to_frame
from stoker.engines.metrics import BINARY, MULTICLASS, REGRESSION, Array
from stoker.engines.splitting import Split
from stoker.errors import DataValidationFailed, ModelError, SchemaMismatch, UnsuitableData, UsageError
from stoker.store import layout
from stoker.store.base import ObjectStore
from stoker.store.documents import get_document
from stoker.store.partitions import last_pointer, partitions, usable_stage

log = logging.getLogger(__name__)

MIN_ROWS = 20
"""Fewer rows in the partition are no basis for a model and its holdout."""


@dataclass(frozen=True)
class Given:
    """The datasets of a training, the given partition last.

    :param digests: of the dataset documents.
    :param documents: their contents, in the same order.
    :param validations: digest of the validation that the given dataset came through, if it came through one.
    """

    digests: tuple[str, ...]
    documents: tuple[dict[str, Any], ...]
    validations: tuple[str, ...]


@dataclass(frozen=True)
class Columns:
    """Which column plays which part.

    :param types: column name to type, of the given partition.
    """

    target: str
    features: tuple[str, ...]
    time: str | None
    types: Mapping[str, str]

    def wanted(self) -> list[str]:
        """What of a table becomes a data frame."""
        return list(dict.fromkeys([*self.features, self.target, *([self.time] if self.time else [])]))


@dataclass(frozen=True)
class Rows:
    """Rows to train on: features, target, the hash of each whole row, and its time if it has one."""

    frame: pd.DataFrame
    y: Array
    hashes: Array
    times: pd.Series[Any] | None


@dataclass(frozen=True)
class TrainingData:
    """Everything read.

    :param current_table: the given partition, whole.
    :param current: its features, target and time as a data frame.
    :param earlier: features, target and time of the earlier partitions together; ``None`` without history.
    :param hashes: one hash for each row of ``earlier``, then of ``current``.
    """

    columns: Columns
    current_table: pa.Table
    current: pd.DataFrame
    earlier: pd.DataFrame | None
    hashes: Array

    def target(self) -> pd.Series[Any]:
        """The target of all rows read: a class may occur in history alone."""
        parts = [frame[self.columns.target] for frame in (self.earlier, self.current) if frame is not None]
        target: pd.Series[Any] = pd.concat(parts, ignore_index=True)
        return target

    def training_rows(self, parts: Split) -> Rows:
        """The rows to train on: history that is older than the holdout, then the training part of the partition."""
        features, target = list(self.columns.features), self.columns.target
        positions = parts.train
        if self.earlier is None:
            rows, hashes = self.current.iloc[positions], self.hashes[positions]
        else:
            history = self._older_history(self.earlier, parts)
            rows = pd.concat([self.earlier.iloc[history], self.current.iloc[positions]], ignore_index=True)
            hashes = self.hashes[np.concatenate([history, positions + len(self.earlier)])]
        times = rows[self.columns.time] if self.columns.time else None
        return Rows(rows[features], rows[target].to_numpy(), hashes, times)

    def _older_history(self, earlier: pd.DataFrame, parts: Split) -> Array:
        if parts.boundary is None or self.columns.time is None:
            return np.arange(len(earlier))
        times = earlier[self.columns.time]
        older = np.flatnonzero((times < parts.boundary).to_numpy())
        if len(older) < len(earlier):
            log.warning("Left out %d rows of history that are not older than the holdout.", len(earlier) - len(older))
        return older[np.argsort(times.to_numpy()[older], kind="stable")]


def resolve_dataset(store: ObjectStore, reference: Reference, history: int | str | None) -> Given:
    """The dataset documents of a training.

    :param reference: of kind ``dataset`` or ``validation``.
    :param history: the number of earlier partitions, ``"all"`` or ``None``.
    :raises DataValidationFailed: when the validation let nothing through.
    :raises UsageError: when history is neither.
    """
    digest, validations = follow(store, reference)
    document = get_document(store, digest, "dataset")
    earlier = _earlier(store, document, history)
    documents = [get_document(store, one, "dataset") for one in earlier]
    return Given((*earlier, digest), (*documents, document), validations)


def newest_of(store: ObjectStore, dataset: str) -> Reference:
    """The newest partition of a dataset whose rows may be used.

    :raises UnsuitableData: when the dataset has none.
    """
    pointer = last_pointer(store, dataset, usable_stage(store, dataset))
    if pointer is None:
        raise UnsuitableData(
            f"The dataset {dataset!r} must have a partition that may be used; {store.uri} has none. Take a snapshot first."
        )
    kind = "validation" if "validation" in pointer else "dataset"
    digest = pointer.get("validation", pointer["snapshot"])
    return Reference(kind, f"{store.uri}/{layout.blob(digest)}", digest, "pass", {"partition": pointer["partition"]})


def follow(store: ObjectStore, reference: Reference) -> tuple[str, tuple[str, ...]]:
    """The digest of the dataset that a reference means, and of the validation that it came through.

    :raises DataValidationFailed: when the validation let nothing through.
    :raises UsageError: when the reference is of another kind.
    """
    if reference.kind not in {"dataset", "validation"}:
        raise UsageError(f"A reference of dataset or validation is needed here; got one of kind {reference.kind!r}.")
    document = get_document(store, reference.digest, "dataset", "validation")
    if document["kind"] == "dataset":
        return reference.digest, ()
    if document["ok"] is None:
        reasons = " ".join(document["verdict"]["reasons"])[:500]
        raise DataValidationFailed(f"The dataset must pass its validation before it is used; it did not: {reasons}")
    return document["ok"], (reference.digest,)


def resolve_columns(
    documents: Sequence[Mapping[str, Any]],
    target: str,
    features: Sequence[str] | None,
    id_columns: Sequence[str],
    time_column: str | None,
) -> Columns:
    """Give every column its part, from the documents alone.

    :raises UsageError: when a column plays two parts.
    :raises UnsuitableData: when a column is missing, or empty from top to bottom.
    :raises SchemaMismatch: when an earlier partition lacks a column, or has it in another type.
    """
    current = documents[-1]
    types = {column["name"]: column["type"] for column in current["columns"]}
    time = time_column or current["time_column"]
    _require(types, [target, *(features or ()), *id_columns, *([time] if time else [])], current)
    if features is None:
        apart = {target, time, *id_columns}
        features = [name for name in sorted(types) if name not in apart]
    if target in features:
        raise UsageError(f"The target must not be one of the features; {target!r} is. Take it out of features.")
    if len(set(features)) != len(features) or not features:
        raise UsageError(f"features must name at least one column, each once; got {list(features)}.")
    if time and types[time] != "timestamp":
        raise UnsuitableData(
            f"The time column must hold timestamps; {time!r} holds {types[time]}. Convert it in the source."
        )
    columns = Columns(target, tuple(features), time, types)
    _check_history(documents, columns)
    return columns


def load(store: ObjectStore, given: Given, columns: Columns) -> TrainingData:
    """Read the rows and check the target.

    :raises DataTooLarge: when this process has no room to train on them; nothing is read then.
    :raises UnsuitableData: when there are too few rows, or the target has missing or infinite values.
    """
    _require_room(given, columns)
    tables = [read_table(store, document) for document in given.documents]
    for document, table in zip(given.documents, tables, strict=True):
        log.info("Read %d rows of %s %s.", table.num_rows, document["dataset"], document["partition"] or "")
    hashed = tables[-1].column_names
    hashes = [row_hashes(table.select([name for name in hashed if name in table.column_names])) for table in tables]
    wanted = columns.wanted()
    narrow = [table.select(wanted) for table in tables]
    current = to_frame(narrow[-1])
    earlier = to_frame(pa.concat_tables(narrow[:-1], promote_options="permissive")) if narrow[:-1] else None
    if len(current) < MIN_ROWS:
        raise UnsuitableData(f"A partition to train on needs at least {MIN_ROWS} rows; this one has {len(current)}.")
    for frame in (current, earlier):
        if frame is not None:
            _check_target(frame[columns.target], columns.target)
    return TrainingData(columns, tables[-1], current, earlier, np.concatenate(hashes))


def _require_room(given: Given, columns: Columns) -> None:
    """Rows of all partitions are held as tables, for their hashes, and as data frames, to train on."""
    tables = sum(footprints.document(document) for document in given.documents)
    frames = sum(footprints.described_frame(document, columns.wanted()) for document in given.documents)
    rows = sum(document["rows"] for document in given.documents)
    memory.require(round(tables + frames * footprints.TRAINING), f"A training on {rows} rows")


def describe_task(estimator: Any, y: pd.Series[Any], target: str) -> str:
    """``binary``, ``multiclass`` or ``regression``, from the estimator and the target.

    :raises UnsuitableData: when the two do not fit, or there is only one class.
    :raises ModelError: when the estimator is neither a classifier nor a regressor.
    """
    numeric = y.dtype != object
    if is_regressor(estimator):
        if not numeric:
            raise UnsuitableData(
                f"A regressor needs a number as its target; {target!r} holds {y.dtype}. Use a classifier."
            )
        return REGRESSION
    if not is_classifier(estimator):
        raise ModelError(f"The estimator must be a classifier or a regressor; {type(estimator).__name__} is neither.")
    kind = type_of_target(y.to_numpy())
    if kind == "continuous":
        raise UnsuitableData(f"A classifier needs classes as its target; {target!r} holds fractions. Use a regressor.")
    count = y.nunique()
    if count < 2:
        raise UnsuitableData(
            f"The target {target!r} must have at least two classes; all rows have {y[:1].tolist()[0]!a}."
        )
    return BINARY if count == 2 else MULTICLASS


def _earlier(store: ObjectStore, document: Mapping[str, Any], history: int | str | None) -> list[str]:
    if history is None or history == 0:
        return []
    if history != "all" and (isinstance(history, bool) or not isinstance(history, int) or history < 0):
        raise UsageError(f"history must be a number of partitions, 'all' or None; got {history!r}.")
    partition = document["partition"]
    if partition is None:
        raise UsageError(f"history needs a dataset with partitions; {document['dataset']!r} has none.")
    known = partitions(store, document["dataset"], document["stage"], until=partition)
    before = [digest for name, digest in known if name < partition]
    return before if history == "all" else before[-int(history) :]


def _require(types: Mapping[str, str], wanted: Sequence[str], document: Mapping[str, Any]) -> None:
    missing = [name for name in dict.fromkeys(wanted) if name not in types]
    if missing:
        near = {name: difflib.get_close_matches(name, types, n=2) for name in missing}
        hints = "; ".join(f"{name!r} (near: {', '.join(found) or 'nothing'})" for name, found in near.items())
        raise UnsuitableData(f"The dataset {document['dataset']!r} must have the columns asked for; missing: {hints}.")


def _check_history(documents: Sequence[Mapping[str, Any]], columns: Columns) -> None:
    wanted = [columns.target, *columns.features, *([columns.time] if columns.time else [])]
    wrong = []
    for document in documents[:-1]:
        types = {column["name"]: column["type"] for column in document["columns"]}
        for name in wanted:
            expected, found = columns.types[name], types.get(name)
            if found != expected and {found, expected} != {"int64", "float64"}:
                wrong.append(f"{document['partition']}: {name} is {found or 'missing'}, not {expected}")
    if wrong:
        raise SchemaMismatch(
            f"Earlier partitions must have the columns of this one; they differ: {'; '.join(wrong[:20])}. Choose a smaller history."
        )


def _check_target(y: pd.Series[Any], target: str) -> None:
    wrong = int(y.isna().sum())
    if y.dtype.kind == "f":
        wrong = int((~np.isfinite(y)).sum())
    if wrong:
        raise UnsuitableData(
            f"Every row needs a target; {wrong} of {len(y)} rows of {target!r} have none, NaN or infinity. Quarantine them with an "
            "expectation, or leave them out in the source."
        )
