"""Predictions and the labels that came for them, joined by their ids straight from the stored files."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from stoker.engines.canonical import canonical, data_id
from stoker.engines.environment import thread_limit
from stoker.engines.frames import stored_file, to_frame
from stoker.engines.scans import connect
from stoker.engines.schemas import UNKNOWN, mismatch, schema_of_document
from stoker.errors import UnsuitableData
from stoker.loop.cohorts import Cohort
from stoker.store import partitions
from stoker.store.base import ObjectStore
from stoker.store.documents import get_document, get_file
from stoker.store.files import scratch

if TYPE_CHECKING:
    import duckdb
    import pandas as pd

log = logging.getLogger(__name__)

Array = npt.NDArray[Any]

_SHOWN = 64  # texts in the profile of a dataset document are cut to this length
_NUMBERS = {"int64", "float64"}

Labels = str | Sequence[Mapping[str, Any]]
"""The name of a dataset, whose current partitions all count, or dataset documents."""


@dataclass(frozen=True)
class Shadow:
    """What another version said about the same rows.

    :param version: its number.
    """

    version: int
    prediction: pd.Series[Any]
    score: Array


@dataclass(frozen=True)
class Joined:
    """Predictions with their labels, in the order of their ids.

    :param cohort: the position of each row's cohort in the list that was given.
    :param prediction: the predicted class or value.
    :param score: the score, NaN where the model has none.
    :param label: the label; it counts where there is exactly one answer.
    :param answers: how many different labels each row has.
    :param data_id: the content id of all of it.
    :param shadow: the version that scored all of the rows beside; ``None`` when there is none, or not one for all cohorts.
    """

    cohort: Array
    prediction: pd.Series[Any]
    score: Array
    label: pd.Series[Any]
    answers: Array
    data_id: str
    shadow: Shadow | None = None

    @property
    def labelled(self) -> Array:
        """Which rows have a label."""
        found: Array = self.answers == 1
        return found


def join_labels(
    store: ObjectStore,
    cohorts: Sequence[Cohort],
    *,
    labels: Labels,
    label_column: str,
    id_columns: Sequence[str],
    max_threads: int | None = None,
) -> Joined:
    """Find the label of every prediction. The answer depends on what labels there are, not on how or when they came.

    Equal labels of one id count once. Of contradicting ones the newest by the time column of the labels counts; without one, or when the
    newest contradict each other, the row has several answers. Files whose ids lie out of range are not fetched.

    :param cohorts: at least one.
    :param id_columns: tell predictions apart over all cohorts given.
    :param max_threads: threads of DuckDB; those that the process may use without it. Beyond 1 GB it goes to disk.
    :raises SchemaMismatch: when columns are missing, or ids are of another type than those of the predictions.
    :raises UnsuitableData: when the same id stands in two cohorts.
    """
    documents = _label_documents(store, cohorts, labels, label_column, id_columns)
    log.info("Joining %d cohorts with %d files of labels.", len(cohorts), len(documents))
    ids, shadow = _columns(id_columns), _shadow(cohorts)
    said = _SAID if shadow is None else f"{_SAID}, {_SAID_BESIDE}"
    with scratch() as folder, connect(folder, thread_limit(max_threads)) as database:
        predicted = [
            f"SELECT {ids}, {said}, {number} AS __cohort FROM {_file(store, cohort.document, folder)}"  # noqa: S608 - all quoted
            for number, cohort in enumerate(cohorts)
        ]
        labelled = [_labelled(store, document, ids, label_column, folder) for document in documents]
        database.execute(f"CREATE VIEW predicted AS {' UNION ALL '.join(predicted)}")
        database.execute(f"CREATE VIEW labelled AS {' UNION ALL '.join(labelled) or _NO_LABELS.format(ids=ids)}")
        _require_one_prediction(database, id_columns)
        table = canonical(database.sql(_JOIN.format(ids=ids, said=said)).to_arrow_table())
    frame = to_frame(table)
    return Joined(
        cohort=frame["__cohort"].to_numpy(),
        prediction=frame["prediction"],
        score=frame["score"].to_numpy(dtype=np.float64),
        label=frame["__label"],
        answers=frame["__answers"].to_numpy(),
        data_id=data_id(table),
        shadow=None if shadow is None else _said_beside(shadow, frame),
    )


_SAID, _SAID_BESIDE = "prediction, score", "shadow_prediction, shadow_score"


def _shadow(cohorts: Sequence[Cohort]) -> int | None:
    """The one version that scored all cohorts beside."""
    shadows = {cohort.shadow for cohort in cohorts}
    return shadows.pop() if len(shadows) == 1 else None


def _said_beside(version: int, frame: pd.DataFrame) -> Shadow:
    return Shadow(version, frame["shadow_prediction"], frame["shadow_score"].to_numpy(dtype=np.float64))


_NO_LABELS = "SELECT {ids}, NULL::VARCHAR AS __label, NULL::TIMESTAMPTZ AS __given FROM predicted WHERE false"

_JOIN = """
    WITH newest AS (
        SELECT {ids}, __label FROM labelled SEMI JOIN predicted USING ({ids})
        QUALIFY rank() OVER (PARTITION BY {ids} ORDER BY __given DESC NULLS LAST) = 1
    ),
    answered AS (SELECT {ids}, min(__label) AS __label, count(DISTINCT __label) AS __answers FROM newest GROUP BY {ids})
    SELECT {ids}, __cohort, {said}, __label, coalesce(__answers, 0) AS __answers
    FROM predicted LEFT JOIN answered USING ({ids}) ORDER BY {ids}
