"""Clients that promote against each other on one model, and the judgement of what they were told by the log.

Each client writes down every call with the times of a clock that all processes of the machine share. Each promotion gives a reason
of its own, by which its entry is found in the log: so the outcome of a call whose reply was lost is known in the end.
"""

from __future__ import annotations

import pickle
import random
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from stoker.errors import CommitStateUnknown, PromotionConflict, TransportError
from stoker.registry.audit import verify
from stoker.registry.changes import SetAlias
from stoker.registry.registry import AliasMove, Registry
from stoker.store.base import ObjectStore
from tests.faults.linearizability import NEVER, Read, Write, check
from tests.registry.cases import MODEL, promote, register
from tests.support.processes import FORK

VERSIONS = 8


@dataclass(frozen=True, slots=True)
class Open:
    """A promotion that ended in an error of the store.

    :param clean: whether the error said that nothing was written.
    """

    called: float
    reason: str
    version: int
    expected: int | None
    clean: bool


Call = Read | Write | Open


@dataclass(frozen=True)
class Verdict:
    """What a history came to.

    :param acknowledged: promotions that returned.
    :param operations: all recorded calls.
    :param unknown: promotions that ended as ``CommitStateUnknown``.
    :param landed: how many of these the log has.
    :param seconds: how long it took.
    """

    acknowledged: int
    operations: int
    unknown: int
    landed: int
    seconds: float = 0.0

    def __str__(self) -> str:
        unknown = f"{self.unknown} of unknown outcome ({self.landed} in the log), " if self.unknown else ""
        return f"{self.acknowledged:,} acknowledged, {self.operations:,} operations, {unknown}linearizable, {self.seconds:.0f} s"


def prepare(registry: Registry) -> None:
    """The versions to promote, the first of them champion."""
    for number in range(VERSIONS):
        register(registry, number)
    promote(registry, 1)


class Client:
    """One writer.

    :param registry: its own.
    :param name: unique among the clients; also the seed of what it promotes.
    :param keyed: whether promotions carry an idempotency key, and are called again when the store failed.
    :param pause: the most seconds that it waits after a refusal, as a person would; else the clients get in each other's way.
    """

    def __init__(self, registry: Registry, name: str, *, keyed: bool = False, pause: float = 0.0) -> None:
        self.calls: list[Call] = []
        self.won = 0
        self._registry = registry
        self._name = name
        self._keyed = keyed
        self._pause = pause
        self._chance = random.Random(name)
        self._turn = 0
        self._seen: int | None = None

    def promote_until(self, acknowledged: int, tell: Callable[[], None]) -> list[Call]:
        """Look and promote in turn until that many promotions were acknowledged.

        :param tell: called at each.
        """
        while self.won < acknowledged:
            before = self.won
            self.look()
            self.promote()
            if self.won > before:
                tell()
        return self.calls

    def look(self) -> None:
        """Read where the champion is."""
        called = time.monotonic()
        try:
            target = self._registry.state(MODEL).aliases["champion"]
        except TransportError:
            return
        self._saw(Read(called, time.monotonic(), target.seq, target.version))

    def promote(self) -> None:
        """Promote a version other than the one seen last, provided that it is still that one."""
        self._turn += 1
        reason = f"{self._name}/{self._turn}"
        version = self._chance.choice([number for number in range(1, VERSIONS + 1) if number != self._seen])
        called = time.monotonic()
        expected = self._seen
        try:
            move = self._answered(
                lambda: promote(
                    self._registry,
                    version,
                    expected_version=expected,
                    reason=reason,
                    idempotency_key=reason if self._keyed else None,
                )
            )
        except PromotionConflict as conflict:
            seen = conflict.details
            self._saw(Read(called, time.monotonic(), seen["seen_seq"], seen["seen_version"], refused=expected))
            time.sleep(self._chance.random() * self._pause)
        except TransportError as error:
            self.calls.append(Open(called, reason, version, expected, clean=not isinstance(error, CommitStateUnknown)))
        else:
            returned = time.monotonic()
            if not move.changed:
                self._saw(Read(called, returned, move.seq, move.version))
                return
            self.won += 1
            self._seen = move.version
            self.calls.append(Write(called, returned, move.seq, move.version, expected))

    def _answered(self, call: Callable[[], AliasMove]) -> AliasMove:
        """The answer of a call; with a key it is asked once more after a failure of the store, which finds out."""
        try:
            return call()
        except TransportError as first:
            if not self._keyed:
                raise
            try:
                return call()
            except TransportError as second:
                # Also a clean end of the second call says nothing about the first.
                raise first if isinstance(first, CommitStateUnknown) else second from None

    def _saw(self, read: Read) -> None:
        self._seen = read.value
        self.calls.append(read)


