"""Every order in which the steps of several actors can follow each other, by running the real code once for each.

Actors work on one store through gates. A gate stops its actor before each call that others can notice; of all that wait one is let
go on, and which one is chosen anew, until every choice at every place was made once.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from stoker.store.base import ObjectStore, Stat

Noticed = Callable[[str, str], bool]


class Gate:
    """One actor's way to the store.

    :param noticed: whether a call, by the name of the method and the key, is a place where others may come in between.
    """

    def __init__(self, inner: ObjectStore, noticed: Noticed) -> None:
        self.inner = inner
        self._noticed = noticed
        self.stopped = threading.Event()
        self.go = threading.Event()
        self.finished = False

    @property
    def uri(self) -> str:
        return self.inner.uri

    def create(self, key: str, data: bytes) -> None:
        self._stop("create", key)
        self.inner.create(key, data)

    def create_from_file(self, key: str, path: Path) -> None:
        self._stop("create", key)
        self.inner.create_from_file(key, path)

    def read(self, key: str) -> bytes:
        self._stop("read", key)
        return self.inner.read(key)

    def read_to_file(self, key: str, path: Path) -> None:
        self._stop("read", key)
        self.inner.read_to_file(key, path)

    def exists(self, key: str) -> bool:
        self._stop("exists", key)
        return self.inner.exists(key)

    def stat(self, key: str) -> Stat:
        self._stop("stat", key)
        return self.inner.stat(key)

    def keys(self, prefix: str, *, after: str = "") -> Iterator[str]:
        self._stop("keys", prefix)
        return iter(list(self.inner.keys(prefix, after=after)))  # a listing is one step, as a page of S3 is

    def folders(self, prefix: str) -> Iterator[str]:
        self._stop("folders", prefix)
        return self.inner.folders(prefix)

    def delete_swept(self, key: str) -> None:
        self._stop("delete", key)
        self.inner.delete_swept(key)

    def sweep_temporary(self) -> int:
        return self.inner.sweep_temporary()

    def _stop(self, call: str, key: str) -> None:
        if self._noticed(call, key):
            self.stopped.set()
            self.go.wait()
            self.go.clear()


def run_once(
    store: ObjectStore, actors: list[Callable[[ObjectStore], None]], noticed: Noticed, choices: list[int]
) -> list[int]:
    """Let the actors work in the order that the choices say, and thereafter each as long as it can.

    :param choices: at each place which of those that wait, 0 for the one that went last; made longer to what was chosen.
    :returns: how many waited at each place.
    """
    gates = [Gate(store, noticed) for _ in actors]
    threads = [threading.Thread(target=_act, args=(gate, actor)) for gate, actor in zip(gates, actors, strict=True)]
    for thread in threads:
        thread.start()
    waited: list[int] = []
    last: Gate | None = None
    while True:
        for gate in gates:
            gate.stopped.wait()
        waiting = sorted((gate for gate in gates if not gate.finished), key=lambda gate: gate is not last)
        if not waiting:
            break
        if len(waited) == len(choices):
            choices.append(0)
        chosen = last = waiting[choices[len(waited)]]
        waited.append(len(waiting))
        chosen.stopped.clear()
        chosen.go.set()
    for thread in threads:
        thread.join()
    return waited


def _act(gate: Gate, actor: Callable[[ObjectStore], None]) -> None:
    try:
        actor(gate)
    finally:
        gate.finished = True
        gate.stopped.set()


def every_order(run: Callable[[list[int]], list[int]], *, switches: int | None = None) -> Iterator[list[int]]:
    """Call ``run`` with every sequence of choices, each once, and yield each.

    :param switches: at most so many places where another actor goes on than the one that went last; ``None`` for no bound.
    """
    choices: list[int] = []
    while True:
        waited = run(choices)
        yield list(choices)
        while choices and not _more(choices, waited, switches):
            choices.pop()
        if not choices:
            return
        choices[-1] += 1


def _more(choices: list[int], waited: list[int], switches: int | None) -> bool:
    place = len(choices) - 1
    others = sum(1 for choice in choices[:-1] if choice)
    return choices[-1] + 1 < waited[place] and (switches is None or others < switches)
