"""Rounds of the retention sweep, and how a writer keeps what a round is about to remove.

Bytes are stored under their digest, so a writer that finds them there writes nothing: and a sweep that took them for garbage would
remove them under its hands. The two settle it in the round's own log, by create-if-absent of its next entry:

1. ``condemned``: the sweep lists what nothing reaches. Nothing is removed yet.
2. ``spared``: a writer that relies on something condemned says so first.
3. ``given_up``: not before the grace is over the sweep looks again, leaves out what is reached or spared, and claims the rest. It is one
   entry after all spared ones, so that of a writer and the sweep exactly one is first.
4. The sweep removes what it gave up, under a lease that it renews by ``resumed``. A writer that meets something given up waits for the
   lease to run out (a retryable error), and then spares it: whoever goes on with the round leaves it alone.
5. ``finished``: the round is over, for any other sweep too. ``finished.json`` says the same to a listing.

Two things about time are taken for granted. A step that stored or found something names it in a pointer before the grace is over. And
clocks differ, and requests stay on their way, by less than half a lease.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import groupby, islice, takewhile
from typing import Any

from stoker.core import clock as time
from stoker.core import wire
from stoker.core.clock import from_text, to_text
from stoker.core.shapes import DIGEST
from stoker.errors import AlreadyExists, CorruptArtifact, NotFound, StoreUnavailable, TamperedRecord
from stoker.store import layout
from stoker.store.base import ObjectStore

LEASE = timedelta(minutes=10)
"""After a claim or its renewal: how long the sweep may be at work on what it gave up."""

_MAX_TRIES = 50


@dataclass(frozen=True)
class Round:
    """A round, as far as its log was read.

    :param number: from 1.
    :param entries: how many entries its log has.
    :param condemned_at: when it was opened.
    :param condemned: first two digits to the piece of the list with the digests that begin so.
    :param given_up: the same for what was claimed; ``None`` before that.
    :param spared: what writers have kept.
    :param lease_ends: when removals by a sweep that stopped are over.
    :param finished: whether it is over although nothing marks it so yet; only while a sweep ends it, or died in that.
    """

    number: int
    entries: int
    condemned_at: datetime
    condemned: dict[str, str] = field(default_factory=dict)
    given_up: dict[str, str] | None = None
    spared: frozenset[str] = frozenset()
    lease_ends: datetime | None = None
    finished: bool = False

    @property
    def doomed(self) -> dict[str, str]:
        """The list that counts now: what was claimed, or before that what was condemned."""
        return self.condemned if self.given_up is None else self.given_up


def newest_number(store: ObjectStore) -> int:
    """The number of the newest round, 0 when there was none."""
    return next((layout.sweep_round_number(key) for key in store.keys(layout.ROUNDS)), 0)


def open_round(store: ObjectStore) -> Round | None:
    """The round that is going on, if one is. One listing when none is."""
    return _open_of(store, _newest(store))


def spare(
    store: ObjectStore, *, stored: Iterable[str] = (), named: Iterable[str] = (), clock: time.Clock | None = None
) -> None:
    """Keep what a writer is about to rely on from being removed. To be called before it is relied on.

    :param stored: digests of content that the writer has in its hands and stores afterwards.
    :param named: digests that it names without having the content; what is no object's digest is let pass.
    :raises NotFound: when something that it names was given up.
    :raises StoreUnavailable: when something is being removed now; the same call succeeds later.
    """
    stored, named = frozenset(stored), frozenset(named)
    for _ in range(_MAX_TRIES):
        try:
            if _spared(store, stored, named, clock or time.system_clock):
                return
        except _RoundEnded:
            continue
    raise StoreUnavailable(
        f"The retention sweep must hold still for one write; others wrote to it {_MAX_TRIES} times meanwhile. Try again later."
    )


def references(value: Any) -> Iterator[str]:
    """Every text in a JSON value that could be a digest."""
    return filter(DIGEST.holds, wire.walk(value))


def begin(store: ObjectStore, digests: Iterable[str], *, clock: time.Clock | None = None) -> Round | None:
    """Open the next round, which condemns these; ``None`` when another sweep was faster."""
    number = newest_number(store) + 1
    empty = Round(number, 0, (clock or time.system_clock)())
    return append(store, empty, {"kind": "condemned", "digests": store_list(store, number, digests)}, clock=clock)


def append(
    store: ObjectStore, current: Round, record: dict[str, Any], *, clock: time.Clock | None = None
) -> Round | None:
    """Write the next entry of a round, and return the round with it; ``None`` when another writer was first."""
    seq = current.entries + 1
    key = layout.numbered(layout.sweep_round(current.number), seq)
    now = (clock or time.system_clock)()
    full = {"format": wire.FORMAT, "time": to_text(now), "write_id": time.random_id(), **record}
    try:
        store.create(key, wire.canonical(full))
    except AlreadyExists:
        return None
    return _folded(current if seq > 1 else None, current.number, seq, full, key)


def finish(
    store: ObjectStore, current: Round, facts: dict[str, Any], *, clock: time.Clock | None = None
) -> Round | None:
    """End a round, and remove the lists of those before it; ``None`` when another writer was first.

    What was spared is judged anew by the next round.
    """
    done = append(store, current, {"kind": "finished", **facts}, clock=clock)
    if done is not None:
        store.create(
            layout.sweep_finished(current.number), wire.canonical({"format": wire.FORMAT, "kind": "finished", **facts})
        )
        for key in takewhile(lambda key: key < layout.sweep_lists(current.number), store.keys(layout.SWEEP_LISTS)):
            store.delete_swept(key)  # also those of rounds that died before they began
    return done


def store_list(store: ObjectStore, number: int, digests: Iterable[str]) -> dict[str, str]:
    """Store digests for a round, in pieces by their first two digits, and return where each piece lies."""
    pieces: dict[str, list[str]] = {}
    for digest in sorted(set(digests)):
        pieces.setdefault(digest[:2], []).append(digest)
    stored = {}
    for start, piece in pieces.items():
        data = wire.canonical({"format": wire.FORMAT, "kind": "sweep_list", "digests": piece})
        stored[start] = layout.sweep_list(number, wire.sha256(data))
        store.create(stored[start], data)
    return stored


def listed(store: ObjectStore, pieces: dict[str, str]) -> Iterator[str]:
    """The digests of a list."""
    for start in sorted(pieces):
        yield from _piece(store, pieces[start])


def among(store: ObjectStore, pieces: dict[str, str], digests: Iterable[str]) -> frozenset[str]:
    """Which of the digests a list holds. Reads the pieces that can hold them."""
    wanted = [digest for digest in digests if digest[:2] in pieces]
    found = {start: frozenset(_piece(store, pieces[start])) for start in {digest[:2] for digest in wanted}}
    return frozenset(digest for digest in wanted if digest in found[digest[:2]])


def _piece(store: ObjectStore, key: str) -> list[str]:
    try:
        data = store.read(key)
    except NotFound as error:
        raise _RoundEnded(f"{key} must be there while its round counts; it is gone. Look for a newer round.") from error
    if not key.endswith(f"/{wire.sha256(data)}.json"):
        raise CorruptArtifact(
            f"{key} must have the digest in its name; it was changed. Restore it from a backup.", record=key
        )
    digests: list[str] = wire.parse(data, key)["digests"]
    return digests


class _RoundEnded(StoreUnavailable):
    """The lists of a round are gone, since a later one is over."""


def _spared(store: ObjectStore, stored: frozenset[str], named: frozenset[str], clock: time.Clock) -> bool:
    """Keep what the open round is about to remove, and tell whether that is settled."""
    newest, asked = _newest(store), named - stored
    current = _open_of(store, newest)
    if current is not None:
        doomed = among(store, current.doomed, stored | named) - current.spared
        if doomed and current.given_up is not None:
            _refuse(current, doomed, asked, clock())
        if doomed and append(store, current, {"kind": "spared", "digests": sorted(doomed)}, clock=clock) is None:
            return False
    # What was there when the caller looked may have been removed by the last round that is over. By none before that, which was over
    # a grace earlier, and whose lists are gone.
    for keys in (newest[1:] if current else newest[:1]) if asked else ():
        _require(store, among(store, _read(store, keys).given_up or {}, asked))
    return True


def _newest(store: ObjectStore) -> list[list[str]]:
    """The keys of the newest two rounds, the newest first: all but the newest are over."""
    groups = groupby(store.keys(layout.ROUNDS), key=lambda key: key.rpartition("/")[0])
    return [list(keys) for _, keys in islice(groups, 2)]


def _open_of(store: ObjectStore, newest: list[list[str]]) -> Round | None:
    if not newest or _over(newest[0]):
        return None
    found = _read(store, newest[0])
    return None if found.finished else found


def _over(keys: list[str]) -> bool:
    return keys[-1].endswith("/finished.json")


def _read(store: ObjectStore, keys: list[str]) -> Round:
    number = layout.sweep_round_number(keys[0])
    found: Round | None = None
    for seq, key in enumerate((key for key in keys if not _over([key])), start=1):
        if layout.number_of(key) != seq:
            raise TamperedRecord(f"{layout.sweep_round(number)} must hold entry {seq}; it was removed.", record=key)
        found = _folded(found, number, seq, wire.parse(store.read(key), key), key)
    if found is None:
        raise TamperedRecord(f"{layout.sweep_round(number)} must hold entry 1; it was removed.", record=keys[0])
    return found


def _require(store: ObjectStore, digests: Iterable[str]) -> None:
    gone = sorted(digest for digest in digests if not store.exists(layout.blob(digest)))
    if gone:
        raise _gone(gone)


def _gone(digests: list[str]) -> NotFound:
    return NotFound(
        f"What is named must be in the store; retention gave {digests[0]} up. Run the steps that made it again.",
        digests=digests,
    )


def _folded(before: Round | None, number: int, seq: int, record: dict[str, Any], key: str) -> Round:
    try:
        moment = from_text(record["time"])
        if before is None:
            if record["kind"] != "condemned":
                raise ValueError("a round must begin with what it condemns")
            return Round(number, seq, moment, dict(record["digests"]))
        facts = {**vars(before), "entries": seq}
        match record["kind"]:
            case "spared":
                return Round(**{**facts, "spared": before.spared.union(record["digests"])})
            case "given_up":
                return Round(**{**facts, "given_up": dict(record["digests"]), "lease_ends": moment + LEASE})
            case "resumed":
                return Round(**{**facts, "lease_ends": moment + LEASE})
            case "finished":
                return Round(**{**facts, "finished": True})
            case kind:
                raise ValueError(f"{ascii(kind)[:80]} is no kind of entry")
    except (LookupError, TypeError, ValueError) as error:
        raise TamperedRecord(f"{key} must be an entry of a sweep as Stoker writes it; {error}.", record=key) from error


def _refuse(current: Round, doomed: frozenset[str], named: frozenset[str], now: datetime) -> None:
    if gone := sorted(doomed & named):
        raise _gone(gone)
    if current.lease_ends is not None and now < current.lease_ends:
        raise StoreUnavailable(
            f"{len(doomed)} objects must not be stored while a retention sweep removes their like; it may until "
            f"{to_text(current.lease_ends)}. Try again after that.",
            until=to_text(current.lease_ends),
        )
