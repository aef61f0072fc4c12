"""The effects are Evidently's: to the last digits on the same cells, and within the stated bounds on a profile's own.

On cells that hold a single value each, a profile loses nothing, so that a difference could only be one of definition.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from stoker.engines.divergences import divergence, error_bound, significance
from stoker.engines.profiles import Profile, profile_arrays

SEEDS = (0, 1)
NUMBERS = ("normal", "skewed", "tied", "gaps", "whole", "few")


@pytest.fixture(scope="module")
def evidently():
    """Evidently's own statistics by name: a function of reference, current and the kind of column."""
    from evidently.legacy.calculations import stattests
    from evidently.legacy.calculations.stattests.tvd_stattest import _total_variation_distance
    from evidently.legacy.core import ColumnType

    tests = {
        "psi": stattests.psi_stat_test,
        "jensenshannon": stattests.jensenshannon_stat_test,
        "wasserstein": stattests.wasserstein_stat_test,
        "ks": stattests.ks_stat_test,
        "chisquare": stattests.chi_stat_test,
    }

    def run(name, reference, current, numeric):
        reference, current = (pd.Series(values).dropna() for values in (reference, current))
        if name == "TVD":  # the test itself reports a p-value by permutation; this is what it permutes
            return _total_variation_distance(reference, current)
        kind = ColumnType.Numerical if numeric else ColumnType.Categorical
        return tests[name](reference, current, kind, None).drift_score

    return run


def numbers(kind, seed, rows, shift=0.0):
    generator = np.random.default_rng(seed)
    values = generator.normal(shift, 1.0, rows)
    return {
        "normal": values,
        "skewed": np.exp(values),
        "tied": np.round(np.maximum(values, 0.0), 1),
        "gaps": np.where(generator.random(rows) < 0.2, np.nan, values),
        "whole": np.round(values * 50).astype(np.int64),
        "few": np.round(np.clip(values, -2, 2)),
    }[kind]


def categories(seed, rows, lean):
    generator = np.random.default_rng(seed)
    names = np.array(list("abcdefghij"))
    return names[np.minimum(generator.geometric(lean, rows) - 1, 9)]


def exact_pair(reference, current):
    """Both samples in cells of one value each."""
    before = profile_arrays({"x": reference})
    values = np.unique(np.concatenate([reference, current]).astype(float))
    values = values[~np.isnan(values)]
    cells = replace(before.columns["x"], edges=np.unique([values, np.nextafter(values, np.inf)]))
    size = len(cells.edges) + 1
    cells = replace(cells, counts=np.zeros((1, size), dtype=np.int64), sums=np.zeros(size))
    frame = Profile(0, {"x": cells}, (0,))
    return tuple(profile_arrays({"x": one}, reference=frame).columns["x"] for one in (reference, current))


def profiled_pair(reference, current):
    """Both samples as the product counts them."""
    before = profile_arrays({"x": reference})
    return before.columns["x"], profile_arrays({"x": current}, reference=before).columns["x"]


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("kind", NUMBERS)
@pytest.mark.parametrize("method", ["wasserstein", "jensenshannon", "psi"])
def test_effects_on_numbers_are_evidentlys(evidently, method, kind, seed):
    reference, current = numbers(kind, seed, 3000), numbers(kind, seed + 100, 1500, shift=0.2)
    expected = evidently(method, reference, current, True)
    assert divergence(method, *exact_pair(reference, current)) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("method", ["jensenshannon", "psi", "TVD"])
def test_effects_on_categories_are_evidentlys(evidently, method, seed):
    reference, current = categories(seed, 3000, 0.5), categories(seed + 100, 1500, 0.3)
    expected = evidently(method, reference, current, False)
    assert divergence(method, *profiled_pair(reference, current)) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("kind", ["normal", "skewed", "tied", "gaps", "whole"])
def test_p_values_of_numbers_are_evidentlys_on_samples_that_it_takes_for_large(evidently, kind):
    reference, current = numbers(kind, 0, 14_000), numbers(kind, 100, 3000, shift=0.03)
    expected = evidently("ks", reference, current, True)
    assert significance(*exact_pair(reference, current)) == pytest.approx(expected, abs=1e-9)


def test_p_values_of_categories_count_the_chance_in_the_reference_too(evidently):
    """Evidently takes the reference for the truth; on a reference a hundred times as large that makes no difference."""
    reference, current = categories(0, 400_000, 0.5), categories(100, 4000, 0.51)
    expected = evidently("chisquare", reference, current, False)
    assert significance(*profiled_pair(reference, current)) == pytest.approx(expected, rel=0.1)


@pytest.mark.parametrize("kind", NUMBERS)
def test_wasserstein_from_a_profile_lies_within_its_bound(evidently, kind):
    reference, current = numbers(kind, 2, 30_000), numbers(kind, 102, 10_000, shift=0.2)
    before, window = profiled_pair(reference, current)
    difference = divergence("wasserstein", before, window) - evidently("wasserstein", reference, current, True)
    assert abs(difference) <= error_bound("wasserstein", before, window) + 1e-9
    assert abs(difference) < 2e-3


@pytest.mark.parametrize("kind", NUMBERS)
@pytest.mark.parametrize(("method", "most"), [("jensenshannon", 5e-3), ("psi", 5e-3)])
def test_binned_effects_from_a_profile_are_near_the_exact_ones(evidently, method, most, kind):
    reference, current = numbers(kind, 3, 30_000), numbers(kind, 103, 10_000, shift=0.2)
    found = divergence(method, *profiled_pair(reference, current))
    assert found == pytest.approx(evidently(method, reference, current, True), abs=most)
