"""Listings of the stores against the obvious model: a sorted dict."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from stoker.store.local_files import LocalStore
from stoker.store.memory import MemoryStore

_PART = st.text("ab0.-=_B", min_size=1, max_size=3).filter(lambda part: part not in {".", ".."})
_KEY = st.lists(_PART, min_size=1, max_size=3).map("/".join)
_TEXT = st.one_of(_KEY, _KEY.map(lambda key: f"{key}/"), st.just(""))


def _without_nesting(keys: set[str]) -> set[str]:
    """Keys of which none lies under another."""
    return {key for key in keys if not any(other != key and key.startswith(f"{other}/") for other in keys)}


@settings(max_examples=80, deadline=None)
@given(st.sets(_KEY, max_size=12).map(_without_nesting), _TEXT, _TEXT)
def test_keys_are_those_of_a_sorted_dict(keys: set[str], prefix: str, after: str) -> None:
    wanted = sorted(key for key in keys if key.startswith(prefix) and key > after)
    with tempfile.TemporaryDirectory() as folder:
        for store in (MemoryStore(), LocalStore(Path(folder))):
            for key in keys:
                store.create(key, b"")
            assert list(store.keys(prefix, after=after)) == wanted


@settings(max_examples=80, deadline=None)
@given(st.sets(_KEY, max_size=12).map(_without_nesting), st.one_of(st.just(""), _KEY.map(lambda key: f"{key}/")))
def test_folders_are_the_first_parts_of_the_keys_below(keys: set[str], prefix: str) -> None:
    below = [key.removeprefix(prefix) for key in sorted(keys) if key.startswith(prefix)]
    wanted = list(dict.fromkeys(key.split("/")[0] for key in below if "/" in key))
    with tempfile.TemporaryDirectory() as folder:
        for store in (MemoryStore(), LocalStore(Path(folder))):
            for key in keys:
                store.create(key, b"")
            assert list(store.folders(prefix)) == wanted


def test_a_listing_goes_on_while_writers_write(tmp_path: Path) -> None:
    for store in (MemoryStore(), LocalStore(tmp_path)):
        for key in ("a/1", "b/1"):
            store.create(key, b"")
        listing = store.keys("")
        assert next(listing) == "a/1"
        store.create("b/2", b"")
        assert list(listing) == ["b/1", "b/2"]


def test_a_listing_looks_into_no_folder_that_cannot_hold_its_keys(tmp_path: Path, monkeypatch) -> None:
    store = LocalStore(tmp_path)
    for key in ("a/1", "b/1/x", "b/2/x", "b/3/x", "c/1"):
        store.create(key, b"")
    looked: list[tuple[str, ...]] = []
    entries = LocalStore._entries
    monkeypatch.setattr(LocalStore, "_entries", lambda self, parts: looked.append(parts) or entries(self, parts))
    assert list(store.keys("b/", after="b/2")) == ["b/2/x", "b/3/x"]
    assert looked == [("b",), ("b", "2"), ("b", "3")]
