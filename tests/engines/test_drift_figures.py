from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from stoker.core import wire
from stoker.engines.drift_figures import draw_columns
from stoker.engines.profiles import Profile, profile_arrays

ROWS = 20_000


def columns(seed: int = 1, shift: float = 0.0) -> dict:
    generator = np.random.default_rng(seed)
    wind = generator.normal(size=ROWS) + shift
    return {
        "wind": np.where(np.arange(ROWS) % 10 == 0, np.nan, wind),
        "stops": generator.integers(0, 4, ROWS),
        "carrier": pa.array([
            ["AA", "UA", "WN", "ZZ"][number] for number in generator.choice(4, ROWS, p=[0.5, 0.3, 0.1, 0.1])
        ]),
        "gate": pa.array([f"gate {number}" for number in generator.integers(0, 60, ROWS)]),
        "departure": pa.array(pd.Timestamp("2013-01-01", tz="UTC") + pd.to_timedelta(np.arange(ROWS), "min")),
        "constant": np.full(ROWS, 7.0),
    }


def profiles(before: dict, now: dict) -> tuple[Profile, Profile]:
    reference = profile_arrays(before, roles=dict.fromkeys(before, "feature"))
    return reference, profile_arrays(now, reference=reference)


def finding(column: str, *, drifted: bool = False, effect: float | None = 0.1) -> dict:
    return {"column": column, "drifted": drifted, "effect": effect}


def drawn(before: dict, now: dict, **options) -> dict:
    figures = draw_columns(*profiles(before, now), [finding(name) for name in before], **options)
    wire.canonical(figures)
    return {one["column"]: one for one in figures["columns"]}


def test_shares_are_those_of_the_values_in_the_same_bins():
    before, now = columns(), columns(2, shift=2.0)
    found = drawn(before, now)
    for one in found.values():
        size = len(one["reference"])
        assert size == len(one["current"]) == (len(one["edges"]) - 1 if "edges" in one else len(one["labels"])) <= 30
        assert sum(one["reference"]) == pytest.approx(1, abs=1e-4)
        assert sum(one["current"]) == pytest.approx(1, abs=1e-4)
    wind = found["wind"]
    assert wind["missing"] == {"reference": 0.1, "current": 0.1}
    # Beyond the reference the window is known by number, mean and largest value alone.
    for side, values, off in (("reference", before["wind"], 0.0005), ("current", now["wind"], 0.01)):
        edges = np.array(wind["edges"])
        inside = np.clip(values[~np.isnan(values)], edges[0], edges[-1])
        assert wind[side] == pytest.approx(np.histogram(inside, edges)[0] / len(inside), abs=off)


def test_a_number_of_few_values_has_a_bin_for_each():
    stops = drawn(columns(), {**columns(2), "stops": np.full(ROWS, 9)})["stops"]
    assert stops["edges"] == [-0.5, 0.5, 1.5, 2.5, 6.0, 9.5]
    assert stops["current"] == [0, 0, 0, 0, 1]
    assert stops["reference"][:4] == pytest.approx([0.25] * 4, abs=0.02)


def test_a_window_far_beyond_the_reference_is_on_the_axis():
    wind = drawn(columns(), columns(2, shift=1000.0))["wind"]
    assert wind["edges"][-1] == pytest.approx(1000, abs=10)
    assert wind["current"][-1] == 1
    assert wind["reference"][0] == 1


def test_the_largest_categories_of_either_side_are_shown_and_the_rest_together():
    now = {**columns(2), "gate": pa.array(["gate 59"] * ROWS), "carrier": pa.array(["new"] * ROWS)}
    found = drawn(columns(), now)
    assert found["carrier"]["labels"] == ["AA", "UA", "WN", "ZZ", "other values"]
    assert found["carrier"]["current"] == [0, 0, 0, 0, 1]
    assert len(found["gate"]["labels"]) == 30
    assert found["gate"]["current"][found["gate"]["labels"].index("gate 59")] == 1
    assert "other values" not in drawn(columns(), columns(2))["carrier"]["labels"]


def test_an_empty_window_and_a_constant_can_be_drawn():
    empty = {name: values[:0] for name, values in columns().items()}
    found = drawn(columns(), empty)
    assert sum(found["wind"]["current"]) == sum(found["carrier"]["current"]) == 0
    assert found["constant"]["edges"] == [6.5, 7.5]
    nothing = {"wind": np.full(ROWS, np.nan)}
    assert drawn(nothing, nothing)["wind"]["missing"]["reference"] == 1


def test_a_personal_column_has_shares_and_nothing_that_tells_values():
    found = drawn(columns(), columns(2), personal={"gate", "wind"})
    for name in ("gate", "wind"):
        assert not {"labels", "edges"} & found[name].keys()
        assert sum(found[name]["reference"]) == pytest.approx(1, abs=1e-4)
    assert "gate 1" not in str(found)


def test_what_drifted_comes_first_then_the_largest_effect():
    reference, window = profiles(columns(), columns(2))
    findings = [
        finding("carrier", effect=0.5), finding("wind", effect=None), finding("gate", drifted=True, effect=0.2),
        finding("vanished", drifted=True), finding("stops", effect=0.6),
    ]  # fmt: skip
    figures = draw_columns(reference, window, findings)
    assert [one["column"] for one in figures["columns"]] == ["gate", "stops", "carrier", "wind"]
    assert (figures["rows"], figures["reference_rows"], figures["left_out"]) == (ROWS, ROWS, 0)


def test_of_very_many_columns_the_first_are_drawn():
    wide = {f"c{number:04d}": np.arange(50.0) for number in range(510)}
    figures = draw_columns(*profiles(wide, wide), [finding(name) for name in wide])
    assert (len(figures["columns"]), figures["left_out"]) == (500, 10)
