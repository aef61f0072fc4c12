"""The validations of a run as one: exactly what one validation of all rows would count."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stoker.core.records import Reference
from stoker.engines.snapshots import snapshot
from stoker.engines.validation import validate
from stoker.loop.intake import taken_in
from stoker.store.memory import MemoryStore

ROWS = 60
TABLE = pa.table({
    "id": range(ROWS),
    "n": [-1 if row % 7 == 0 else row for row in range(ROWS)],
    "code": ["?" if row % 5 == 0 else None if row % 11 == 0 else "a" for row in range(ROWS)],
})
EXPECTATIONS = [
    {"type": "expect_column_values_to_be_between", "kwargs": {"column": "n", "min_value": 0}},
    {"type": "expect_column_values_to_be_in_set", "kwargs": {"column": "code", "value_set": ["a"]}},
    {"type": "expect_column_values_to_not_be_null", "kwargs": {"column": "code"}, "severity": "warning"},
]


def validated(store: MemoryStore, begin: int, end: int) -> Reference:
    raw = snapshot(store, source="test", table=TABLE.slice(begin, end - begin), dataset="d", partition=f"p{begin:02d}")
    return validate(store, raw, expectations=EXPECTATIONS, on_failure="quarantine", max_quarantine_share=1.0)


@pytest.fixture(scope="module")
def whole() -> dict[str, Any]:
    return taken_in([validated(MemoryStore(), 0, ROWS)])


@settings(max_examples=3, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(cuts=st.sets(st.integers(1, ROWS - 1), min_size=1, max_size=3).map(sorted))
def test_partitions_add_up_to_their_rows_together(whole: dict[str, Any], cuts: list[int]) -> None:
    store = MemoryStore()
    parts = [validated(store, begin, end) for begin, end in zip([0, *cuts], [*cuts, ROWS], strict=True)]
    together = taken_in(parts)
    assert together["partitions"] == len(parts)
    for name in ("rows_in", "rows_ok", "rows_quarantined"):
        assert together[name] == whole[name]
    assert together["rows_in"] == together["rows_ok"] + together["rows_quarantined"] == ROWS
    assert together["rows_quarantined"] == sum(row % 7 == 0 or row % 5 == 0 for row in range(ROWS))


def reference(verdict: str, reason: str, rows: int) -> Reference:
    counts = {"rows_in": rows, "rows_ok": rows - 1, "rows_quarantined": 1}
    return Reference("validation", "", "", verdict, {**counts, "reasons": [reason]})


def test_one_partition_that_fails_fails_them_all_and_is_named_first() -> None:
    together = taken_in([reference("pass", "Good.", 10), reference("fail", "Bad.", 5), reference("pass", "Fine.", 1)])
    assert together == {
        "verdict": "fail",
        "partitions": 3,
        "rows_in": 16,
        "rows_ok": 13,
        "rows_quarantined": 3,
        "reasons": ["Bad.", "Good.", "Fine."],
    }
