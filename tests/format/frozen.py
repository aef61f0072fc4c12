"""The frozen stores of earlier formats, as today's code finds them."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from stoker.core import wire
from stoker.store.local_files import LocalStore
from stoker.store.memory import MemoryStore

_HERE = Path(__file__).parent

FACTS: dict[str, Any] = json.loads((_HERE / "format_1.json").read_text())
"""What the store of format 1 said about itself on the day when it was frozen."""


def objects() -> dict[str, bytes]:
    """Every key of the store of format 1, with its bytes."""
    with zipfile.ZipFile(_HERE / "format_1.zip") as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def folder(root: Path) -> LocalStore:
    """The store of format 1 as it lay on a disk."""
    with zipfile.ZipFile(_HERE / "format_1.zip") as archive:
        archive.extractall(root)
    return LocalStore(root)


def in_memory(changed: Mapping[str, bytes] | None = None, *, without: Collection[str] = ()) -> MemoryStore:
    """The store of format 1, with other bytes under some keys, or without them."""
    store = MemoryStore()
    for key, data in {**objects(), **(changed or {})}.items():
        if key not in without:
            store.create(key, data)
    return store


def of_next_format(data: bytes) -> bytes:
    """A record as a newer Stoker would write it, as far as anybody can know."""
    record = wire.parse(data, "a frozen record")
    return wire.canonical({**record, "format": wire.FORMAT + 1, "novelty": ["of", {"another": "shape"}]})
