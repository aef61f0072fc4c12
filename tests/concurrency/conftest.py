from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from stoker.registry.registry import Registry
from stoker.store.local_files import LocalStore
from tests.registry.lives import prepare

MEMORY = Path("/dev/shm")  # a sync costs nothing there, and what it means is simulated or not at stake


@pytest.fixture
def folder() -> Iterator[Path]:
    """An empty folder, in memory where the machine has such a place."""
    with tempfile.TemporaryDirectory(dir=MEMORY if os.access(MEMORY, os.W_OK) else None) as made:
        yield Path(made)


@pytest.fixture
def prepared(folder: Path) -> Path:
    """A store that is ready for a life, to be copied."""
    root = folder / "prepared"
    prepare(Registry(LocalStore(root)))
    return root
