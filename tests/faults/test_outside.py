"""The same deaths and errors from outside: ``strace`` kills the teller, or fails its calls."""

from __future__ import annotations

import errno
import random
import shutil
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from stoker.errors import TransportError
from stoker.store.local_files import LocalStore
from tests.faults.io_errors import ERRORS
from tests.faults.outside import CHANGING, told_under, why_not
from tests.faults.story import World, random_story, survived

pytestmark = [
    pytest.mark.filterwarnings("ignore:This process:DeprecationWarning"),
    pytest.mark.skipif(bool(why_not()), reason=why_not()),
]

SEED = 20261121
KILLS, FAILURES = 300, 300
_LATEST = {"openat": 300, "fsync": 30, "linkat": 12, "mkdirat": 8, "unlinkat": 20, "write": 15}


def _fault(world: World, seed: int, fault: Callable[[random.Random], str]) -> tuple[int, int, bool]:
    """Steps of the story of a seed, how many of them were acknowledged, and whether the teller was killed."""
    chance = random.Random(seed)
    story, call = random_story(chance), chance.choice(CHANGING)
    root = world.fresh()

    def tell(heard: Callable[[str], object]) -> None:
        with suppress(TransportError):
            world.tell(LocalStore(root), story, heard)

    acknowledged, dead = told_under(tell, call, fault(chance), chance.randint(1, _LATEST[call]))
    survived(world, LocalStore(root), story, acknowledged)
    shutil.rmtree(root)
    return len(story), acknowledged, dead


def _kill(_: random.Random) -> str:
    return "signal=KILL"


def _error(chance: random.Random) -> str:
    return f"error={errno.errorcode[chance.choice(ERRORS)]}"


def test_nothing_is_lost_when_the_teller_is_killed_from_outside(world: World) -> None:
    assert sum(_fault(world, seed, _kill)[2] for seed in range(SEED, SEED + 6))


def test_nothing_is_lost_when_the_kernel_fails_a_call(world: World) -> None:
    stopped = 0
    for seed in range(SEED, SEED + 6):
        steps, acknowledged, _ = _fault(world, seed, _error)
        stopped += acknowledged < steps
    assert stopped


@pytest.mark.fault
@pytest.mark.timeout(3600)
def test_nothing_is_lost_when_hundreds_of_tellers_are_killed_from_outside(world: World, capsys: Any) -> None:
    killed, seed = 0, SEED
    while killed < KILLS:
        killed += _fault(world, seed, _kill)[2]
        seed += 1
    with capsys.disabled():
        print(
            f"\n{killed} stories killed by strace at {', '.join(CHANGING)}, seeds {SEED} to {seed - 1}: 0 lost, 0 torn"
        )


@pytest.mark.fault
@pytest.mark.timeout(3600)
def test_nothing_is_lost_when_the_kernel_fails_hundreds_of_calls(world: World, capsys: Any) -> None:
    stopped = 0
    for seed in range(SEED, SEED + FAILURES):
        steps, acknowledged, _ = _fault(world, seed, _error)
        stopped += acknowledged < steps
    assert stopped > FAILURES / 10
    with capsys.disabled():
        print(f"\n{FAILURES} stories with one call failed by strace, seeds from {SEED}: {stopped} stopped, 0 lost")
