"""What all views read through: the registry, the journals of the loop, and a memory of what never changes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, TypeVar

from stoker.core import clock as time
from stoker.core.clock import Clock
from stoker.core.requests import State
from stoker.errors import IntegrityError
from stoker.loop.broker import Broker
from stoker.loop.wake_ups import WakeUp
from stoker.loop.windows import WindowLog
from stoker.registry.registry import Registry
from stoker.registry.versions import Version
from stoker.store.documents import get_document
from stoker.ui.views.memory import Memory

DAMAGE = (IntegrityError, LookupError, TypeError, ValueError)
"""What a record that was tampered with may raise while it is read: our own refusal, or that of a field that is not there."""

_MODELS = 2000
_FACTS = 10_000
_PAGES = 500
_LOOKED_THROUGH = 500
"""Records of a loop that are searched for wake-ups: renewals of leases and requests lie between them."""

T = TypeVar("T")


class Reading:
    """Reads of one registry. Journals stay open, so that a second look at one costs a single probe for a new record.

    Threads may share it.

    :param clock: the time by which leases and reviews have run out.
    """

    def __init__(self, registry: Registry, clock: Clock) -> None:
        self.registry = registry
        self.store = registry.store
        self.now = clock
        self._windows: Memory[WindowLog] = Memory(2 * _MODELS)
        self._brokers: Memory[Broker] = Memory(_MODELS)
        self._told: Memory[list[WakeUp]] = Memory(_MODELS)
        self._facts: Memory[Any] = Memory(_FACTS)
        self._pages: Memory[Any] = Memory(_PAGES)

    def windows(self, model: str, kind: str) -> WindowLog:
        """The monitored windows of a model; ``drift`` or ``performance``."""
        return self._windows.get((model, kind), lambda: WindowLog(self.store, model, kind))

    def broker(self, model: str) -> Broker:
        """The requests to train a model. It is only read."""
        return self._brokers.get(model, lambda: Broker(self.store, model, clock=self.now))

    def wake_ups(self, model: str, state: State, limit: int) -> list[WakeUp]:
        """What the loop of a model did of late, newest first. Read again only when something was added, or a lease ran out.

        :param state: of its broker, as it was read just now.
        """
        broker = self.broker(model)
        trains = state.lease is not None and state.lease.until > self.now()
        return self._told.get(
            (model, limit), lambda: broker.wake_ups(limit, within=_LOOKED_THROUGH), stamp=(trains, state)
        )

    def fact(self, *key: Any, make: Callable[[], T]) -> T:
        """Something small that follows from records that never change.

        :param key: names it, and the records.
        """
        value: T = self._facts.get(key, make)
        return value

    def page(self, *key: Any, stamp: object = None, make: Callable[[], T]) -> T:
        """As :meth:`fact`, for something larger.

        :param stamp: what it follows from, such as the digest of a log's newest entry.
        """
        value: T = self._pages.get(key, make, stamp=stamp)
        return value

    def of_version(self, model: str, number: int, make: Callable[[Version], T]) -> T:
        """Something small that follows from what a version was registered with, read once.

        :param make: always the same function. What it makes must not depend on aliases, or on whether the version is blocked.
        """
        return self.fact(model, number, make=lambda: make(self.registry.version(model, number)))

    def document(self, digest: str, *kinds: str) -> dict[str, Any]:
        """A stored document."""
        return get_document(self.store, digest, *kinds)


def number(value: object) -> float | None:
    """A finite number of a document; ``None`` for anything else, for manifests may hold anything."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        found = float(value)
    except OverflowError:
        return None
    return found if -1e308 < found < 1e308 else None


def moment(text: object) -> datetime | None:
    """A time of a document; ``None`` when it carries none, for a column of times may hold anything."""
    if not isinstance(text, str):
        return None
    try:
        return time.from_text(text)
    except (ValueError, OverflowError):
        return None


def text(value: object) -> str | None:
    """A text of a document; ``None`` when there is none."""
    return value if isinstance(value, str) else None


def mapping(value: object) -> Mapping[str, Any]:
    """An object of a document; an empty one when there is none."""
    return value if isinstance(value, Mapping) else {}
