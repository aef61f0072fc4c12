"""Golden rows: a few held-out rows with what the model said about them when it was trained."""

from __future__ import annotations

import io
import math

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from stoker.engines.metrics import Array, Output

MAX_ROWS = 32

# No dataset has such column names: canonical tables come from files whose columns people name.
_LABEL = "stoker:label"
_SCORE = "stoker:score:"


def golden_rows(features: pa.Table, output: Output, random_state: int) -> bytes:
    """A seeded sample of at most 32 rows with their predictions, as Parquet.

    :param features: the features of the held-out rows, in canonical form.
    :param output: what the model says about them.
    """
    count = features.num_rows
    rows = np.sort(np.random.default_rng(random_state).choice(count, min(count, MAX_ROWS), replace=False))
    table, chosen = features.take(pa.array(rows)), output.take(rows)
    table = table.append_column(_LABEL, pa.array(chosen.labels))
    if chosen.scores is not None:
        scores = chosen.scores.reshape(len(rows), -1)
        for number in range(scores.shape[1]):
            table = table.append_column(f"{_SCORE}{number}", pa.array(scores[:, number]))
    buffer = io.BytesIO()
    pq.write_table(table, buffer)
    return buffer.getvalue()


def read_golden(data: bytes) -> tuple[pa.Table, Output]:
    """The inverse of :func:`golden_rows`; whether the scores were probabilities is not kept."""
    table = pq.read_table(io.BytesIO(data))
    scores = [name for name in table.column_names if name.startswith(_SCORE)]
    features = table.drop_columns([*scores, _LABEL])
    columns = np.column_stack([table.column(name).to_numpy() for name in scores]) if scores else None
    if columns is not None and columns.shape[1] == 1:
        columns = columns[:, 0]
    return features, Output(table.column(_LABEL).to_numpy(), columns)


def deviation(expected: Output, found: Output) -> float:
    """The largest relative difference between two outputs; infinite when classes differ or one has no scores.

    Relative to the larger of 1 and the expected number, so that regressions in millions are judged alike.
    """
    if expected.labels.shape != found.labels.shape:
        return math.inf
    if expected.scores is None or found.scores is None:
        if expected.scores is not found.scores:
            return math.inf
        if np.issubdtype(expected.labels.dtype, np.integer):
            return 0.0 if np.array_equal(expected.labels, found.labels) else math.inf
        return _relative(expected.labels, found.labels)
    if expected.scores.shape != found.scores.shape:
        return math.inf
    return _relative(expected.scores, found.scores)


def _relative(expected: Array, found: Array) -> float:
    return float(np.max(np.abs(expected - found) / np.maximum(1.0, np.abs(expected)), initial=0.0))
