"""A small memory with a bound, for what never changes, or changes with a stamp."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import Lock
from typing import Generic, TypeVar

V = TypeVar("V")


class Memory(Generic[V]):
    """The values that were used last. Threads may share it; two that miss at once both make the value.

    :param most: how many are kept.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._values: OrderedDict[Hashable, tuple[object, V]] = OrderedDict()
        self._lock = Lock()

    def get(self, key: Hashable, make: Callable[[], V], *, stamp: object = None) -> V:
        """The value under a key, made when it is not there. What ``make`` raises is not remembered.

        :param stamp: what the value follows from. A value of another stamp is made anew and takes its place.
        """
        with self._lock:
            known = self._values.get(key)
            if known is not None:
                self._values.move_to_end(key)
        if known is not None and known[0] == stamp:
            return known[1]
        value = make()
        with self._lock:
            self._values[key] = (stamp, value)
            self._values.move_to_end(key)
            if len(self._values) > self._most:
                self._values.popitem(last=False)
        return value
