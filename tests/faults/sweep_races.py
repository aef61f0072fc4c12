"""Processes that store, register and promote on one folder while another one sweeps it, and is killed again and again.

The clock of all of them runs fast, so that a grace of a day is a few seconds: what was condemned does get removed while others write.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from stoker.core import wire
from stoker.errors import StokerError
from stoker.registry.registry import Registry
from stoker.registry.retention import sweep
from stoker.store import layout, rounds
from stoker.store.local_files import LocalStore
from tests.registry.cases import ALICE, MODEL, START, manifest, promote
from tests.registry.retained import GREEDY, Installation
from tests.support.processes import FORK

PARTITIONS = ("2013-01", "2013-02", "2013-03")
CONTENTS = 40


@dataclass(frozen=True)
class Outcome:
    """What a race came to."""

    acknowledged: int
    refused: int
    sweeps: int
    killed: int
    removed: int
    dangling: list[str]


class FastClock:
    """Shared by all processes of the machine: the kernel's monotonic clock, so many times as fast."""

    def __init__(self, speed: float) -> None:
        self.speed = speed
        self.begun = time.monotonic()

    def __call__(self) -> datetime:
        return START + timedelta(seconds=self.seconds())

    def seconds(self) -> float:
        return (time.monotonic() - self.begun) * self.speed


def race(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    writers: int,
    seconds: float,
    grace: float,
    seed: int,
    pause: float = 0.0,
) -> Outcome:
    """Let writers and a sweep run against each other.

    :param grace: how long a day takes, in seconds; every call of a writer must be much shorter.
    :param pause: most seconds between two calls of a writer. In a store that grows faster than a sweep looks through it, no sweep
        comes to remove anything before it is killed.
    """
    clock = FastClock(GREEDY.grace.total_seconds() / grace)
    # A lease must be long enough for a removal and short enough for a writer to see its end.
    monkeypatch.setattr(rounds, "LEASE", timedelta(seconds=GREEDY.grace.total_seconds() / 8))
    monkeypatch.setattr("stoker.registry.retention._SAFE_SECONDS", rounds.LEASE.total_seconds() / 2)
    home = Installation(monkeypatch, LocalStore(folder), clock=clock)
    until = time.monotonic() + seconds
    told: Any = FORK.Queue()
    crew = [FORK.Process(target=_write, args=(home, until, seed + number, pause, told)) for number in range(writers)]
    for one in crew:
        one.start()
    killed, chance = 0, random.Random(seed)
    while time.monotonic() < until:
        sweeping = FORK.Process(target=_sweep, args=(home, until, told))
        sweeping.start()
        sweeping.join(chance.uniform(0.1, 2.0) * grace)
        if sweeping.is_alive():
            sweeping.kill()
            killed += 1
        sweeping.join()
    answers = [told.get(timeout=60) for _ in crew]
    for one in crew:
        one.join()
    removed = [_removed(home, key) for key in home.store.keys(layout.ROUNDS) if key.endswith("finished.json")]
    return Outcome(
        acknowledged=sum(acknowledged for acknowledged, _ in answers),
        refused=sum(refused for _, refused in answers),
        sweeps=len(removed),
        killed=killed,
        removed=sum(removed),
        dangling=home.dangling(),
    )


def _write(home: Installation, until: float, seed: int, pause: float, told: Any) -> None:
    chance, acknowledged, refused = random.Random(seed), 0, 0
    registry = Registry(home.store, clock=home.clock)
    while time.monotonic() < until:
        action = chance.choice((_snapshot, _snapshot, _register, _promote))
        try:
            action(home, registry, chance)
        except StokerError:
            refused += 1
        else:
            acknowledged += 1
        time.sleep(chance.uniform(0.0, pause))
    told.put((acknowledged, refused))


def _snapshot(home: Installation, registry: Registry, chance: random.Random) -> None:
    home.snapshot(f"rows {chance.randrange(CONTENTS)}", chance.choice(PARTITIONS))


def _register(home: Installation, registry: Registry, chance: random.Random) -> None:
    trained_on = home.snapshot(f"rows {chance.randrange(CONTENTS)}", chance.choice(PARTITIONS))
    given = manifest(home.store, chance.randrange(CONTENTS), candidate={"dataset": trained_on})
    given["fingerprint"] = wire.sha256(chance.randbytes(16))
    registry.register(MODEL, given, actor=ALICE, reason="trained")


def _promote(home: Installation, registry: Registry, chance: random.Random) -> None:
    versions = registry.state(MODEL).versions
    promote(registry, chance.randint(max(versions - 5, 1), versions))


def _sweep(home: Installation, until: float, told: Any) -> None:
    clock: FastClock = home.clock
    registry = Registry(home.store, clock=clock)
    while time.monotonic() < until:
        with _patience():
            sweep(registry, GREEDY, actor=ALICE, clock=clock, monotonic=clock.seconds, tell=lambda line: None)
        time.sleep(0.05)


@contextmanager
def _patience() -> Iterator[None]:
    try:
        yield
    except StokerError as error:
        if not (error.retryable or "One sweep" in error.message):
            raise


def _removed(home: Installation, key: str) -> int:
    removed: int = wire.parse(home.store.read(key), key)["removed"]
    return removed
