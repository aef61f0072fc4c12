"""The process or the machine dies at every call that changes the file system."""

from __future__ import annotations

import os
import random
import shutil
import signal
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from stoker.errors import StokerError
from stoker.registry.registry import Registry
from stoker.store.local_files import LocalStore
from tests.concurrency.disk import Disk, PowerCut
from tests.registry.lives import Life, live, survived


def _cut() -> None:
    raise PowerCut


def _calls(prepared: Path, folder: Path) -> int:
    disk = Disk(stop=_cut)
    root = shutil.copytree(prepared, folder / "counted")
    with disk.plugged_in():
        live(Registry(LocalStore(root)), lambda _: None)
    return disk.calls


def _killed(root: Path, k: int, *, torn: bool) -> tuple[Life, bool]:
    """A life in a process of its own, which kills itself with the signal that nothing can catch, and whether it did."""
    heard, told = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            disk = Disk(stop_at=k, stop=lambda: os.kill(os.getpid(), signal.SIGKILL), torn=torn)
            with disk.plugged_in():
                live(Registry(LocalStore(root)), lambda what: os.write(told, f"{what}\n".encode()) and None)
            os._exit(0)
        finally:
            os._exit(1)
    os.close(told)
    with os.fdopen(heard) as pipe:
        life = Life(set(pipe.read().split()))
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0
    return life, os.WIFSIGNALED(status)


def test_nothing_acknowledged_is_lost_when_the_process_is_killed_at_any_call(prepared: Path, folder: Path) -> None:
    calls = _calls(prepared, folder)
    for k in range(1, calls + 2):
        root = shutil.copytree(prepared, folder / "life")
        life, killed = _killed(root, k, torn=k % 2 == 0)
        assert killed == (k <= calls)
        survived(LocalStore(root), life)
        shutil.rmtree(root)


def _losses(prepared: Path, folder: Path, *, spare: Callable[[], bool] = lambda: False, forgets: str = "") -> list[int]:
    """The calls at which a power cut loses something that was acknowledged."""
    found = []
    for k in range(1, _calls(prepared, folder) + 2):
        root = shutil.copytree(prepared, folder / "life")
        disk, life = Disk(stop_at=k, stop=_cut, torn=k % 2 == 0, forgets=forgets), Life()
        with suppress(PowerCut), disk.plugged_in():
            live(Registry(LocalStore(root)), life.acknowledge)
        disk.lose(root, spare=spare)
        try:
            survived(LocalStore(root), life)
        except (AssertionError, StokerError):
            found.append(k)
        shutil.rmtree(root)
    return found


def test_nothing_acknowledged_is_lost_when_the_power_fails_at_any_call(prepared: Path, folder: Path) -> None:
    assert _losses(prepared, folder) == []


def test_nothing_acknowledged_is_lost_when_chance_decides_what_the_disk_keeps(prepared: Path, folder: Path) -> None:
    chance = random.Random(1)
    assert _losses(prepared, folder, spare=lambda: chance.random() < 0.5) == []


@pytest.mark.parametrize("forgets", ["files", "folders"])
def test_the_power_test_would_notice_a_sync_that_was_left_out(prepared: Path, folder: Path, forgets: str) -> None:
    assert _losses(prepared, folder, forgets=forgets) != []
