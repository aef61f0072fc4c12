"""Profiles of tables: counted in memory or from stored files, kept, merged, and compared with what was counted."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from tests.support.filled import fill

from stoker.engines.frames import store_table
from stoker.engines.profiles import (
    Profile,
    load_profile,
    profile_arrays,
    profile_reference,
    profile_window,
    store_profile,
)
from stoker.errors import CorruptArtifact, UnsuitableData, UsageError
from stoker.store import layout
from stoker.store.documents import get_document
from stoker.store.memory import MemoryStore

ROWS = 3000
GENERATOR = np.random.default_rng(0)
TABLE = pa.table({
    "time": pa.array(pd.Timestamp("2013-01-01", tz="UTC") + pd.to_timedelta(GENERATOR.permutation(ROWS), "min")),
    "x": pa.array(np.where(GENERATOR.random(ROWS) < 0.1, np.nan, GENERATOR.normal(5, 2, ROWS)), from_pandas=True),
    "n": pa.array(GENERATOR.integers(0, 7, ROWS)),
    "c": pa.array(GENERATOR.choice(["a", "b", "ß'\""], ROWS)),
    "f": pa.array(GENERATOR.random(ROWS) < 0.3),
})
ROLES = {"x": "feature", "n": "feature", "c": "feature", "f": "target", "time": "feature"}


@pytest.fixture
def store():
    return MemoryStore()


def dataset(store, table=TABLE, partition="p"):
    digest, _ = store_table(
        store, table, dataset="d", partition=partition, stage="ok", time_column="time", source=[], parent=None
    )
    return get_document(store, digest, "dataset")


def reference(store, **options):
    return profile_reference(store, [dataset(store)], columns=ROLES, **options)


def test_every_row_of_a_reference_is_counted_once(store):
    profile = reference(store)
    assert (profile.rows, len(profile.chunk_rows), sum(profile.chunk_rows)) == (ROWS, 20, ROWS)
    for name, column in profile.columns.items():
        assert column.rows == ROWS
        assert column.nulls == TABLE[name].null_count
        assert column.role == ROLES[name]
        assert column.counts.shape[0] == 20


def test_numbers_keep_their_exact_moments(store):
    column = reference(store).columns["x"]
    values = TABLE["x"].drop_null().to_numpy()
    assert column.sd == pytest.approx(values.std(), rel=1e-12)
    assert column.moments.mean == pytest.approx(values.mean(), rel=1e-12)
    assert (column.moments.minimum, column.moments.maximum) == (values.min(), values.max())
    assert column.sums.sum() == pytest.approx(values.sum(), rel=1e-12)


def test_moments_of_large_numbers_far_from_zero_lose_no_digits():
    values = 1e15 + np.arange(1000.0)
    assert profile_arrays({"x": values}).columns["x"].sd == pytest.approx(np.arange(1000.0).std(), rel=1e-9)


def test_cells_hold_what_lies_between_their_edges(store):
    column = reference(store).columns["x"]
    values = TABLE["x"].drop_null().to_numpy()
    ends = np.concatenate([[-np.inf], column.edges, [np.inf]])
    np.testing.assert_array_equal(column.cells, np.histogram(values, ends)[0])


def test_cells_of_a_continuous_column_are_about_equally_full():
    column = profile_arrays({"x": np.random.default_rng(1).lognormal(size=50_000)}).columns["x"]
    assert len(column.edges) == pytest.approx(1025, abs=2)
    assert column.cells.max() <= 3 * 50_000 / 1024


def test_a_frequent_value_has_a_cell_of_its_own():
    generator = np.random.default_rng(2)
    values = np.where(generator.random(20_000) < 0.4, 0.0, generator.normal(size=20_000))
    column = profile_arrays({"x": values}).columns["x"]
    cell = np.searchsorted(column.edges, 0.0, side="right")
    assert column.cells[cell] == np.count_nonzero(values == 0.0)
    assert column.edges[cell] == np.nextafter(0.0, 1.0)


def test_few_values_are_counted_one_by_one(store):
    column = reference(store).columns["n"]
    seen = column.cells[column.cells > 0]
    np.testing.assert_array_equal(seen, np.bincount(TABLE["n"].to_numpy()))
    assert column.distinct == 7


def test_categories_come_the_most_frequent_first_and_booleans_are_categories(store):
    columns = reference(store).columns
    counts = pd.Series(TABLE["c"].to_pylist()).value_counts()
    assert columns["c"].categories == tuple(counts.index)
    assert columns["c"].cells.tolist() == [*counts, 0]
    assert set(columns["f"].categories) == {"true", "false"}
    assert not columns["f"].numeric


def test_rare_categories_beyond_the_limit_count_together():
    names = [f"{number:04d}" for number in range(1200)]
    column = profile_arrays({"c": np.array(names * 2 + names[:100])}).columns["c"]
    assert len(column.categories) == 1000
    assert column.other == 2 * 200
    assert column.distinct == 1200


def test_long_categories_are_cut():
    column = profile_arrays({"c": np.array(["x" * 500, "y"])}).columns["c"]
    assert set(column.categories) == {"x" * 64, "y"}


def test_times_are_numbers(store):
    column = reference(store).columns["time"]
    assert column.type == "timestamp"
    assert column.moments.minimum == pd.Timestamp("2013-01-01", tz="UTC").timestamp()
    assert column.moments.maximum - column.moments.minimum == (ROWS - 1) * 60


def test_chunks_follow_the_order_column(store):
    profile = reference(store, order_by="time", chunks=10)
    assert profile.chunk_rows == (300,) * 10
    times = TABLE["time"].to_numpy().astype("datetime64[m]").astype(int)
    first = np.argsort(times)[:300]
    numbers = profile.columns["n"]
    np.testing.assert_array_equal(
        numbers.counts[0][numbers.cells > 0], np.bincount(TABLE["n"].to_numpy()[first], minlength=7)
    )


def test_chunks_follow_the_rows_without_an_order_column():
    profile = profile_arrays({"x": np.arange(10.0)}, chunks=5)
    assert profile.chunk_rows == (2,) * 5
    column = profile.columns["x"]
    assert [np.flatnonzero(chunk)[0] for chunk in column.counts] == sorted(np.flatnonzero(column.cells)[::2])


def test_rows_without_a_place_in_the_order_fall_into_the_last_chunk():
    profile = profile_arrays({"x": np.arange(10.0), "t": np.array([np.nan] * 4 + [1.0] * 6)}, chunks=2, order_by="t")
    assert profile.chunk_rows == (6, 4)
    assert "t" not in profile.columns


def test_arrays_give_the_profile_of_the_file(store):
    stored, arrays = reference(store), profile_arrays(dict(zip(TABLE.column_names, TABLE.columns, strict=True)))
    for name, column in stored.columns.items():
        np.testing.assert_array_equal(column.counts, arrays.columns[name].counts)
        np.testing.assert_array_equal(column.edges, arrays.columns[name].edges)
        assert column.categories == arrays.columns[name].categories


def test_several_files_are_one_table(store):
    parts = [dataset(store, TABLE.slice(0, 1000), "a"), dataset(store, TABLE.slice(1000), "b")]
    together = profile_reference(store, parts, columns=ROLES)
    for name, column in reference(store).columns.items():
        np.testing.assert_array_equal(column.counts, together.columns[name].counts)


def test_extra_columns_are_predictions_with_rows_of_their_own(store):
    profile = reference(store, extra={"prediction": np.linspace(0, 1, 500)})
    column = profile.columns["prediction"]
    assert (column.role, column.rows, column.counts.shape[0]) == ("prediction", 500, 20)


def test_a_large_reference_chooses_its_cells_from_a_sample_of_every_part():
    values = np.arange(500_000.0)
    column = profile_arrays({"x": values}).columns["x"]
    assert 150_000 < column.distinct < 250_000
    assert column.rows == 500_000
    inner = column.cells[1:-1]
    assert inner.min() > 0.5 * 500_000 / 1024
    assert inner.max() < 2 * 500_000 / 1024


def test_a_window_is_counted_in_the_cells_of_its_reference(store):
    before = reference(store)
    moved = TABLE.set_column(1, "x", pa.array(TABLE["x"].to_numpy() + 100, from_pandas=True))
    window = profile_window(store, [dataset(store, moved)], reference=before)
    column = window.columns["x"]
    assert column.counts.shape == (1, len(before.columns["x"].edges) + 1)
    assert column.cells[-1] == column.values
    assert column.role == "feature"
    np.testing.assert_array_equal(window.columns["n"].cells, before.columns["n"].cells)
    assert window.unknown == ()


def test_new_and_vanished_columns_are_told(store):
    table = TABLE.drop_columns(["x"]).append_column("fresh", TABLE["n"])
    window = profile_window(store, [dataset(store, table)], reference=reference(store))
    assert "x" not in window.columns
    assert window.unknown == ("fresh",)


def test_a_window_without_a_known_column_still_has_its_rows():
    window = profile_arrays({"y": np.arange(7)}, reference=profile_arrays({"x": np.arange(5.0)}))
    assert (window.rows, window.columns, window.unknown) == (7, {}, ("y",))


def test_new_categories_count_as_others(store):
    table = TABLE.set_column(3, "c", pa.array(["a", None, "new"] * 1000))
    column = profile_window(store, [dataset(store, table)], reference=reference(store)).columns["c"]
    assert (column.other, column.nulls, column.rows) == (1000, 1000, ROWS)


def test_a_column_may_have_another_name_in_the_window(store):
    before = profile_arrays({"prediction": np.linspace(0, 1, 100)})
    scored = pa.table({"score": np.linspace(0, 1, 50)})
    window = profile_window(store, [dataset(store, scored)], reference=before, names={"prediction": "score"})
    assert window.columns["prediction"].rows == 50
    assert window.unknown == ()


@pytest.mark.parametrize(
    ("values", "missing"),
    [
        (pa.array(["1.5", "many", None]), 2),
        (pa.array([1, 2, 3]), 0),
        (pa.array([True, None, False]), 1),
        (pa.array([None, None, None], pa.float64()), 3),
        (pa.array([0.5, float("inf"), 1e200]), 2),
    ],
    ids=["text", "integers", "booleans", "empty", "infinite"],
)
def test_a_number_that_cannot_be_read_is_missing(values, missing):
    before = profile_arrays({"x": np.arange(100.0)})
    assert profile_arrays({"x": values}, reference=before).columns["x"].nulls == missing


@pytest.mark.parametrize("values", [[0, 1, 1], [0.0, 1.0, 1.0], [False, True, True], ["no", "yes", "yes"]], ids=str)
def test_classes_are_categories_whatever_their_type(values):
    before = profile_arrays({"late": np.array(values)}, categorical=["late"])
    window = profile_arrays({"late": np.array(values * 2)}, reference=before)
    assert window.columns["late"].cells.tolist() == [4, 2, 0]
    assert not window.columns["late"].numeric


@pytest.mark.parametrize(
    "values",
    [
        np.array([]),
        np.full(50, np.nan),
        np.array([None] * 50, dtype=object),
        np.full(50, 3.0),
        np.full(50, np.inf),
        np.array(["only"] * 50),
    ],
    ids=["no rows", "all missing", "no type", "constant", "infinite", "one category"],
)
def test_odd_columns_are_profiled_kept_and_counted_again(store, values):
    before = load_profile(store, store_profile(store, profile_arrays({"x": values})))
    window = profile_arrays({"x": values}, reference=before)
    assert window.columns["x"].rows == len(values)
    np.testing.assert_array_equal(window.columns["x"].cells, before.columns["x"].cells)


def test_a_stored_profile_comes_back_whole(store):
    profile = reference(store, order_by="time", extra={"prediction": np.linspace(0, 1, 500)})
    back = load_profile(store, store_profile(store, profile))
    assert (back.rows, back.chunk_rows, back.order) == (profile.rows, profile.chunk_rows, "time")
    assert list(back.columns) == list(profile.columns)
    for name, column in profile.columns.items():
        for field in ("edges", "counts", "sums", "missing", "infinite"):
            np.testing.assert_array_equal(getattr(column, field), getattr(back.columns[name], field))
        for field in ("name", "type", "role", "categories", "distinct"):
            assert getattr(column, field) == getattr(back.columns[name], field)
        if column.moments.count:
            assert column.moments == back.columns[name].moments


def test_storing_the_same_rows_again_writes_nothing(store):
    first = store_profile(store, reference(store))
    keys = list(store.keys(""))
    assert store_profile(store, reference(store)) == first
    assert list(store.keys("")) == keys


def test_a_profile_of_fifty_columns_is_small(store):
    generator = np.random.default_rng(3)
    profile = profile_arrays({f"x{number}": generator.lognormal(size=40_000) for number in range(50)})
    digest = store_profile(store, profile)
    assert get_document(store, digest)["file"]["size"] < 2_000_000
    assert len(store.read(f"blobs/{digest[:2]}/{digest}")) < 50_000


def test_a_damaged_profile_is_refused(store):
    digest = store_profile(store, reference(store))
    file = get_document(store, digest)["file"]["sha256"]
    other = fill(MemoryStore(), store, {layout.blob(file): b"PAR1"})
    with pytest.raises(CorruptArtifact):
        load_profile(other, digest)


def test_windows_of_several_partitions_become_one(store):
    before = reference(store)
    parts = [dataset(store, TABLE.slice(0, 1000), "a"), dataset(store, TABLE.slice(1000), "b")]
    merged = Profile.merge(*(profile_window(store, [part], reference=before) for part in parts))
    whole = profile_window(store, parts, reference=before)
    assert (merged.rows, merged.chunk_rows) == (ROWS, (1000, 2000))
    for name, column in whole.columns.items():
        np.testing.assert_array_equal(merged.columns[name].cells, column.cells)
        assert merged.columns[name].nulls == column.nulls
        assert merged.columns[name].moments.mean == pytest.approx(column.moments.mean, nan_ok=True)
        assert merged.columns[name].sd == pytest.approx(column.sd, nan_ok=True)


def test_profiles_of_different_references_do_not_merge():
    with pytest.raises(UsageError, match="cells of one reference"):
        Profile.merge(profile_arrays({"x": np.arange(5.0)}), profile_arrays({"x": np.arange(6.0)}))
    with pytest.raises(UsageError, match="At least one"):
        Profile.merge()


@pytest.mark.parametrize("options", [{"columns": {"y": "feature"}}, {"columns": {}}, {"columns": ROLES, "chunks": 0}])
def test_a_reference_needs_columns_that_exist(store, options):
    with pytest.raises(UnsuitableData, match="columns that exist"):
        profile_reference(store, [dataset(store)], **options)


def test_a_profile_needs_a_dataset(store):
    with pytest.raises(UsageError, match="at least one dataset"):
        profile_window(store, [], reference=reference(store))
