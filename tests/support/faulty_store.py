"""A store that fails where a test says so, over any other store.

::

    FaultyStore(MemoryStore(), {3: Fault.AFTER})          # the third write lands, its reply is lost
    FaultyStore(MemoryStore(), kill_at(3))                # the process dies before the third write lands
    FaultyStore(MemoryStore(), kill_at(3, after=True))    # ... after it landed
    FaultyStore(MemoryStore(), seeded(7, writes=100))     # a fault at about every fifth of the first 100 writes

Writes are ``create``, ``create_from_file`` and ``delete_swept``, counted from 1 over all threads. Torn writes are not on offer: no store
of ours may show one.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterator, Mapping
from enum import Enum, auto
from pathlib import Path

from stoker.errors import CommitStateUnknown, StoreUnavailable
from stoker.store.base import ObjectStore, Stat


class Killed(BaseException):
    """The process is gone: no ``except Exception`` of the code under test may go on."""


class Fault(Enum):
    BEFORE = auto()  # StoreUnavailable, nothing landed
    AFTER = auto()  # landed, and CommitStateUnknown: the reply was lost
    LOST = auto()  # CommitStateUnknown, and nothing landed: the caller cannot tell it from AFTER
    KILL_BEFORE = auto()  # Killed, nothing landed
    KILL_AFTER = auto()  # landed, and Killed


def kill_at(k: int, *, after: bool = False) -> dict[int, Fault]:
    """The plan that dies at the k-th write, before or after it landed."""
    return {k: Fault.KILL_AFTER if after else Fault.KILL_BEFORE}


def seeded(seed: int, *, writes: int, rate: float = 0.2) -> dict[int, Fault]:
    """A plan of survivable faults: the same for the same seed."""
    chance = random.Random(seed)
    survivable = (Fault.BEFORE, Fault.AFTER, Fault.LOST)
    return {k: chance.choice(survivable) for k in range(1, writes + 1) if chance.random() < rate}


class FaultyStore:
    """:param plan: the fault at each write that has one."""

    def __init__(self, inner: ObjectStore, plan: Mapping[int, Fault]) -> None:
        self.inner = inner
        self._plan = plan
        self._numbers = itertools.count(1)  # next() is atomic, so threads may share it
        self.writes = 0

    @property
    def uri(self) -> str:
        return self.inner.uri

    def create(self, key: str, data: bytes) -> None:
        self._write(key, lambda: self.inner.create(key, data))

    def create_from_file(self, key: str, path: Path) -> None:
        self._write(key, lambda: self.inner.create_from_file(key, path))

    def read(self, key: str) -> bytes:
        return self.inner.read(key)

    def read_to_file(self, key: str, path: Path) -> None:
        self.inner.read_to_file(key, path)

    def exists(self, key: str) -> bool:
        return self.inner.exists(key)

    def stat(self, key: str) -> Stat:
        return self.inner.stat(key)

    def folders(self, prefix: str) -> Iterator[str]:
        return self.inner.folders(prefix)

    def keys(self, prefix: str, *, after: str = "") -> Iterator[str]:
        return self.inner.keys(prefix, after=after)

    def delete_swept(self, key: str) -> None:
        self._write(key, lambda: self.inner.delete_swept(key))

    def sweep_temporary(self) -> int:
        return self.inner.sweep_temporary()

    def _write(self, key: str, apply: Callable[[], None]) -> None:
        number = next(self._numbers)
        self.writes = max(self.writes, number)
        match self._plan.get(number):
            case None:
                apply()
            case Fault.BEFORE:
                raise StoreUnavailable(f"planned fault before write {number} of {key}")
            case Fault.AFTER:
                apply()
                raise CommitStateUnknown(f"planned lost reply after write {number} of {key}")
            case Fault.LOST:
                raise CommitStateUnknown(f"planned lost request of write {number} of {key}")
            case Fault.KILL_BEFORE:
                raise Killed(f"before write {number} of {key}")
            case Fault.KILL_AFTER:
                apply()
                raise Killed(f"after write {number} of {key}")
