"""Journals: what the loop did, as numbered records that are written once, folded into a state.

Writing record N+1 is the commit, so that of any number of writers exactly one is next. Every record names the digest of
the one before it; a record that was changed, removed or put in another place is noticed when it is read.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from types import MappingProxyType
from typing import Any, Generic, TypeVar

from stoker.core import clock as time
from stoker.core import wire
from stoker.core.shapes import COUNT, MOMENT, TEXT, Shape, conform
from stoker.errors import (
    NotFound,
    StoreUnavailable,
    TamperedRecord,
)
from stoker.store import layout
from stoker.store.base import ObjectStore
from stoker.store.contests import Contest, Limits

log = logging.getLogger(__name__)

EVERY = 32
"""Records between two checkpoints: the most that a cold reader has to fold, give or take a lost checkpoint."""

LIMITS = Limits()

_RECORD: Mapping[str, Shape] = {"kind": TEXT, "seq": COUNT, "prev": TEXT, "time": MOMENT, "write_id": TEXT}

S = TypeVar("S")


@dataclass(frozen=True)
class _Head(Generic[S]):
    """The end of a journal as far as it was read: its last record's number and digest, and the state there."""

    seq: int
    digest: str
    state: S


class Journal(Generic[S]):
    """One journal of one model. What was read is remembered, since records never change; threads may share one object.

    :param store: where it lies.
    :param prefix: its keys begin with this; see :func:`stoker.store.layout.journal`.
    :param fold: the state after a record, given the state before it. Must not look at anything else, and must leave the
        state as it is for a ``kind`` that it does not know.
    :param empty: the state before the first record; must be immutable, as every state.
    :param dump: a state as JSON.
    :param load: the inverse of ``dump``.
    :param shapes: what a record must look like, by its ``kind``, so that ``fold`` finds what it reads.
    :param clock: the time of new records.
    :param new_id: makes the bytes of each record unique.
    :param limits: how long :meth:`append` goes on against other writers and lost replies.
    """

    def __init__(
        self,
        store: ObjectStore,
        prefix: str,
        *,
        fold: Callable[[S, dict[str, Any]], S],
        empty: S,
        dump: Callable[[S], dict[str, Any]],
        load: Callable[[dict[str, Any]], S],
        shapes: Mapping[str, Shape] = MappingProxyType({}),
        clock: time.Clock = time.system_clock,
        new_id: time.IdFactory = time.random_id,
        limits: Limits = LIMITS,
    ) -> None:
        self._store = store
        self._entries = f"{prefix}entries/"
        self._checkpoints = f"{prefix}checkpoints/"
        self._fold = fold
        self._dump = dump
        self._load = load
        self._shapes = shapes
        self._clock = clock
        self._new_id = new_id
        self._limits = limits
        self._empty: _Head[S] = _Head(0, "", empty)
        self._known: _Head[S] | None = None

    def read(self) -> tuple[int, S]:
        """The number of the newest record, 0 when there is none, and the state after it.

        :raises TamperedRecord: when a record does not follow from the one before it.
        """
        head = self._head()
        return head.seq, head.state

    def append(self, decide: Callable[[S], dict[str, Any] | None]) -> tuple[S, dict[str, Any] | None]:
        """Write what is decided, against the state that holds when it is written.

        :param decide: the record to write at a state, JSON-safe and with a ``kind``, or ``None`` to write nothing. Called
            again whenever another writer was first, and may raise to refuse.
        :returns: the state afterwards, and the record as it was written: with ``seq``, ``time`` and ``write_id``.
        :raises TamperedRecord: when the journal is damaged; nothing is written then.
        :raises StoreUnavailable: when other writers were first until a limit was reached; nothing was written.
        :raises CommitStateUnknown: when the store gave no clear answer until a limit was reached.
        """
        write_id = self._new_id()
        contest = Contest(self._store, self._limits)
        while True:
            head = self._head()
            decided = decide(head.state)
            if decided is None:
                return head.state, None
            record = {
                **decided,
                "format": wire.FORMAT,
                "seq": head.seq + 1,
                "prev": head.digest,
                "time": time.to_text(self._clock()),
                "write_id": write_id,
            }
            data = wire.canonical(record)
            key = layout.numbered(self._entries, head.seq + 1)
            if contest.won(key, data, what=key, write_id=write_id):
                return self._after(_Head(head.seq + 1, wire.sha256(data), self._fold(head.state, record))).state, record
            if not contest.wait(f"{key}: another writer was first", write_id):
                raise StoreUnavailable(
                    f"A record of {self._entries} must be written before other writers' within {self._limits.tries} tries "
                    f"and {self._limits.total:g} s; it was not, and nothing was written. Try again later."
                )

    def entries(self, *, after: int = 0) -> Iterator[dict[str, Any]]:
        """The records after number ``after``, oldest first, each proved to follow from the one before it.

        :raises TamperedRecord: when one does not.
        """
        return (record for record, _ in self._follow(after, "" if after == 0 else None))

    def backwards(self) -> Iterator[dict[str, Any]]:
        """All records, newest first, each proved to be the one that the record after it names.

        :raises TamperedRecord: when one is not.
        """
        head = self._head()
        digest = head.digest
        for seq in range(head.seq, 0, -1):
            record = self._parsed(seq, self._proved(seq, digest))
            digest = record["prev"]
            yield record

    def newest(self, count: int) -> list[dict[str, Any]]:
        """The last ``count`` records, oldest first."""
        return list(islice(self.backwards(), count))[::-1]

    def _head(self) -> _Head[S]:
        head = self._known or self._newest_checkpoint()
        for record, digest in self._follow(head.seq, head.digest):
            head = _Head(head.seq + 1, digest, self._folded(head.state, record))
        self._known = head
        return head

    def _follow(self, after: int, prev: str | None) -> Iterator[tuple[dict[str, Any], str]]:
        """The records after ``after`` with their digests. ``prev``: the digest of record ``after``, if it is known."""
        seq = after
        while True:
            seq += 1
            try:
                data = self._store.read(layout.numbered(self._entries, seq))
            except NotFound:
                return
            record = self._parsed(seq, data)
            if prev is not None and record["prev"] != prev:
                raise self._tampered(
                    seq,
                    f"must follow the record before it, {layout.numbered(self._entries, seq - 1)}; it follows another one",
                )
            prev = wire.sha256(data)
            yield record, prev

    def _folded(self, state: S, record: dict[str, Any]) -> S:
        try:
            return self._fold(state, record)
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            raise self._tampered(record["seq"], f"must follow from the records before it; {error!r}") from error

    def _parsed(self, seq: int, data: bytes) -> dict[str, Any]:
        key = layout.numbered(self._entries, seq)
        record = wire.parse(data, key)
        conform(record, _RECORD, key)
        if record["seq"] != seq:
            raise self._tampered(seq, f"must hold record {seq}; it holds another one by its 'seq'")
        conform(record, self._shapes.get(record["kind"], {}), key)
        return record

    def _tampered(self, seq: int, fault: str) -> TamperedRecord:
        key = layout.numbered(self._entries, seq)
        return TamperedRecord(f"{key} {fault}. Restore the journal from a backup.", record=key)

    def _after(self, head: _Head[S]) -> _Head[S]:
        """Remember the new end and keep reads short. The record stands, so nothing here may fail the append."""
        self._known = head
        if head.seq % EVERY == 0:
            checkpoint = {"format": wire.FORMAT, "kind": "checkpoint", "seq": head.seq, "entry": head.digest}
            try:
                data = wire.canonical({**checkpoint, "state": self._dump(head.state)})
                self._store.create(layout.numbered_down(self._checkpoints, head.seq), data)
            except Exception:  # the record stands, so nothing after it may fail the append
                log.warning(
                    "%s%d stands, but its checkpoint could not be written.", self._entries, head.seq, exc_info=True
                )
        return head

    def _newest_checkpoint(self) -> _Head[S]:
        """The state of the newest checkpoint that can be used. It is derived, so that a damaged one only costs time.

        :raises TamperedRecord: when a checkpoint knows a record that is missing or has other bytes now.
        """
        for key in self._store.keys(self._checkpoints):
            try:
                checkpoint = wire.parse(self._store.read(key), key)
                head = _Head(int(checkpoint["seq"]), str(checkpoint["entry"]), self._load(checkpoint["state"]))
            except (TamperedRecord, LookupError, TypeError, ValueError, AttributeError, OverflowError) as error:
                log.warning("Ignoring the damaged checkpoint %s: %s", key, error)
                continue
            self._proved(head.seq, head.digest)
            return head
        return self._empty

    def _proved(self, seq: int, digest: str) -> bytes:
        """The bytes of a record whose digest is known from elsewhere."""
        try:
            data = self._store.read(layout.numbered(self._entries, seq))
        except NotFound:
            raise self._tampered(seq, "must exist, for something else names it; it was removed") from None
        if wire.sha256(data) != digest:
            raise self._tampered(seq, f"must have the digest {digest[:12]}, by which it is named; it has another")
        return data
