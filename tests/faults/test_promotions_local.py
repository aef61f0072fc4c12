"""Many processes promote on one folder; every answer that any of them got is checked exactly."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from stoker.store.local_files import LocalStore
from tests.faults.promotions import Verdict, compete
from tests.support.memory_folder import memory_folder

EVERY = 15
"""Seconds between two lines of progress."""


@pytest.fixture
def memory() -> Iterator[Path]:
    with memory_folder() as made:
        yield Path(made)


def _compete(folder: Path, clients: int, promotions: int, **how: Callable[[int, float], None]) -> Verdict:
    verdict = compete(folder, lambda: LocalStore(folder / "store"), clients=clients, promotions=promotions, **how)
    assert verdict.operations >= 2 * verdict.acknowledged
    assert verdict.unknown == 0
    return verdict


def progress(acknowledged: int, seconds: float) -> None:
    """Print a line from time to time."""
    if int(seconds) % EVERY == 0:
        print(f"{acknowledged:,} acknowledged after {seconds:.0f} s", flush=True)


def test_promotions_of_many_processes_are_linearizable(memory: Path) -> None:
    _compete(memory, 16, 10)


def test_promotions_with_real_syncs_are_linearizable(tmp_path: Path) -> None:
    _compete(tmp_path, 4, 5)


@pytest.mark.fault
@pytest.mark.timeout(1800)
def test_64_000_promotions_of_64_processes_are_linearizable(memory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with capsys.disabled():
        verdict = _compete(memory, 64, 1_000, meanwhile=progress)
        print(f"\n64 processes x 1,000 promotions on local files: {verdict}")


@pytest.mark.fault
@pytest.mark.timeout(1200)
def test_1_600_promotions_with_real_syncs_are_linearizable(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with capsys.disabled():
        verdict = _compete(tmp_path, 16, 100, meanwhile=progress)
        print(f"\n16 processes x 100 promotions on local files with real syncs ({tmp_path}): {verdict}")
