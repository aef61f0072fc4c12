"""Writing the next entry of a log that others write to as well: the one write that commits, and the waits between tries."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

from stoker.core import wire
from stoker.errors import AlreadyExists, CommitStateUnknown, TransportError
from stoker.store.base import ObjectStore

log = logging.getLogger(__name__)

_FIRST_WAIT = 0.01


@dataclass(frozen=True)
class Limits:
    """How long a writer goes on against others and lost replies; whichever is reached first ends it.

    :param tries: the most writes.
    :param longest_wait: the longest wait between two tries, in seconds.
    :param total: the longest time in all, in seconds.
    :param sleep: waits.
    :param now: a clock that never goes back, in seconds.
    """

    tries: int = 200
    longest_wait: float = 0.5
    total: float = 60.0
    sleep: Callable[[float], None] = time.sleep
    now: Callable[[], float] = time.monotonic


class Contest:
    """All tries of one writer to add one entry, under one set of limits.

    :param store: where the log lies.
    :param limits: bounds of all tries together.
    """

    def __init__(self, store: ObjectStore, limits: Limits) -> None:
        self._store = store
        self._limits = limits
        self._tries = 1
        self._end = limits.now() + limits.total

    def won(self, key: str, data: bytes, *, what: str, write_id: str) -> bool:
        """Write the entry, and tell whether it is this writer's that lies there. Then it is, whatever replies were lost.

        :param data: with the write id inside, so that no other writer has the same bytes.
        :param what: the entry, for the log.
        :raises CommitStateUnknown: when the store gave no clear answer until a limit was reached.
        """
        unknown: CommitStateUnknown | None = None
        while True:
            try:
                self._store.create(key, data)
            except AlreadyExists:
                return False
            except CommitStateUnknown as error:
                unknown = error
            except TransportError:
                # Only a first try that failed cleanly means that nothing landed: an unclear one before it may have.
                if unknown is None:
                    raise
            else:
                return True
            # The same bytes again settle it: the store takes them when they lie there already, and refuses when others do.
            if not self.wait(f"{what}: the outcome of the write is unknown", write_id):
                raise unknown

    def wait(self, why: str, write_id: str) -> bool:
        """Wait before another try, longer each time; ``False`` when a limit is reached.

        :param why: what happened, for the log.
        """
        longest = min(self._limits.longest_wait, _FIRST_WAIT * 2 ** min(self._tries, 16))
        # The write id is as good as a random number, and makes writers that met once part; with the try, also one that keeps its id.
        pause = longest * int(wire.sha256(f"{write_id}{self._tries}".encode())[:8], 16) / 0xFFFFFFFF
        if self._tries >= self._limits.tries or self._limits.now() + pause > self._end:
            return False
        log.info("%s; try %d of %d in %.3f s.", why, self._tries + 1, self._limits.tries, pause)
        self._limits.sleep(pause)
        self._tries += 1
        return True
