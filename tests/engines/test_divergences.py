"""Statistics between two profiles of a column."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from scipy import stats

from stoker.engines.divergences import (
    METHODS,
    divergence,
    error_bound,
    find_method,
    leave_one_out,
    missing_increase,
    missing_significance,
    significance,
)
from stoker.engines.profiles import profile_arrays
from stoker.errors import UsageError

NUMERIC = sorted(name for name, method in METHODS.items() if method.numeric)
CATEGORICAL = sorted(name for name, method in METHODS.items() if method.categorical)


def pair(reference, window):
    """The profiles of two samples of a column."""
    before = profile_arrays({"x": reference})
    return before.columns["x"], profile_arrays({"x": window}, reference=before).columns["x"]


def normal(rows, seed, shift=0.0):
    return np.random.default_rng(seed).normal(shift, 1.0, rows)


SAMPLES = {
    "normal": (normal(5000, 0), normal(2000, 1, 0.3)),
    "skewed": (np.exp(normal(5000, 2)), np.exp(normal(2000, 3, 0.3))),
    "tied": (np.maximum(normal(5000, 4), 0), np.maximum(normal(2000, 5, 0.3), 0)),
    "whole": (np.random.default_rng(6).poisson(2000, 5000), np.random.default_rng(7).poisson(2010, 2000)),
    "few": (np.random.default_rng(8).integers(0, 5, 5000), np.random.default_rng(9).integers(0, 4, 2000)),
    "wild": (np.random.default_rng(10).standard_cauchy(5000), np.random.default_rng(11).standard_cauchy(2000)),
}


@pytest.mark.parametrize("method", NUMERIC)
@pytest.mark.parametrize("values", [pair[0] for pair in SAMPLES.values()], ids=list(SAMPLES))
def test_equal_numbers_do_not_diverge(method, values):
    assert divergence(method, *pair(values, values)) == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("method", CATEGORICAL)
def test_equal_categories_do_not_diverge(method):
    assert divergence(method, *pair(np.array(list("aabc")), np.array(list("aabc") * 9))) == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("method", NUMERIC)
def test_a_larger_shift_has_a_larger_effect(method):
    effects = [divergence(method, *pair(normal(20_000, 0), normal(20_000, 1, shift))) for shift in (0, 0.2, 0.5, 1)]
    assert effects == sorted(effects)
    assert effects[0] < METHODS[method].threshold < effects[-1]


def test_wasserstein_of_a_shift_is_the_shift_in_standard_deviations():
    values = normal(20_000, 0) * 7
    assert divergence("wasserstein", *pair(values, values + 7 * 0.3)) == pytest.approx(0.3, abs=0.003)


def test_effects_on_categories_are_those_of_their_definitions():
    before, window = pair(np.array(["a"] * 50 + ["b"] * 50), np.array(["a"] * 60 + ["b"] * 20 + ["new"] * 20))
    assert divergence("TVD", before, window) == pytest.approx(0.3)
    assert divergence("l_infinity", before, window) == pytest.approx(0.3)
    assert divergence("chisquare", before, window) == pytest.approx(np.sqrt(2 * (0.01 / 1.1 + 0.09 / 0.7 + 0.04 / 0.2)))


@pytest.mark.parametrize("method", ["wasserstein", "ks"])
@pytest.mark.parametrize("samples", SAMPLES.values(), ids=list(SAMPLES))
def test_the_effect_from_profiles_lies_within_the_bound_of_the_exact_one(method, samples):
    before, window = pair(*samples)
    raw, current = samples
    exact = {
        "wasserstein": stats.wasserstein_distance(raw, current) / np.std(raw),
        "ks": stats.ks_2samp(raw, current).statistic,
    }[method]
    assert abs(divergence(method, before, window) - exact) <= error_bound(method, before, window) + 1e-12


@settings(max_examples=25, deadline=None)
@given(
    seed=some.integers(0, 2**32 - 1),
    rows=some.integers(2, 3000),
    scale=some.floats(1e-3, 1e3),
    power=some.sampled_from([1, 3]),
    digits=some.sampled_from([1, 9]),
)
def test_the_bounds_hold_for_any_sample(seed, rows, scale, power, digits):
    generator = np.random.default_rng(seed)
    raw, current = (np.round(generator.normal(size=size) ** power * scale, digits) for size in (rows, 1 + rows // 2))
    before, window = pair(raw, current)
    wasserstein = stats.wasserstein_distance(raw, current) / max(np.std(raw), 0.001)
    assert divergence("wasserstein", before, window) == pytest.approx(
        wasserstein, abs=error_bound("wasserstein", before, window) + 1e-9, rel=1e-9
    )
    ks = stats.ks_2samp(raw, current).statistic
    assert -1e-12 <= ks - divergence("ks", before, window) <= error_bound("ks", before, window) + 1e-12


def test_the_bounds_of_a_normal_column_are_small():
    before, window = pair(*SAMPLES["normal"])
    assert error_bound("wasserstein", before, window) < 0.01
    assert error_bound("ks", before, window) < 2.5 / 1024


@pytest.mark.parametrize("method", ["psi", "TVD", "mean"])
def test_other_methods_have_no_bound(method):
    with pytest.raises(UsageError, match="error bound"):
        error_bound(method, *pair(*SAMPLES["normal"]))


@pytest.mark.parametrize("method", NUMERIC)
@pytest.mark.parametrize(
    ("reference", "window"),
    [
        (np.full(50, 3.0), np.full(50, 4.0)),
        (np.full(50, 3.0), normal(50, 0)),
        (normal(50, 0), np.full(50, 3.0)),
        (normal(50, 0), np.full(50, 1e12)),
        (normal(500, 0), np.array([0.1])),
    ],
    ids=["constant to constant", "constant to spread", "spread to constant", "far away", "one row"],
)
def test_odd_columns_have_a_finite_effect(method, reference, window):
    found = divergence(method, *pair(reference, window))
    assert np.isfinite(found)
    assert found > 0


@pytest.mark.parametrize("method", CATEGORICAL)
def test_categories_that_are_all_new_have_a_finite_effect(method):
    before, window = pair(np.array(["a"] * 50), np.array(["b"] * 50))
    assert np.isfinite(divergence(method, before, window))
    assert divergence(method, before, window) > METHODS[method].threshold
    assert significance(before, window) < 1e-6


@pytest.mark.parametrize("method", NUMERIC)
def test_an_empty_column_has_no_effect_and_nothing_speaks_for_a_difference(method):
    gone = np.full(50, np.nan)
    for reference, window in ((normal(50, 0), gone), (gone, normal(50, 0)), (gone, gone)):
        before, after = pair(reference, window)
        assert np.isnan(divergence(method, before, after))
        assert significance(before, after) == 1.0
    before, after = pair(normal(50, 0), gone)
    assert missing_increase(before, after) == 1.0
    assert missing_significance(before, after) < 1e-10


def test_missing_values_play_no_part_in_the_effect():
    values = normal(5000, 0)
    before, window = pair(values, np.concatenate([values, np.full(5000, np.nan)]))
    assert divergence("wasserstein", before, window) == pytest.approx(0, abs=1e-12)
    assert missing_increase(before, window) == 0.5


def test_significance_of_numbers_is_never_smaller_than_on_raw_values():
    for reference, window in SAMPLES.values():
        if len(np.unique(reference)) > 20:
            exact = stats.ks_2samp(reference, window, method="asymp").pvalue
            assert significance(*pair(reference, window)) >= exact * (1 - 1e-9)


def test_significance_of_few_numbers_and_of_categories_is_the_chi_square_test():
    reference, window = SAMPLES["few"]
    table = [np.bincount(reference, minlength=5), np.bincount(window, minlength=5)]
    exact = stats.chi2_contingency(table, correction=False).pvalue
    assert significance(*pair(reference, window)) == pytest.approx(exact)
    names = np.array(list("abcde"))
    assert significance(*pair(names[reference], names[window])) == pytest.approx(exact)


def test_a_single_new_value_in_a_small_window_is_not_significant():
    reference = np.array(["a", "b"] * 50_000)
    window = np.array(["a", "b"] * 100 + ["typo"])
    assert significance(*pair(reference, window)) > 0.5


@pytest.mark.parametrize(
    "values",
    [
        normal(20_000, 0),
        np.random.default_rng(1).integers(0, 4, 20_000),
        np.array(list("abcdefgh"))[np.minimum(np.random.default_rng(2).geometric(0.5, 20_000) - 1, 7)],
    ],
    ids=["numbers", "few numbers", "categories"],
)
def test_p_values_of_equal_distributions_are_rarely_small(values):
    column = profile_arrays({"x": values}).columns["x"]
    draws = np.random.default_rng(3).multinomial(300, column.cells / column.values, size=400)
    small = sum(significance(column, column.with_counts(draw)) <= 0.05 for draw in draws)
    assert small <= 34  # 20 are to be expected; more than 34 come by chance once in 1,000 such tests


def gaps(rows, missing):
    return np.concatenate([np.full(missing, np.nan), np.arange(rows - missing) + 0.5])


@pytest.mark.parametrize(
    ("reference", "window", "small"),
    [
        ((100_000, 0), (200, 1), False),
        ((100_000, 0), (200, 20), True),
        ((100_000, 5000), (2000, 100), False),
        ((100_000, 5000), (2000, 160), True),
        ((100_000, 99_999), (200, 199), False),
        ((100_000, 100_000), (200, 190), True),
        ((500, 0), (500, 0), False),
        ((500, 500), (500, 500), False),
    ],
)
def test_missing_values_are_judged_by_how_often_they_occur(reference, window, small):
    found = missing_significance(*pair(gaps(*reference), gaps(*window)))
    assert found < 1e-4 if small else found > 1e-3


def test_rare_missing_values_are_judged_by_fishers_test():
    before, window = pair(gaps(900, 3), gaps(100, 4))
    exact = stats.fisher_exact([[4, 96], [3, 897]]).pvalue
    assert missing_significance(before, window) == pytest.approx(exact, rel=1)


@pytest.mark.parametrize("method", NUMERIC)
def test_a_chunk_is_compared_with_the_others_only(method):
    values = np.concatenate([normal(900, 0), normal(100, 1, 5)])
    column = profile_arrays({"x": values}, chunks=10).columns["x"]
    effects = leave_one_out(method, column)
    assert effects.shape == (10,)
    assert effects.argmax() == 9
    total, last = column.cells, column.counts[9]
    assert effects[9] == divergence(method, column.with_counts(total - last), column.with_counts(last))
    assert effects[9] > divergence(method, column, column.with_counts(last))


def test_chunks_without_values_are_left_out():
    column = profile_arrays({"x": np.concatenate([np.full(100, np.nan), normal(300, 0)])}, chunks=4).columns["x"]
    assert leave_one_out("wasserstein", column).shape == (3,)


def test_one_chunk_has_nothing_to_be_compared_with():
    assert leave_one_out("psi", profile_arrays({"x": normal(50, 0)}, chunks=1).columns["x"]).size == 0


@pytest.mark.parametrize(
    ("method", "numeric"), [("wasserstein", False), ("chisquare", True), ("TVD", True), ("kolmogorov", True)]
)
def test_a_method_must_exist_and_suit_the_column(method, numeric):
    with pytest.raises(UsageError, match="must be one of"):
        find_method(method, numeric=numeric)


def test_profiles_with_other_cells_are_not_compared():
    one, other = (profile_arrays({"x": normal(50, seed)}).columns["x"] for seed in (0, 1))
    for compare in (lambda: divergence("psi", one, other), lambda: significance(one, other)):
        with pytest.raises(UsageError, match="counted in the cells"):
            compare()


def test_booleans_and_times_are_compared_too():
    assert divergence("jensenshannon", *pair(pa.array([True, False] * 50), pa.array([True] * 50))) > 0.1
    days = np.arange("2013-01", "2013-03", dtype="datetime64[D]")
    assert divergence("wasserstein", *pair(days, days + np.timedelta64(59, "D"))) > 1
