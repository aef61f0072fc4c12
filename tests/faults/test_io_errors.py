"""Calls to the operating system fail, each with every error that a disk has; and a disk that is really full."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import pytest

from stoker.errors import StoreNotWritable
from stoker.store.local_files import LocalStore
from tests.faults.io_errors import ERRORS, Unclear, disk_calls, endured, endured_calls, told_until_error
from tests.faults.story import WHOLE_STORY, World, survived
from tests.faults.workers import shared_out

PAGE = 4096


@pytest.mark.parametrize("lasting", [False, True], ids=["once", "from then on"])
def test_an_error_is_clear_and_nothing_is_lost(world: World, lasting: bool) -> None:
    last = disk_calls(world, WHOLE_STORY)
    ends = [
        endured(world, WHOLE_STORY, k, ERRORS[number % len(ERRORS)], lasting=lasting)
        for number, k in enumerate(range(1, last + 1, 61))
    ]
    assert {"StoreNotWritable", "StoreUnavailable"} <= set(ends)


class Careless(LocalStore):
    """Goes on when the file could not be synced."""

    def _write(self, key: str, name: str, folder: int, temporary: int, source: BinaryIO) -> None:
        try:
            super()._write(key, name, folder, temporary, source)
        except OSError:
            return


def test_it_would_notice_a_write_that_fails_in_silence(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.faults.io_errors.LocalStore", Careless)
    story = ("promote 2",)
    with pytest.raises(Unclear):
        sum(bool(endured(world, story, k, ERRORS[0])) for k in range(1, disk_calls(world, story)))


@contextmanager
def tiny_disk(folder: Path, kib: int) -> Iterator[Path]:
    place = folder / "tiny"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={kib}k", "tmpfs", place], check=True)
    try:
        yield place
    finally:
        subprocess.run(["umount", place], check=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="a full disk needs root, to mount one")
def test_a_full_disk_is_told_and_the_story_goes_on_when_there_is_room(world: World, tmp_path: Path) -> None:
    refused = 0
    for free in range(0, 160, 24):
        with tiny_disk(tmp_path, 1024) as place:
            root = world.fresh(place / "store")
            _fill_up(place / "ballast", free)
            acknowledged, error = told_until_error(world, root, WHOLE_STORY)
            if error:
                assert isinstance(error, StoreNotWritable)
                assert "No space left on device" in error.message
                refused += 1
            (place / "ballast").unlink()
            survived(world, LocalStore(root), WHOLE_STORY, acknowledged)
            assert not list(root.glob(".tmp/*"))
        shutil.rmtree(tmp_path / "tiny")
    assert refused >= 3


def _fill_up(ballast: Path, free: int) -> None:
    """Leave so many KiB."""
    with ballast.open("wb") as file:
        status = os.statvfs(ballast)
        file.write(bytes(max(0, status.f_bavail * status.f_frsize - free * 1024) // PAGE * PAGE))


@pytest.mark.fault
@pytest.mark.timeout(3600)
def test_every_error_at_every_call_is_clear_and_nothing_is_lost(world: World, capsys: Any) -> None:
    """Lasting errors at every fifth call: what follows the first failure is mostly the end of the story."""
    last = disk_calls(world, WHOLE_STORY)
    for number in ERRORS:
        for lasting, stride in ((False, 1), (True, 5)):
            every = range(1, last + 1, stride)
            portions = [every[begun : begun + 60] for begun in range(0, len(every), 60)]
            stopped = sum(shared_out(endured_calls, portions, WHOLE_STORY, number, lasting))
            assert stopped
            with capsys.disabled():
                print(
                    f"\n{os.strerror(number)} at {len(every)} of {last} calls{', lasting' if lasting else ''}: "
                    f"{stopped} stopped the story with a clear error, 0 lost",
                    end="",
                )
