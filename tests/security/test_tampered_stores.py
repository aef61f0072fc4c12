"""Good objects in wrong places: each is genuine by itself, and is refused because it lies where another belongs."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from stoker.engines.profiles import load_profile, profile_arrays, store_profile
from stoker.errors import IntegrityError
from stoker.registry import derived
from stoker.registry.entries import entry_key
from stoker.registry.registry import Registry
from stoker.store import layout
from stoker.store.base import ObjectStore
from stoker.store.documents import get_bytes, get_document
from stoker.store.memory import MemoryStore
from tests.registry.cases import MODEL, promote, register
from tests.security.stored_records import make_store
from tests.support.filled import fill


def test_the_files_of_two_models_that_changed_places_are_refused() -> None:
    registry = Registry(MemoryStore())
    files = [register(registry, number, name=name).files["model.skops"].sha256 for number, name in ((1, "a"), (2, "b"))]
    keys = [layout.blob(digest) for digest in files]
    swapped = fill(
        MemoryStore(), registry.store, {keys[0]: registry.store.read(keys[1]), keys[1]: registry.store.read(keys[0])}
    )
    for digest in files:
        with pytest.raises(IntegrityError, match=digest):
            get_bytes(swapped, digest, "The model file")


def test_an_old_manifest_under_a_new_number_is_refused() -> None:
    store = make_store()
    old, new = layout.version_manifest(MODEL, 1), layout.version_manifest(MODEL, 2)
    replayed = fill(MemoryStore(), store, {new: store.read(old)})
    with pytest.raises(IntegrityError, match="versions/2/manifest"):
        derived.read_version_pointer(replayed, MODEL, 2)
    assert Registry(replayed).version(MODEL, 2).manifest == Registry(store).version(MODEL, 2).manifest


def test_an_old_entry_at_the_end_of_the_log_is_refused() -> None:
    store = make_store()
    last = Registry(store).state(MODEL).seq
    replayed = fill(MemoryStore(), store, {entry_key(MODEL, last): store.read(entry_key(MODEL, 2))})
    with pytest.raises(IntegrityError, match=entry_key(MODEL, last)):
        promote(Registry(replayed), 1)


def test_the_log_of_another_model_is_refused() -> None:
    registry = Registry(MemoryStore())
    register(registry, 1, name="a")
    register(registry, 2, name="b")
    swapped = fill(MemoryStore(), registry.store, {entry_key("a", 1): registry.store.read(entry_key("b", 1))})
    with pytest.raises(IntegrityError, match=entry_key("a", 1)):
        Registry(swapped).state("a")


def _good_store() -> MemoryStore:
    store = make_store()
    assert store_profile(store, _COUNTED) == PROFILE
    return store


_COUNTED = profile_arrays({"wind": np.linspace(-1, 1, 500), "carrier": np.array(["AA", "UA"] * 250)})
PROFILE = store_profile(MemoryStore(), _COUNTED)
PLACES: dict[str, tuple[Callable[[ObjectStore], str], Callable[[ObjectStore], object]]] = {
    "an entry": (
        lambda store: entry_key(MODEL, 1),
        lambda store: list(Registry(store).history(MODEL)),
    ),
    "a manifest": (
        lambda store: layout.version_manifest(MODEL, 1),
        lambda store: derived.read_version_pointer(store, MODEL, 1),
    ),
    "a checkpoint": (
        lambda store: layout.checkpoint(MODEL, 16),
        lambda store: derived.read_checkpoint(store, MODEL, 16),
    ),
    "the cells of a profile": (
        lambda store: layout.blob(get_document(store, PROFILE, "profile")["file"]["sha256"]),
        lambda store: load_profile(store, PROFILE),
    ),
    "a profile": (
        lambda store: layout.blob(PROFILE),
        lambda store: load_profile(store, PROFILE),
    ),
    "a file": (
        lambda store: layout.blob(Registry(store).version(MODEL, 1).files["model.skops"].sha256),
        lambda store: get_bytes(store, Registry(store).version(MODEL, 1).files["model.skops"].sha256),
    ),
}


@pytest.mark.parametrize("place", PLACES)
def test_no_flipped_bit_of_any_byte_passes(place: str) -> None:
    key_of, read = PLACES[place]
    good = _good_store()
    key = key_of(good)
    data = good.read(key)
    for position in range(0, len(data), max(1, len(data) // 60)):
        flipped = bytearray(data)
        flipped[position] ^= 1 << position % 8
        with pytest.raises(IntegrityError):
            read(fill(MemoryStore(), good, {key: bytes(flipped)}))
