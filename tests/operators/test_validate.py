"""The validation task: what a verdict does to the run, in each mode."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stoker.store.documents import get_document
from tests.operators.conftest import LABELLED, Lived, Loop, refused, twice
from tests.support.models import flights

LATE = {**LABELLED, "severity": "critical"}
NEVER = {"type": "expect_column_values_to_be_null", "kwargs": {"column": "late"}, "severity": "critical"}


@pytest.fixture
def spoilt(loop: Loop) -> dict[str, Any]:
    """A snapshot in which 12 of 1,200 rows have no label."""
    table = flights(1200)
    labels = pa.array([None if row < 12 else late for row, late in enumerate(table["late"].to_pylist())])
    path = loop.landing / "spoilt.parquet"
    pq.write_table(table.set_column(table.schema.get_field_index("late"), "late", labels), path)
    return loop.snapshot("2013-01", source=str(path))


def test_bad_rows_go_into_quarantine_and_the_rest_goes_on(loop: Loop, spoilt: dict[str, Any]) -> None:
    summary = loop.validate(spoilt, expectations=[LATE], on_failure="quarantine")["summary"]
    assert (summary["rows_in"], summary["rows_ok"], summary["rows_quarantined"]) == (1200, 1188, 12)
    assert get_document(loop.store, summary["quarantine"], "dataset")["rows"] == 12


def test_bad_data_fails_the_task_after_its_verdict_was_stored(loop: Loop, spoilt: dict[str, Any]) -> None:
    with refused(loop, "DataValidationFailed: .*12 of 1200 rows.*The whole result: file://"):
        loop.validate(spoilt, expectations=[LATE], on_failure="fail")
    published = loop.last.pushed["return_value"]
    assert get_document(loop.store, published["digest"], "validation")["verdict"]["outcome"] == "fail"


def test_too_much_quarantine_fails_the_task(loop: Loop, spoilt: dict[str, Any]) -> None:
    with refused(loop, "DataValidationFailed: .*at most 0.50% may be"):
        loop.validate(spoilt, expectations=[LATE], on_failure="quarantine", max_quarantine_share="0.005")


def test_data_that_failed_is_not_trained_on(loop: Loop, spoilt: dict[str, Any]) -> None:
    with refused(loop, "DataValidationFailed"):
        loop.validate(spoilt, expectations=[LATE], on_failure="fail")
    with refused(loop, "DataValidationFailed: The dataset must pass its validation"):
        loop.train(loop.last.pushed.get("return_value") or _published(loop, spoilt))


def _published(loop: Loop, data: dict[str, Any]) -> dict[str, Any]:
    return loop.validate(data, expectations=[LATE], on_failure="branch", if_failed=["aside"], if_passed=["after"])


def test_a_warning_lets_all_rows_through(loop: Loop, spoilt: dict[str, Any]) -> None:
    reference = loop.validate(spoilt, expectations=[LATE], on_failure="warn")
    assert (reference["verdict"], loop.last.skipped) == ("fail", [])
    assert get_document(loop.store, reference["summary"]["ok"], "dataset")["rows"] == 1200


def test_a_branch_is_taken_by_the_verdict(old: Loop, lived: Lived) -> None:
    branches = {"on_failure": "branch", "if_passed": ["after"], "if_failed": "aside"}
    good = old.validate(lived.january["data"], expectations=[LATE], **branches)
    assert (good["verdict"], old.last.skipped) == ("pass", ["aside"])
    bad = old.validate(lived.january["data"], expectations=[NEVER], **branches)
    assert (bad["verdict"], old.last.skipped) == ("fail", ["after"])


def test_a_retry_gives_the_same_validation(loop: Loop, spoilt: dict[str, Any]) -> None:
    twice(loop, lambda: loop.validate(spoilt, expectations=[LATE]))


def test_expectations_can_be_made_when_the_task_runs(old: Loop, lived: Lived) -> None:
    assert old.validate(lived.january["data"], expectations=lambda: [LATE])["verdict"] == "pass"


def test_values_of_personal_columns_are_masked(loop: Loop, spoilt: dict[str, Any]) -> None:
    known = {"type": "expect_column_values_to_be_in_set", "kwargs": {"column": "carrier", "value_set": ["WN"]}}
    reference = loop.validate(spoilt, expectations=[known], on_failure="warn", personal_columns=["carrier"])
    check = get_document(loop.store, reference["digest"], "validation")["checks"][0]
    assert {one["values"]["carrier"] for one in check["examples"]} == {"•••"}
    with refused(loop, "ConfigurationError: personal_columns .*near: carrier"):
        loop.validate(spoilt, expectations=[known], personal_columns=["carier"])
