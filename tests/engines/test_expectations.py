"""Expectations read, refused and checked."""

from __future__ import annotations

import json
import logging
import re

import great_expectations as gx
import numpy as np
import pandas as pd
import pytest

from stoker.engines.expectations import check_frame, load_expectations
from stoker.errors import ConfigurationError

BETWEEN = {"type": "expect_column_values_to_be_between", "kwargs": {"column": "n", "min_value": 0, "max_value": 9}}
FRAME = pd.DataFrame({
    "n": np.arange(1000, dtype="float64"),
    "s": pd.Series(["a", np.nan] * 500, dtype=object),  # as stoker.engines.frames makes it
    "t": pd.date_range("2013-01-01", periods=1000, freq="h", tz="UTC"),
})


def expect(kind, severity=None, **kwargs):
    return {"type": f"expect_{kind}", "kwargs": kwargs, **({"severity": severity} if severity else {})}


def check(*expectations, severity="critical"):
    return check_frame(FRAME, load_expectations(list(expectations), severity=severity))


def test_expectations_come_from_a_list_a_suite_a_file_or_a_function(tmp_path):
    path = tmp_path / "suite.json"
    path.write_text(json.dumps({"name": "suite", "expectations": [BETWEEN]}))
    bare = tmp_path / "list.json"
    bare.write_text(json.dumps([BETWEEN]))
    suite = gx.ExpectationSuite(name="suite", expectations=[BETWEEN])
    thing = gx.expectations.ExpectColumnValuesToBeBetween(column="n", min_value=0, max_value=9)
    for given in ([BETWEEN], str(path), str(bare), lambda: [BETWEEN], suite, [thing]):
        (loaded,) = load_expectations(given)
        assert (loaded.type, loaded.kwargs["max_value"], loaded.severity.value) == (BETWEEN["type"], 9, "critical")


def test_a_severity_of_its_own_goes_before_the_default():
    loaded = load_expectations([{**BETWEEN, "severity": "info"}, BETWEEN], severity="warning")
    assert [item.severity.value for item in loaded] == ["info", "warning"]


@pytest.mark.parametrize(
    ("item", "found"),
    [
        (expect("column_value_to_be_between", column="n"), "near it are expect_column_values_to_be_between"),
        (expect("column_values_to_be_between", column="n", min_valu=3), "min_valu"),
        (expect("column_values_to_be_between", column="n"), "min_value and max_value cannot both be None"),
        (expect("column_values_to_not_be_null"), "column field required"),
        (expect("column_values_to_not_be_null", column="n", mostly=3), "mostly"),
        (expect("column_values_to_not_be_null", "fatal", column="n"), "Invalid severity 'fatal'"),
        ({**BETWEEN, "severty": "info"}, "severty"),
        ({"kwargs": {}}, "there is no type None"),
        ("expect_column_to_exist", "must be a JSON object"),
    ],
)
def test_a_wrong_expectation_is_refused_by_its_number(item, found):
    with pytest.raises(ConfigurationError, match=rf"number 2: .*{found}"):
        load_expectations([BETWEEN, item])


def test_all_wrong_expectations_are_named_at_once():
    with pytest.raises(ConfigurationError, match=r"number 1: .*; number 3: "):
        load_expectations([{"type": "a"}, BETWEEN, {"type": "b"}])


@pytest.mark.parametrize("given", [[], {}, {"expectations": []}, None, 7, "nowhere.json", list])
def test_nothing_to_check_is_refused(given):
    with pytest.raises(ConfigurationError):
        load_expectations(given)


def test_an_unknown_default_severity_is_refused():
    with pytest.raises(ConfigurationError, match="must be one of critical, warning, info"):
        load_expectations([BETWEEN], severity="fatal")


def test_every_row_that_broke_a_check_is_known_beyond_two_hundred():
    (found,) = check(BETWEEN)
    assert found.rows.tolist() == list(range(10, 1000))
    assert (found.success, found.attributable, found.unexpected_count, found.unexpected_share) == (
        False,
        True,
        990,
        0.99,
    )
    assert found.sentence.endswith("990 of 1000 rows broke it (99.00%)")
    assert found.label == "expect_column_values_to_be_between(n)"


def test_results_come_in_the_order_of_the_expectations():
    kinds = [
        expect("table_row_count_to_be_between", max_value=10),
        BETWEEN,
        expect("column_values_to_not_be_null", "warning", column="s"),
        expect("column_mean_to_be_between", "info", column="n", max_value=1),
        expect("column_to_exist", column="nothing"),
    ]
    checks = check(*kinds)
    assert [found.expectation for found in checks] == [kind["type"] for kind in kinds]
    assert [found.severity for found in checks] == ["critical", "critical", "warning", "info", "critical"]
    assert [found.attributable for found in checks] == [False, True, True, False, False]
    assert [found.success for found in checks] == [False] * 5
    assert checks[3].sentence.endswith("found 499.5")
    assert checks[4].sentence.endswith("does not hold")
    json.dumps([found.to_record() for found in checks])


def test_mostly_lets_some_rows_break_it():
    (found,) = check(expect("column_values_to_not_be_null", column="s", mostly=0.5))
    assert (found.success, found.unexpected_count) == (True, 500)


def test_an_expectation_of_several_columns_names_them_all():
    (pair,) = check(expect("column_pair_values_a_to_be_greater_than_b", column_A="n", column_B="n"))
    (many,) = check(expect("compound_columns_to_be_unique", column_list=["n", "s"]))
    assert (pair.column, pair.unexpected_count) == ("n, n", 1000)
    assert (many.column, many.success) == ("n, s", True)


def test_an_unknown_column_fails_as_critical_and_names_its_neighbours():
    (found,) = check(expect("column_values_to_not_be_null", "info", column="nn"))
    assert (found.success, found.severity, found.attributable) == (False, "critical", False)
    assert found.sentence.endswith("could not be computed: there is no column 'nn'; near it are n")


def test_a_check_that_cannot_be_computed_fails_alone():
    broken, good = check(
        expect("column_values_to_match_regex", "info", column="s", regex="["), expect("column_to_exist", column="n")
    )
    assert (broken.success, broken.severity) == (False, "critical")
    assert re.search(r"could not be computed: (unterminated character set|Invalid regular expression)", broken.sentence)
    assert good.success


def test_times_are_compared_with_bounds_that_have_a_zone():
    with_zone, without = check(
        expect("column_values_to_be_between", column="t", min_value="2013-01-02T00:00:00Z"),
        expect("column_values_to_be_between", column="t", min_value="2013-01-02"),
    )
    assert with_zone.unexpected_count == 24
    assert "could not be computed" in without.sentence


def test_nothing_is_printed_and_little_is_logged(capfd, caplog):
    caplog.set_level(logging.INFO)
    check(BETWEEN)
    assert capfd.readouterr() == ("", "")
    assert {record.name for record in caplog.records} == {"stoker.engines.expectations"}
