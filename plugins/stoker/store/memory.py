"""A store in the memory of this process: the model that the other stores are compared with, for tests and notebooks."""

from __future__ import annotations

import threading
from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterator
from pathlib import Path

from stoker.core.clock import Clock, system_clock
from stoker.store import files
from stoker.store.base import Stat
from stoker.store.keys import already_exists, check_key, check_prefix, check_readable, not_found


class MemoryStore:
    """An :class:`~stoker.store.base.ObjectStore` that forgets everything with its process. Threads may share it.

    :param name: what it is called in its ``memory://`` address; two stores of one name share nothing
        (:func:`stoker.store.opening.open_store` is what gives the same store for the same name).
    :param clock: the time at which objects are written, as :meth:`stat` tells it.
    """

    def __init__(self, name: str = "store", *, clock: Clock = system_clock) -> None:
        self._uri = f"memory://{name}"
        self._lock = threading.Lock()
        self._clock = clock
        self._objects: dict[str, bytes] = {}
        self._stats: dict[str, Stat] = {}
        self._keys: list[str] = []  # the keys of _objects in order, so that a listing starts where it must

    @property
    def uri(self) -> str:
        """``memory://`` and the name."""
        return self._uri

    def create(self, key: str, data: bytes) -> None:
        """Keep the bytes unless the key holds others."""
        check_key(key)
        with self._lock:
            if key not in self._objects:
                self._objects[key] = bytes(data)
                self._stats[key] = Stat(len(data), self._clock())
                insort(self._keys, key)
            elif self._objects[key] != data:
                raise already_exists(self._uri, key)

    def create_from_file(self, key: str, path: Path) -> None:
        """As :meth:`create`; the content is held in memory all the same."""
        with files.reading(path) as file:
            self.create(key, file.read())

    def read(self, key: str) -> bytes:
        """The bytes under the key."""
        data = self._bytes(key)
        check_readable(self._uri, key, len(data))
        return data

    def read_to_file(self, key: str, path: Path) -> None:
        """Write the bytes under the key into a new local file."""
        data = self._bytes(key)
        with files.fetching(path) as file:
            file.write(data)

    def exists(self, key: str) -> bool:
        """Whether the key holds bytes."""
        check_key(key)
        with self._lock:
            return key in self._objects

    def stat(self, key: str) -> Stat:
        """The size of the bytes under the key, and when they came there."""
        check_key(key)
        with self._lock:
            if key not in self._stats:
                raise not_found(self._uri, key)
            return self._stats[key]

    def keys(self, prefix: str, *, after: str = "") -> Iterator[str]:
        """The keys in order. Each is looked up when it is asked for, so writers may go on meanwhile."""
        return self._listed(check_prefix(prefix), after)

    def folders(self, prefix: str) -> Iterator[str]:
        """What follows the prefix up to the next ``/``."""
        last = ""
        while (key := self._next_key(check_prefix(prefix), last)) is not None:
            name, below, _ = key.removeprefix(prefix).partition("/")
            # "~" sorts after everything that a key has, so the next look skips the rest of this folder.
            last = f"{prefix}{name}/~" if below else key
            if below:
                yield name

    def delete_swept(self, key: str) -> None:
        """Forget the bytes."""
        check_key(key)
        with self._lock:
            if self._objects.pop(key, None) is not None:
                del self._keys[bisect_left(self._keys, key)]
                del self._stats[key]

    def sweep_temporary(self) -> int:
        """Nothing: a writer that dies takes its memory along."""
        return 0

    def _bytes(self, key: str) -> bytes:
        check_key(key)
        with self._lock:
            if key not in self._objects:
                raise not_found(self._uri, key)
            return self._objects[key]

    def _listed(self, prefix: str, last: str) -> Iterator[str]:
        while (key := self._next_key(prefix, last)) is not None:
            yield key
            last = key

    def _next_key(self, prefix: str, last: str) -> str | None:
        with self._lock:
            index = max(bisect_left(self._keys, prefix), bisect_right(self._keys, last))
            found = self._keys[index] if index < len(self._keys) else ""
        return found if found and found.startswith(prefix) else None
