"""Datasets judged, and bad rows set aside."""

from __future__ import annotations

import pyarrow as pa
import pytest

from stoker.engines.frames import read_table
from stoker.engines.snapshots import snapshot
from stoker.engines.validation import REASONS_COLUMN, validate
from stoker.errors import ConfigurationError, UsageError
from stoker.store import documents, partitions
from stoker.store.memory import MemoryStore

ROWS = 4000
NOT_NEGATIVE = {"type": "expect_column_values_to_be_between", "kwargs": {"column": "n", "min_value": 0}}
KNOWN_CODE = {"type": "expect_column_values_to_be_in_set", "kwargs": {"column": "code", "value_set": ["a", "b"]}}
MANY_ROWS = {"type": "expect_table_row_count_to_be_between", "kwargs": {"min_value": 10**6}}


def with_severity(expectation, severity):
    return {**expectation, "severity": severity}


@pytest.fixture
def store():
    return MemoryStore()


@pytest.fixture
def raw(store):
    """4,000 rows: the first 1,000 have a negative ``n``, and rows 900 to 1,099 an unknown ``code``."""
    table = pa.table({
        "id": range(ROWS),
        "n": [-1 if row < 1000 else row for row in range(ROWS)],
        "code": ["?" if 900 <= row < 1100 else "a" for row in range(ROWS)],
    })
    return snapshot(store, source="test", table=table, dataset="d", partition="p", time_column="id")


def judged(store, raw, *expectations, **settings):
    reference = validate(store, raw, expectations=list(expectations), **settings)
    return reference, documents.get_document(store, reference.digest, "validation")


def rows_of(store, digest):
    document = documents.get_document(store, digest, "dataset")
    return document, read_table(store, document)


def test_good_data_passes_in_the_file_that_it_is_in(store, raw):
    keys = set(store.keys("blobs/"))
    reference, document = judged(store, raw, {"type": "expect_column_to_exist", "kwargs": {"column": "n"}})
    assert (reference.verdict, document["rows_in"], document["rows_ok"], document["rows_quarantined"]) == (
        "pass",
        ROWS,
        ROWS,
        0,
    )
    ok, _ = rows_of(store, document["ok"])
    source = documents.get_document(store, raw.digest, "dataset")
    assert (ok["stage"], ok["parent"], ok["file"], ok["data_id"]) == (
        "ok",
        raw.digest,
        source["file"],
        source["data_id"],
    )
    assert len(set(store.keys("blobs/")) - keys) == 2  # the two documents, and no rows
    assert partitions.newest(store, "d", "ok", "p") == document["ok"]


def test_every_bad_row_is_quarantined_with_all_its_reasons(store, raw):
    reference, document = judged(
        store, raw, NOT_NEGATIVE, KNOWN_CODE, on_failure="quarantine", max_quarantine_share=0.5
    )
    assert reference.verdict == "pass"
    assert (document["rows_in"], document["rows_ok"], document["rows_quarantined"]) == (ROWS, 2900, 1100)
    quarantine, bad = rows_of(store, document["quarantine"])
    ok, good = rows_of(store, document["ok"])
    assert (quarantine["stage"], quarantine["parent"], ok["stage"], ok["parent"]) == (
        "quarantine",
        raw.digest,
        "ok",
        raw.digest,
    )
    assert bad.column("id").to_pylist() == list(range(1100))
    assert good.column("id").to_pylist() == list(range(1100, ROWS))
    assert bad.column_names == ["id", "n", "code", REASONS_COLUMN]
    reasons = bad.column(REASONS_COLUMN).to_pylist()
    assert reasons[0] == "expect_column_values_to_be_between(n)"
    assert reasons[950] == "expect_column_values_to_be_between(n); expect_column_values_to_be_in_set(code)"
    assert reasons[1050] == "expect_column_values_to_be_in_set(code)"
    assert partitions.newest(store, "d", "ok", "p") == document["ok"]
    assert partitions.partitions(store, "d", "quarantine") == []


def test_too_many_bad_rows_fail_and_can_still_be_looked_at(store, raw):
    reference, document = judged(store, raw, NOT_NEGATIVE, on_failure="quarantine", max_quarantine_share=0.2499)
    assert (reference.verdict, document["ok"]) == ("fail", None)
    assert (
        "1000 of 4000 rows (25.00%) would be quarantined; at most 24.99% may be." in document["verdict"]["reasons"][0]
    )
    assert document["rows_ok"] + document["rows_quarantined"] == ROWS
    assert rows_of(store, document["quarantine"])[1].num_rows == 1000
    assert partitions.newest(store, "d", "ok", "p") is None


def test_a_share_at_the_ceiling_passes(store, raw):
    assert judged(store, raw, NOT_NEGATIVE, on_failure="quarantine", max_quarantine_share=0.25)[0].verdict == "pass"


def test_no_row_left_is_a_failure_under_any_ceiling(store, raw):
    impossible = {"type": "expect_column_values_to_be_null", "kwargs": {"column": "id"}}
    reference, document = judged(store, raw, impossible, on_failure="quarantine", max_quarantine_share=1)
    assert (reference.verdict, document["ok"]) == ("fail", None)
    assert document["verdict"]["reasons"][0].startswith("All 4000 rows would be quarantined")


@pytest.mark.parametrize("on_failure", ["fail", "branch"])
def test_without_quarantine_a_critical_failure_fails_the_whole(store, raw, on_failure):
    reference, document = judged(store, raw, NOT_NEGATIVE, on_failure=on_failure)
    assert (reference.verdict, document["ok"], document["quarantine"]) == ("fail", None, None)
    assert (document["rows_ok"], document["rows_quarantined"]) == (3000, 0)
    assert reference.summary["reasons"][0].endswith("1000 of 4000 rows broke it (25.00%).")


