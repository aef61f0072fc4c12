"""Predictions of one partition by one version, each id exactly once."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from stoker.core import clock as time
from stoker.core.records import Reference
from stoker.engines.canonical import TYPES
from stoker.engines.environment import thread_limit
from stoker.engines.frames import store_table, stored_file, to_frame
from stoker.engines.metrics import MULTICLASS, REGRESSION, Output
from stoker.engines.persistence import load_model
from stoker.engines.prediction import predict
from stoker.engines.schemas import UNKNOWN, mismatch, schema_of_document
from stoker.errors import StokerError, UnsuitableData, UsageError
from stoker.loop.cohorts import STAGE
from stoker.store import layout, partitions
from stoker.store.base import ObjectStore
from stoker.store.documents import get_bytes, get_document, get_file
from stoker.store.files import scratch

log = logging.getLogger(__name__)

_OWN_COLUMNS = ("prediction", "score", "version", "shadow_prediction", "shadow_score", "shadow_version")
_NUMBERS = {"int64", "float64"}

Shadow = tuple[Mapping[str, Any], int]
"""Manifest and number of a version that scores the same rows without consequence."""


def score(
    store: ObjectStore,
    *,
    model_name: str,
    version: Mapping[str, Any],
    version_number: int,
    dataset_digest: str,
    id_columns: Sequence[str],
    time_column: str | None = None,
    shadow: Shadow | None = None,
    trusted: Iterable[str] = (),
    batch_rows: int = 100_000,
    max_threads: int | None = None,
    origin: str | None = None,
    clock: time.Clock = time.system_clock,
) -> Reference:
    """Predict every row of a snapshot and let the partition of the model's predictions mean the result.

    The result is a dataset named as the model, of stage ``predictions``, under the partition that was scored: id columns, time column,
    ``prediction`` (class or value), ``score`` (binary: of the positive class; regression: the value; multiclass: of the predicted class;
    missing when the model has no scores), ``version``, and the same of the shadow. One pointer makes all of it visible at once, so a
    process that dies leaves the earlier predictions in place, and a repeated call replaces its own partition alone. What the partition
    means already is not computed again.

    Features are read in batches; ids and predictions of the whole partition are held in memory. A shadow that fails is left out and named
    in the summary; one that takes the process down takes the champion's predictions along.

    :param version: the manifest of the version that scores; its model file is compared with its digest before it is loaded.
    :param dataset_digest: of the dataset document of the rows.
    :param id_columns: together unique and never missing. They should tell predictions apart over all partitions, for labels are joined
        by them.
    :param time_column: the time that a row belongs to; by default that of the dataset, if it has one.
    :param trusted: types beyond Stoker's own list that model files may hold.
    :param batch_rows: rows that are predicted at once.
    :param max_threads: threads of the numeric libraries; those that the process may use without it.
    :param origin: the task that does it, as :attr:`~stoker.core.records.Actor.origin`; kept for whoever follows the lineage.
    :returns: a reference of kind ``predictions``; ``summary["new"]`` tells whether anything was written.
    :raises SchemaMismatch: when feature columns are missing or of another type; all of them are named.
    :raises UnsuitableData: when an id is missing or stands there twice.
    :raises UsageError: when a column plays two parts, or the partition holds predictions of another dataset.
    """
    document = get_document(store, dataset_digest, "dataset")
    job = _Job(store, model_name, document, tuple(id_columns), time_column or document["time_column"], tuple(trusted))
    job.check(version["candidate"])
    made_by = {
        "model": model_name,
        "version": version_number,
        "model_file": version["files"]["model.skops"]["sha256"],
        "dataset": document["dataset"],
        "id_columns": list(job.id_columns),
        "shadow_version": shadow[1] if shadow else None,
        "shadow_failure": None,
    }
    digest, standing = _standing(store, model_name, document, dataset_digest, made_by, job.time_column)
    if standing is not None:
        log.info("Partition %s is scored by v%d already.", _place(document), version_number)
        return _reference(store, digest, standing, version_number, new=False, rate=None)
    started = perf_counter()
    with threadpool_limits(thread_limit(max_threads)):
        table, made_by["shadow_failure"] = job.run(version, version_number, shadow, batch_rows)
    digest, stored = store_table(
        store,
        table,
        dataset=model_name,
        partition=document["partition"],
        stage=STAGE,
        time_column=job.time_column,
        source=[made_by],
        parent=dataset_digest,
    )
    rate = stored["rows"] / max(perf_counter() - started, 1e-9)
    new = partitions.point(
        store,
        dataset=model_name,
        stage=STAGE,
        partition=document["partition"],
        snapshot=digest,
        data_id=stored["data_id"],
        origin=origin,
        clock=clock,
    )
    log.info("Scored %d rows with %s v%d, %.0f rows/s.", stored["rows"], model_name, version_number, rate)
    return _reference(store, digest, stored, version_number, new=new, rate=rate)


class _Job:
    """One snapshot and the parts that its columns play."""

    def __init__(
        self,
        store: ObjectStore,
        model_name: str,
        document: Mapping[str, Any],
        id_columns: tuple[str, ...],
        time_column: str | None,
        trusted: tuple[str, ...],
    ) -> None:
        self._store = store
        self._model_name = model_name
        self._document = document
        self.id_columns = id_columns
        self.time_column = time_column
        self._trusted = trusted
        self._types = schema_of_document(document)

    def check(self, candidate: Mapping[str, Any]) -> None:
        """Refuse what cannot be scored, before a row is read.

        :raises SchemaMismatch: naming every column that does not fit.
        """
        kept = [*self.id_columns, *([self.time_column] if self.time_column else [])]
        if not self.id_columns or len(set(kept)) < len(kept) or set(kept) & set(_OWN_COLUMNS):
            raise UsageError(
                f"id_columns must name at least one column, each once, none of them the time column or {', '.join(_OWN_COLUMNS)}; "
                f"got {list(self.id_columns)} and the time column {self.time_column!r}."
            )
        problems = [f"column {name!r} is missing" for name in kept if name not in self._types]
        problems += [problem for feature in candidate["features"] for problem in self._differences(feature)]
        if problems:
            raise mismatch("The rows to score must have the columns of the model", problems)

    def _differences(self, feature: Mapping[str, str]) -> list[str]:
        name, wanted, found = feature["name"], feature["type"], self._types.get(feature["name"])
        if found is None:
            return [f"column {name!r} is missing"]
        # An empty column may have any type, and a column of integers becomes one of floats as soon as it misses a value.
        if found in {wanted, UNKNOWN} or {found, wanted} <= _NUMBERS:
            return []
        return [f"column {name!r} must be {wanted}; it is {found}"]

    def run(
        self, version: Mapping[str, Any], number: int, shadow: Shadow | None, batch_rows: int
    ) -> tuple[pa.Table, str | None]:
        """What is stored, and why the shadow is not in it if it failed."""
        failure = None
        with scratch() as folder:
            path = folder / "rows.parquet"
            what = f"The rows of dataset {self._document['dataset']!r}"
            get_file(self._store, stored_file(self._document).sha256, path, what)
            columns = self._keys(path) | self._predict(path, version, number, batch_rows)
            if shadow is not None:
                extra, failure = self._shadowed(path, shadow, batch_rows)
                columns |= extra
        return pa.table(columns), failure

    def _keys(self, path: Path) -> dict[str, Any]:
        """Ids and times of all rows.

        :raises UnsuitableData: when ids do not tell the rows apart.
        """
        with pq.ParquetFile(path) as file:
            table = file.read(columns=[*self.id_columns, *([self.time_column] if self.time_column else [])])
        ids = table.select(list(self.id_columns))
        missing = sum(column.null_count for column in ids.columns)
        doubled = ids.num_rows - ids.group_by(list(self.id_columns)).aggregate([]).num_rows
        if missing or doubled or not ids.num_rows:
            raise UnsuitableData(
                f"Every row to score needs an id of its own in {', '.join(self.id_columns)}; of {ids.num_rows} rows {missing} ids are "
                f"missing and {doubled} rows repeat an id. Name more id_columns, or mend the source.",
                missing=missing,
                doubled=doubled,
            )
        return {name: table.column(name) for name in table.column_names}

    def _predict(
        self, path: Path, version: Mapping[str, Any], number: int, batch_rows: int, prefix: str = ""
    ) -> dict[str, Any]:
        """The columns that a version adds."""
        candidate, data = version["candidate"], version["files"]["model.skops"]["sha256"]
        model = load_model(
            get_bytes(self._store, data, f"The model file of {self._model_name} v{number}"), trusted=self._trusted
        )
        parts: list[dict[str, Any]] = []
        done, rows, started = 0, self._document["rows"], perf_counter()
        for batch in self._batches(path, candidate["features"], batch_rows):
            output = predict(model, to_frame(batch), task=candidate["task"], classes=candidate["classes"])
            parts.append(_columns(output, candidate))
            done += batch.num_rows
            rate = done / max(perf_counter() - started, 1e-9)
            log.info("%s v%d: %d of %d rows, %.0f rows/s.", self._model_name, number, done, rows, rate)
        columns = {f"{prefix}{name}": pa.chunked_array([part[name] for part in parts]) for name in parts[0]}
        return {**columns, f"{prefix}version": pa.array(np.full(rows, number, dtype=np.int64))}

    def _shadowed(self, path: Path, shadow: Shadow, batch_rows: int) -> tuple[dict[str, Any], str | None]:
        """The columns of a shadow, or none and the reason why it has none."""
        manifest, number = shadow
        try:
            self.check(manifest["candidate"])
            return self._predict(path, manifest, number, batch_rows, "shadow_"), None
        except StokerError as error:
            if error.retryable:
                raise
            log.warning("The shadow v%d is left out: %s", number, error.message)
            return {}, f"{type(error).__name__}: {error.message}"

    def _batches(self, path: Path, features: Sequence[Mapping[str, str]], batch_rows: int) -> Iterator[pa.Table]:
        names = [feature["name"] for feature in features]
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=batch_rows, columns=names):
                table = pa.Table.from_batches([batch])
                yield pa.table({
                    name: _typed(table.column(name), wanted)
                    for name, wanted in ((feature["name"], feature["type"]) for feature in features)
                })


def _typed(column: pa.ChunkedArray, wanted: str) -> pa.ChunkedArray:
    """An empty column was stored as text, and the model wants what it was trained on."""
    if column.null_count == len(column) and column.type != TYPES[wanted]:
        return pa.chunked_array([pa.nulls(len(column), TYPES[wanted])])
    return column


def _columns(output: Output, candidate: Mapping[str, Any]) -> dict[str, Any]:
    """Predictions as the columns that are stored."""
    labels, scores = output.labels, output.scores
    if candidate["task"] == REGRESSION:
        values = pa.array(labels, type=pa.float64())
        return {"prediction": values, "score": values}
    classes = pa.array(candidate["classes"])
    if scores is not None and candidate["task"] == MULTICLASS and scores.ndim == 2:
        scores = scores[np.arange(len(labels)), labels]
    score = pa.nulls(len(labels), pa.float64()) if scores is None else pa.array(scores, type=pa.float64())
    return {"prediction": classes.take(pa.array(labels)), "score": score}


def _standing(
    store: ObjectStore,
    model_name: str,
    document: Mapping[str, Any],
    dataset_digest: str,
    made_by: Mapping[str, Any],
    time_column: str | None,
) -> tuple[str, dict[str, Any] | None]:
    """The predictions that the partition means, if they are those that are asked for.

    :raises UsageError: when they are of another dataset, which would be lost.
    """
    digest = partitions.newest(store, model_name, STAGE, document["partition"])
    if digest is None:
        return "", None
    found = get_document(store, digest, "dataset")
    if found["parent"] == dataset_digest:
        same = {**found["source"][0], "shadow_failure": None} == made_by and found["time_column"] == time_column
        return (digest, found) if same else ("", None)
    of = found["source"][0]["dataset"]
    if of != made_by["dataset"]:
        raise UsageError(
            f"The predictions of {model_name!r} for the partition {_place(document)!r} must be of one dataset; they are of "
            f"{of!r}, and {made_by['dataset']!r} would replace them. Give its partitions other names."
        )
    return "", None


def _place(document: Mapping[str, Any]) -> str:
    return document["partition"] or partitions.WHOLE


def _reference(
    store: ObjectStore, digest: str, document: Mapping[str, Any], number: int, *, new: bool, rate: float | None
) -> Reference:
    made_by = document["source"][0]
    reasons = [f"{document['rows']} rows of partition {_place(document)} by version {number}."]
    if made_by["shadow_failure"]:
        reasons.append(f"The shadow v{made_by['shadow_version']} is left out: {made_by['shadow_failure'][:300]}")
    return Reference(
        kind="predictions",
        uri=f"{store.uri}/{layout.blob(digest)}",
        digest=digest,
        verdict="pass",
        summary={
            "dataset": document["dataset"],
            "partition": document["partition"],
            "rows": document["rows"],
            "version": number,
            "shadow": made_by["shadow_version"],
            "new": new,
            "rows_per_second": None if rate is None else round(rate, 1),
            "reasons": reasons,
        },
    )
