"""Windows that are counted ahead, by whomever: the same counts, the same verdict, and no row is read twice."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.models import put
from tests.support.windows import ROWS, Trained, judge, parts_of, start, trained_on, window

from stoker.engines import drift_windows, metrics
from stoker.engines.drift_windows import (
    Current,
    Office,
    count_datasets,
    count_window,
    joined,
    own_predictions,
    profile_windows,
)
from stoker.engines.profiles import Profile, load_profile, profile_window, store_profile
from stoker.errors import CorruptArtifact
from stoker.store import layout
from stoker.store.base import ObjectStore
from stoker.store.documents import get_document
from stoker.store.memory import MemoryStore

cuts = st.sets(st.integers(1, len(ROWS) - 1), max_size=4).map(sorted)


def _counted(store: ObjectStore, office: Office, current: Current, reference: Profile) -> Profile:
    return count_window(store, office, current, reference, own_predictions(store, office, current))


@pytest.fixture(scope="module")
def trained() -> Trained:
    return trained_on()


@settings(max_examples=3, deadline=None)
@given(places=cuts, order=st.randoms(use_true_random=False))
def test_windows_counted_by_others_give_the_same_document(trained: Trained, places: list[int], order: Any) -> None:
    stores = [start(trained) for _ in range(2)]
    months = [[window(store, f"2013-0{n}", *parts_of(places), version=1) for n in (2, 3)] for store, _ in stores]
    (alone, office), (spread, _) = stores
    ahead = list(months[1])
    order.shuffle(ahead)
    for one in ahead:
        profile_windows(spread, office, [one])
    fetched = spread.fetched
    assert [judge(spread, office, one).digest for one in months[1]] == [
        judge(alone, office, one).digest for one in months[0]
    ]
    assert spread.fetched == fetched


@settings(max_examples=3, deadline=None)
@given(places=cuts)
def test_partitions_joined_are_their_rows_together(trained: Trained, places: list[int]) -> None:
    store, office = start(trained)
    reference = load_profile(store, office.profile or "")
    whole = profile_window(store, [get_document(store, put(store, ROWS, "w").digest)], reference=reference)
    digests = [put(store, part, f"p{number}").digest for number, part in enumerate(parts_of(places))]
    found = count_datasets(store, office.profile or "", reference, digests)
    assert (found.rows, sum(found.chunk_rows), found.unknown) == (whole.rows, whole.rows, whole.unknown)
    for name, column in whole.columns.items():
        np.testing.assert_array_equal(found.columns[name].cells, column.cells)
        assert (found.columns[name].nulls, found.columns[name].rows) == (column.nulls, column.rows)
        np.testing.assert_allclose(found.columns[name].sums, column.sums)


def test_what_is_kept_is_exactly_what_was_counted(trained: Trained) -> None:
    store, office = start(trained)
    reference = load_profile(store, office.profile or "")
    dataset = put(store, ROWS, "2013-02").digest
    kept = count_datasets(store, office.profile or "", reference, [dataset])
    counted = joined([profile_window(store, [get_document(store, dataset)], reference=reference)])
    assert described(kept) == described(counted)


def described(profile: Profile) -> Any:
    """All of a profile, each float to its last bit: the digest of what is stored."""
    return store_profile(MemoryStore(), profile)


def test_a_window_that_was_judged_before_is_not_read_again_under_another_policy(trained: Trained) -> None:
    store, office = start(trained)
    current = window(store, "2013-02", ROWS, version=1)
    judge(store, office, current)
    fetched = store.fetched
    again = judge(store, office, current, min_rows=60)
    assert (again.summary["rows"], store.fetched) == (600, fetched)


def test_predictions_of_another_version_are_not_counted(trained: Trained) -> None:
    store, office = start(trained)
    reference = load_profile(store, office.profile or "")
    for version, there in ((1, True), (2, False)):
        counted = _counted(store, office, window(store, "2013-02", ROWS, version=version), reference)
        assert ("prediction" in counted.columns) is there


def test_a_column_that_one_partition_lacks_is_missing_there(trained: Trained) -> None:
    store, office = start(trained)
    reference = load_profile(store, office.profile or "")
    without = ROWS.slice(400).drop_columns(["wind"])
    current = window(store, "2013-02", ROWS.slice(0, 400), without)
    wind = _counted(store, office, current, reference).columns["wind"]
    assert (wind.rows, wind.nulls) == (600, 200 + ROWS["wind"].slice(0, 400).null_count)
    both = [put(store, without, name).digest for name in ("x", "y")]
    assert "wind" not in count_datasets(store, office.profile or "", reference, both).columns


def test_what_was_swept_is_counted_again(trained: Trained) -> None:
    store, office = start(trained)
    current = window(store, "2013-02", ROWS)
    reference = load_profile(store, office.profile or "")
    before = described(_counted(store, office, current, reference))
    (key,) = store.keys(layout.PROFILES)
    kept = [key for key in store.keys("blobs/") if key not in trained[0]]
    rows = layout.blob(get_document(store, current.datasets[0])["file"]["sha256"])
    documents = {layout.blob(current.datasets[0]), rows}
    for blob in set(kept) - documents:
        store.delete_swept(blob)
        assert described(_counted(store, office, current, reference)) == before
    store.delete_swept(key)
    assert described(_counted(store, office, current, reference)) == before
    assert list(store.keys(layout.PROFILES)) == [key]


def test_what_somebody_else_kept_meanwhile_counts_for_all(trained: Trained, monkeypatch: pytest.MonkeyPatch) -> None:
    store, office = start(trained)
    reference = load_profile(store, office.profile or "")
    current, other = window(store, "2013-02", ROWS), window(store, "2013-03", ROWS.slice(0, 100))
    theirs = profile_window(store, [get_document(store, other.datasets[0])], reference=reference)
    real = drift_windows._keep

    def overtaken(store: Any, key: str, digest: str) -> None:
        real(store, key, store_profile(store, theirs))
        real(store, key, digest)

    monkeypatch.setattr(drift_windows, "_keep", overtaken)
    assert _counted(store, office, current, reference).rows == 100


def test_a_damaged_count_is_refused(trained: Trained) -> None:
    store, office = start(trained)
    current = window(store, "2013-02", ROWS)
    reference = load_profile(store, office.profile or "")
    _counted(store, office, current, reference)
    (key,) = store.keys(layout.PROFILES)
    digest = drift_windows.parse_pointer(store.read(key), key, "window_profile")["profile"]
    store.delete_swept(layout.blob(digest))
    store.create(layout.blob(digest), b"{}")
    with pytest.raises(CorruptArtifact):
        _counted(store, office, current, reference)


def test_the_word_for_several_classes_is_that_of_the_metrics() -> None:
    assert drift_windows._MULTICLASS == metrics.MULTICLASS