def compete(
    folder: Path,
    open_store: Callable[[], ObjectStore],
    *,
    clients: int,
    promotions: int,
    keyed: bool = False,
    pause: float = 0.0,
    meanwhile: Callable[[int, float], None] = lambda acknowledged, seconds: None,
) -> Verdict:
    """Let processes promote at once, each until that many of its promotions were acknowledged, and judge them.

    :param folder: takes what each of them wrote down.
    :param open_store: the store, called in each process.
    :param keyed: see :class:`Client`, as for ``pause``.
    :param meanwhile: called every second with the number of acknowledged promotions and the seconds since the start.
    """
    prepare(Registry(open_store()))
    acknowledged = FORK.Value("q", 0)

    def work(number: int) -> None:
        client = Client(Registry(open_store()), f"client-{number}", keyed=keyed, pause=pause)
        calls = client.promote_until(promotions, tell)
        (folder / f"calls-{number}").write_bytes(pickle.dumps(calls))

    def tell() -> None:
        with acknowledged.get_lock():
            acknowledged.value += 1

    started = time.monotonic()
    workers = [FORK.Process(target=work, args=(number,), daemon=True) for number in range(clients)]
    for worker in workers:
        worker.start()
    while running := [worker for worker in workers if worker.is_alive()]:
        running[0].join(1)
        meanwhile(acknowledged.value, time.monotonic() - started)
    assert [worker.exitcode for worker in workers] == [0] * clients
    spent = time.monotonic() - started
    calls = [call for number in range(clients) for call in pickle.loads((folder / f"calls-{number}").read_bytes())]
    verdict = replace(judge(open_store(), calls), seconds=spent)
    assert verdict.acknowledged == clients * promotions
    return verdict


def judge(store: ObjectStore, calls: Iterable[Call]) -> Verdict:
    """Fail unless the log has every acknowledged promotion once, in its place, and nothing that nobody asked for, and the calls are
    linearizable.
    """
    calls = list(calls)
    made = _made(store)
    history: list[Read | Write] = []
    explained = set()
    unknown = landed = 0
    for call in calls:
        if not isinstance(call, Open):
            history.append(call)
            continue
        unknown += not call.clean
        if call.reason in made:
            assert not call.clean, f"{call.reason} said that nothing was written; entry {made[call.reason][0]} is its"
            landed += 1
            history.append(Write(call.called, NEVER, *made[call.reason], call.expected))
    for call in history:
        if isinstance(call, Write):
            explained.add((call.generation, call.value))
    entries = set(made.values())
    assert entries == explained, f"log and acknowledgements differ: {sorted(entries ^ explained)[:5]}"
    last = check(history, first=VERSIONS + 1, value=1)
    assert last == VERSIONS + 1 + len(made)
    report = verify(store, MODEL)
    assert report.clean, report.problems[:3]
    assert report.entries == last
    acknowledged = sum(isinstance(call, Write) for call in calls)
    return Verdict(acknowledged, len(calls), unknown, landed)


def _made(store: ObjectStore) -> dict[str, tuple[int, int]]:
    """Reason to entry and version, of all promotions after the first."""
    made: dict[str, tuple[int, int]] = {}
    for entry in Registry(store).history(MODEL, after=VERSIONS + 1):
        assert isinstance(entry.change, SetAlias)
        assert entry.reason not in made, f"{entry.reason} is in the log twice"
        made[entry.reason] = (entry.seq, entry.change.version)
    return made
