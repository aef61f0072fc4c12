"""The teller of a story is killed at its calls to the operating system, at every one and at random; nothing is lost, doubled or torn."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import pytest

from stoker.store import layout
from stoker.store.local_files import LocalStore
from tests.faults.kill_points import Kill, Lost, calls, outlived, outlived_seeds, random_kills
from tests.faults.story import WHOLE_STORY, World
from tests.faults.workers import shared_out

pytestmark = pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")

SEED = 20261121
SEEDS = [range(start, start + 200) for start in range(SEED, SEED + 40_000, 200)]


def kill_at(k: int) -> Kill:
    return Kill(k, torn=k % 2 == 0)


def test_nothing_is_lost_when_the_teller_is_killed_at_every_eighteenth_call(world: World) -> None:
    last = calls(world, WHOLE_STORY)
    for k in range(1, last + 1, 18):
        assert outlived(world, WHOLE_STORY, [kill_at(k)]) == 1
    assert outlived(world, WHOLE_STORY, [kill_at(last + 1)]) == 0


@pytest.mark.parametrize("deaths", [1, 2])
def test_nothing_is_lost_in_random_stories_that_are_killed_at_random(world: World, deaths: int) -> None:
    killed = [outlived(world, *random_kills(SEED + number, deaths)) == deaths for number in range(8)]
    assert sum(killed) > 2


# What the battery must notice


class InPlace(LocalStore):
    """Writes an object under its name from the first byte on."""

    def _write(self, key: str, name: str, folder: int, temporary: int, source: BinaryIO) -> None:
        file = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, dir_fd=folder)
        os.write(file, source.read())
        os.fsync(file)
        os.close(file)


class CommitFirst(LocalStore):
    """Writes files and documents only when the entry that names them was written."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self._late: list[tuple[str, bytes]] = []

    def create(self, key: str, data: bytes) -> None:
        if key.startswith("blobs/"):
            self._late.append((key, data))
            return
        super().create(key, data)
        if key.startswith((layout.MODELS, "datasets/")):
            while self._late:
                super().create(*self._late.pop())

    def read(self, key: str) -> bytes:
        return dict(self._late).get(key) or super().read(key)

    def exists(self, key: str) -> bool:
        return key in dict(self._late) or super().exists(key)


class Hasty(LocalStore):
    """Writes an entry when it is asked for the next thing, and has said before that it is written."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self._owed: list[tuple[str, bytes]] = []

    def create(self, key: str, data: bytes) -> None:
        self._pay()
        if "/log/" in key:
            self._owed.append((key, data))
        else:
            super().create(key, data)

    def read(self, key: str) -> bytes:
        self._pay()
        return super().read(key)

    def _pay(self) -> None:
        while self._owed:
            super().create(*self._owed.pop())


@pytest.mark.parametrize("unsound", [InPlace, CommitFirst, Hasty])
def test_the_battery_would_notice(world: World, unsound: Callable[[Path], LocalStore]) -> None:
    story = WHOLE_STORY[:2]
    with pytest.raises(Lost):
        sum(outlived(world, story, [kill_at(k)], opened=unsound) for k in range(1, calls(world, story) + 1))


# At full size


@pytest.mark.fault
@pytest.mark.timeout(1800)
def test_nothing_is_lost_when_the_teller_is_killed_at_every_call(world: World, capsys: Any) -> None:
    last = calls(world, WHOLE_STORY)
    for torn in (False, True):
        for k in range(1, last + 1):
            assert outlived(world, WHOLE_STORY, [Kill(k, torn=torn)]) == 1
    with capsys.disabled():
        print(f"\nkilled at every one of {last} calls of {', '.join(WHOLE_STORY)}, writes whole and torn: 0 lost")


@pytest.mark.fault
@pytest.mark.timeout(3600)
@pytest.mark.parametrize(("deaths", "wanted"), [(1, 10_000), (2, 2_000)])
def test_nothing_is_lost_in_thousands_of_random_stories(deaths: int, wanted: int, capsys: Any) -> None:
    killed = 0
    for more in shared_out(outlived_seeds, SEEDS, deaths):
        killed += more
        with capsys.disabled():
            print(f"\r{killed} of {wanted}", end="", flush=True)
        if killed >= wanted:
            break
    assert killed >= wanted
    with capsys.disabled():
        print(f"\r{killed} random stories killed {deaths} times, seeds from {SEED}: 0 lost, 0 doubled, 0 torn")
