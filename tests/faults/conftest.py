from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.faults.story import World, scratch


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Where stories happen."""
    tmp_path_factory.getbasetemp()  # made now, or it would be made among the temporary files that go with this fixture
    with scratch() as folder:
        yield World(folder)