"""


def _label_documents(
    store: ObjectStore, cohorts: Sequence[Cohort], labels: Labels, label_column: str, id_columns: Sequence[str]
) -> list[Mapping[str, Any]]:
    """The documents that may hold labels of the cohorts."""
    given = labels
    if isinstance(given, str):
        given = [get_document(store, digest, "dataset") for _, digest in partitions.usable_partitions(store, given)]
    first, *others = (cohort.document for cohort in cohorts)
    wanted = schema_of_document(first)
    problems = [
        f"{document['dataset']} {document['partition'] or partitions.WHOLE}: {problem}"
        for document in (*others, *given)
        for name in id_columns
        for problem in _differs(name, wanted, schema_of_document(document))
    ]
    if given and not any(label_column in schema_of_document(document) for document in given):
        problems.append(f"no partition of the labels has the column {label_column!r}")
    if problems:
        raise mismatch("Predictions and labels must have the same id columns, and labels the label column", problems)
    return [
        document
        for document in given
        # A column that is empty, or not there yet, has nothing to say.
        if schema_of_document(document).get(label_column, UNKNOWN) != UNKNOWN
        and any(_may_share(document, cohort.document, id_columns) for cohort in cohorts)
    ]


def _differs(name: str, predicted: Mapping[str, str], labelled: Mapping[str, str]) -> list[str]:
    if name not in predicted:
        return [f"column {name!r} is missing in the predictions"]
    if name not in labelled:
        return [f"column {name!r} is missing"]
    types = {predicted[name], labelled[name]} - {UNKNOWN}
    if len(types) < 2 or types <= _NUMBERS:
        return []
    return [f"column {name!r} must be {predicted[name]}, as in the predictions; it is {labelled[name]}"]


def _may_share(labels: Mapping[str, Any], predictions: Mapping[str, Any], id_columns: Sequence[str]) -> bool:
    """Whether the ranges of all ids overlap, as far as the documents tell; files that share no id are not fetched."""
    theirs, ours = ({column["name"]: column for column in one["columns"]} for one in (labels, predictions))
    return all(_overlap(theirs[name], ours[name]) for name in id_columns)


def _overlap(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    if one["min"] is None or other["min"] is None:  # an empty column
        return False
    low, high = max(one["min"], other["min"]), min(one["max"], other["max"])
    return low <= high or (isinstance(high, str) and len(high) >= _SHOWN)  # a text that was cut stands for longer ones


def _labelled(store: ObjectStore, document: Mapping[str, Any], ids: str, label_column: str, folder: Path) -> str:
    label, given = _columns([label_column]), document["time_column"]
    moment = "NULL" if given is None else _columns([given])
    return (
        f"SELECT {ids}, {label} AS __label, CAST({moment} AS TIMESTAMPTZ) AS __given "  # noqa: S608 - all quoted
        f"FROM {_file(store, document, folder)} WHERE {label} IS NOT NULL"
    )


def _require_one_prediction(database: duckdb.DuckDBPyConnection, id_columns: Sequence[str]) -> None:
    ids = _columns(id_columns)
    doubled = database.sql(f"SELECT 1 FROM predicted GROUP BY {ids} HAVING count(*) > 1").fetchall()  # noqa: S608 - all quoted
    if doubled:
        raise UnsuitableData(
            f"The ids {', '.join(id_columns)} must tell predictions apart over all cohorts that are judged together; {len(doubled)} stand "
            "there more than once. Add the column that tells the cohorts apart, or judge one cohort at a time.",
            doubled=len(doubled),
        )


def _file(store: ObjectStore, document: Mapping[str, Any], folder: Path) -> str:
    """The rows of a dataset document as a table of DuckDB, checked against their digest."""
    sha256 = stored_file(document).sha256
    path = Path(folder, f"{sha256}.parquet")
    if not path.exists():
        get_file(store, sha256, path, f"The rows of dataset {document['dataset']!r}")
    return f"read_parquet({_quoted(str(path), _TEXT)})"


_TEXT, _NAME = "'", '"'


def _columns(names: Sequence[str]) -> str:
    return ", ".join(_quoted(name, _NAME) for name in names)


def _quoted(text: str, mark: str) -> str:
    return mark + text.replace(mark, 2 * mark) + mark
