from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.memory_folder import memory_folder


@pytest.fixture
def folder() -> Iterator[Path]:
    """An empty folder, in memory where the machine has such a place: syncs are simulated here, or not at stake."""
    with memory_folder() as made:
        yield Path(made)
