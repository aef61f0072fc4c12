from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import sklearn.metrics as sk

from stoker.engines import metrics
from stoker.engines.bootstrap import paired_difference
from stoker.engines.canonical import canonical
from stoker.engines.metrics import Output
from stoker.engines.slices import choose_columns, measure_slices

ROWS = 1200
AUC = metrics.find("roc_auc", "binary")


@pytest.fixture
def table():
    generator = np.random.default_rng(1)
    return canonical(
        pa.table({
            "carrier": [["AA", "UA", None][number % 3] for number in range(ROWS)],
            "gate": [f"gate {number}" for number in range(ROWS)],
            "seat": [f"seat {number % 20}" for number in range(ROWS)],
            "wind": np.where(np.arange(ROWS) % 10 == 0, np.inf, generator.normal(size=ROWS)),
            "stops": [number % 3 for number in range(ROWS)],
            "rare": ["often"] * (ROWS - 29) + ["seldom"] * 29,
            "same": ["one"] * ROWS,
            "weekend": [number % 2 == 0 for number in range(ROWS)],
            "departure": pd.Timestamp("2013-01-01", tz="UTC") + pd.to_timedelta(np.arange(ROWS), "h"),
        })
    )


@pytest.fixture
def scored():
    """Truth, a good model and a worse one."""
    generator = np.random.default_rng(2)
    y = generator.integers(0, 2, ROWS)
    good, worse = (np.clip(0.5 + skill * (y - 0.5) + generator.normal(size=ROWS), 0, 1) for skill in (2, 0.5))
    outputs = [Output((one > 0.5).astype(int), one, calibrated=True) for one in (good, worse)]
    return y, *outputs


def measured(table, scored, *columns, metric=AUC, champion=True):
    y, challenger, office = scored
    return measure_slices(
        table,
        columns,
        metric=metric,
        y=y,
        challenger=challenger,
        champion=office if champion else None,
        alpha=0.05,
    )


def test_a_slice_is_measured_as_its_rows_alone_would_be(table, scored):
    found = measured(table, scored, "carrier")
    assert [(one["value"], one["rows"]) for one in found] == [("AA", 400), ("UA", 400), ("no value", 400)]
    y, challenger, office = scored
    rows = np.arange(0, ROWS, 3)
    assert found[0]["challenger"] == pytest.approx(sk.roc_auc_score(y[rows], challenger.scores[rows]), abs=1e-6)
    drawn = paired_difference(AUC, y[rows], challenger.take(rows), office.take(rows), alpha=0.05, n_boot=200, seed=0)
    assert [found[0][name] for name in ("difference", "low", "high")] == pytest.approx(
        [drawn.estimate, drawn.low, drawn.high], abs=1e-5
    )


def test_every_row_is_in_one_slice_of_each_column(table, scored):
    for column in table.column_names:
        assert sum(one["rows"] for one in measured(table, scored, column)) == ROWS


def test_numbers_and_times_are_cut_into_quarters(table, scored):
    wind = measured(table, scored, "wind")
    assert [one["rows"] for one in wind] == [270, 270, 270, 270, 120]
    assert (wind[0]["value"], wind[-2]["value"], wind[-1]["value"]) == (
        f"up to {wind[1]['value'].split()[0]}",
        f"above {wind[2]['value'].split()[-1]}",
        "no value",
    )
    times = measured(table, scored, "departure")
    assert [one["rows"] for one in times] == [300] * 4
    assert times[0]["value"].startswith("up to 2013-01-13")


def test_a_number_of_few_values_and_a_flag_are_slices_by_value(table, scored):
    assert [one["value"] for one in measured(table, scored, "stops")] == ["0", "1", "2"]
    assert [one["value"] for one in measured(table, scored, "weekend")] == ["False", "True"]


def test_beyond_twelve_values_the_rest_are_together(table, scored):
    found = measured(table, scored, "seat")
    assert [len(found), found[-1]["value"], found[-1]["rows"]] == [13, "other values", 480]


def test_a_slice_of_few_rows_says_so(table, scored):
    seldom = measured(table, scored, "rare")[1]
    assert (seldom["value"], seldom["rows"]) == ("seldom", 29)
    assert [seldom[name] for name in ("metric", "challenger", "champion", "difference", "low", "high")] == [None] * 6


def test_without_a_champion_there_is_no_difference(table, scored):
    found = measured(table, scored, "carrier", champion=False)[0]
    assert found["challenger"] > 0.5
    assert [found[name] for name in ("champion", "difference", "low", "high")] == [None] * 4


def test_a_metric_of_which_less_is_better_has_a_difference_in_which_more_is_better(table, scored):
    loss = measured(table, scored, "weekend", metric=metrics.find("log_loss", "binary"))[0]
    assert loss["difference"] == pytest.approx(loss["champion"] - loss["challenger"], abs=1e-5)
    assert loss["difference"] > 0
    turned = measured(table, scored, "weekend", metric=metrics.find("neg_log_loss", "binary"))[0]
    assert (turned["metric"], turned["difference"]) == ("neg_log_loss", loss["difference"])


def test_a_metric_that_is_slow_to_draw_has_no_interval(table, scored):
    found = measured(table, scored, "carrier", metric=metrics.find("balanced_accuracy", "binary"))[0]
    assert found["difference"] > 0
    assert (found["low"], found["high"]) == (None, None)


def test_many_rows_give_the_interval_of_a_part_of_them(table, scored):
    many = pa.concat_tables([table] * 5)
    y, *outputs = scored
    five = np.tile(y, 5), *(Output(np.tile(one.labels, 5), np.tile(one.scores, 5)) for one in outputs)
    few, found = measured(table, scored, "same")[0], measured(many, five, "same")[0]
    assert found["difference"] == pytest.approx(few["difference"])
    shrunk = (found["high"] - found["low"]) / (few["high"] - few["low"])
    assert shrunk == pytest.approx(5**-0.5, rel=0.3)


def test_the_most_important_features_that_divide_the_rows_are_chosen(table):
    shares = {"gate": 0.4, "same": 0.2, "wind": 0.1, "carrier": 0.1, "weekend": 0.1, "stops": 0.05, "seat": 0.05}
    assert choose_columns({"importances": shares}, table) == ["carrier", "weekend", "wind"]
    assert choose_columns({"importances": shares}, table, without={"carrier"}) == ["weekend", "wind", "stops"]
    assert choose_columns({"importances": {"wind": 1.0, "carrier": 0.0}}, table) == ["wind"]
    assert choose_columns({}, table) == []
