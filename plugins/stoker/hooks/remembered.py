"""One registry for a process that answers many requests, so that none of them waits for Airflow's connections."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from threading import Lock
from typing import Any

from stoker.core.clock import Clock, system_clock
from stoker.hooks.registry import StokerHook
from stoker.registry.registry import Registry

AGAIN = timedelta(seconds=30)
"""How long a change of the connection may go unnoticed."""


class RememberedRegistry:
    """Returns the registry of a connection. It is the same object for as long as the connection says the same.

    Failures are not remembered: the next call tries again. Threads may share one.

    :param open_hook: makes the hook.
    :param clock: the time.
    """

    def __init__(self, open_hook: Callable[[], StokerHook] = StokerHook, *, clock: Clock = system_clock) -> None:
        self._open_hook = open_hook
        self._clock = clock
        self._lock = Lock()
        self._known: tuple[tuple[Any, ...], Registry] | None = None
        self._until: datetime | None = None

    def __call__(self) -> Registry:
        """The registry, looked for again when :data:`AGAIN` has passed.

        :raises ConfigurationError: when the connection is not in order.
        """
        with self._lock:
            if self._known is not None and self._until is not None and self._clock() < self._until:
                return self._known[1]
        # Not under the lock: a database that hangs must not let all requests wait for one another.
        hook = self._open_hook()
        identity = hook.identity()
        with self._lock:
            if self._known is None or self._known[0] != identity:
                self._known = (identity, hook.registry)
            self._until = self._clock() + AGAIN
            return self._known[1]