def test_warn_fails_and_lets_all_rows_through(store, raw):
    reference, document = judged(store, raw, NOT_NEGATIVE, on_failure="warn")
    assert (reference.verdict, document["quarantine"]) == ("fail", None)
    assert rows_of(store, document["ok"])[1].num_rows == ROWS


@pytest.mark.parametrize("on_failure", ["fail", "quarantine", "branch"])
def test_a_failure_without_rows_is_never_dropped(store, raw, on_failure):
    reference, document = judged(store, raw, MANY_ROWS, on_failure=on_failure)
    assert (reference.verdict, document["ok"], document["checks"][0]["attributable"]) == ("fail", None, False)
    if on_failure == "quarantine":
        assert "rows not attributable" in document["verdict"]["reasons"][0]


def test_a_warning_is_a_reason_and_an_info_is_only_recorded(store, raw):
    reference, document = judged(
        store, raw, with_severity(NOT_NEGATIVE, "warning"), with_severity(KNOWN_CODE, "info"), on_failure="quarantine"
    )
    assert (reference.verdict, document["rows_quarantined"]) == ("pass", 0)
    warning, summary = document["verdict"]["reasons"]
    assert warning.startswith("Warning: expect_column_values_to_be_between")
    assert summary == "0 of 2 checks passed on 4000 rows."
    assert len(reference.summary["failed_checks"]) == 2


def test_rows_that_mostly_lets_pass_stay(store, raw):
    lenient = {**NOT_NEGATIVE, "kwargs": {**NOT_NEGATIVE["kwargs"], "mostly": 0.7}}
    reference, document = judged(store, raw, lenient, on_failure="quarantine")
    assert (reference.verdict, document["rows_quarantined"], document["checks"][0]["unexpected_count"]) == (
        "pass",
        0,
        1000,
    )


def test_a_column_that_does_not_exist_fails_whatever_its_severity(store, raw):
    missing = {"type": "expect_column_values_to_not_be_null", "kwargs": {"column": "cod"}, "severity": "info"}
    reference, _ = judged(store, raw, missing, on_failure="quarantine")
    assert reference.verdict == "fail"
    assert "there is no column 'cod'; near it are code" in reference.summary["reasons"][0]


def test_the_same_validation_again_writes_nothing(store, raw):
    first, _ = judged(store, raw, NOT_NEGATIVE, on_failure="quarantine", max_quarantine_share=0.5)
    keys = list(store.keys(""))
    second, _ = judged(store, raw, NOT_NEGATIVE, on_failure="quarantine", max_quarantine_share=0.5)
    assert (second.digest, list(store.keys(""))) == (first.digest, keys)


def test_a_quarantine_can_be_validated_again(store, raw):
    _, document = judged(store, raw, NOT_NEGATIVE, on_failure="quarantine", max_quarantine_share=0.5)
    table = rows_of(store, document["quarantine"])[1]
    again = snapshot(store, source="test", table=table, dataset="again")
    _, document = judged(store, again, KNOWN_CODE, on_failure="quarantine", max_quarantine_share=0.5)
    names = rows_of(store, document["quarantine"])[1].column_names
    assert names == ["id", "n", "code", REASONS_COLUMN]


def test_a_reference_stays_small_with_many_long_failures(store, raw):
    pattern = "x" * 5000
    many = [
        {"type": "expect_column_values_to_match_regex", "kwargs": {"column": "code", "regex": f"{pattern}{number}"}}
        for number in range(20)
    ]
    reference, document = judged(store, raw, *many)
    reference.to_xcom()
    assert (len(document["checks"]), len(reference.summary["failed_checks"])) == (20, 5)


@pytest.mark.parametrize(
    "settings",
    [
        {"on_failure": "ignore"},
        {"max_quarantine_share": 1.5},
        {"max_quarantine_share": float("nan")},
        {"severity": "fatal"},
    ],
)
def test_a_bad_setting_writes_nothing(store, raw, settings):
    keys = list(store.keys(""))
    with pytest.raises(ConfigurationError):
        judged(store, raw, NOT_NEGATIVE, **settings)
    assert list(store.keys("")) == keys


def test_only_a_dataset_can_be_validated(store, raw):
    reference, _ = judged(store, raw, NOT_NEGATIVE)
    with pytest.raises(UsageError, match="is needed"):
        judged(store, reference, NOT_NEGATIVE)


def test_a_failed_check_shows_a_few_of_its_rows_and_a_passed_one_none(store, raw):
    everything = {"type": "expect_column_to_exist", "kwargs": {"column": "n"}}
    _, document = judged(store, raw, NOT_NEGATIVE, KNOWN_CODE, everything, MANY_ROWS)
    negative, unknown, passed, whole = document["checks"]
    assert negative["examples"] == [{"row": row, "values": {"n": "-1"}} for row in range(5)]
    assert unknown["examples"][0] == {"row": 900, "values": {"code": "?"}}
    assert (negative["unexpected_count"], negative["unexpected_share"], negative["rows"]) == (1000, 0.25, ROWS)
    assert passed["examples"] == whole["examples"] == []


def test_a_check_that_enough_rows_pass_has_no_examples(store, raw):
    mostly = {**NOT_NEGATIVE, "kwargs": {**NOT_NEGATIVE["kwargs"], "mostly": 0.5}}
    _, document = judged(store, raw, mostly)
    assert (document["checks"][0]["unexpected_count"], document["checks"][0]["examples"]) == (1000, [])
