"""The commit log of models: reading its head, and the one write that is a commit."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from stoker.core.clock import Clock, IdFactory
from stoker.core.records import Actor
from stoker.errors import (
    IntegrityError,
    NotFound,
    StoreUnavailable,
    TamperedRecord,
)
from stoker.registry import derived
from stoker.registry.changes import Change, Register
from stoker.registry.entries import Entry, entry_key, follow, key_text, read_entry, write_entry
from stoker.registry.state import ModelState
from stoker.store import layout
from stoker.store.base import ObjectStore
from stoker.store.contests import Contest, Limits

log = logging.getLogger(__name__)

_LONGEST_TAIL = 4 * derived.EVERY


@dataclass(frozen=True)
class Head:
    """The end of a model's log as far as it was read.

    :param state: the state there.
    :param base: the entry of the checkpoint that reading began at; 0 for the beginning.
    :param tail: the entries after it.
    :param doubt: why nobody may write: a checkpoint contradicts the log. Empty when all is well.
    """

    state: ModelState
    base: int = 0
    tail: tuple[Entry, ...] = ()
    doubt: str = ""

    def extended(self, entry: Entry) -> Head:
        """The head one entry later."""
        return replace(self, state=follow(self.state, entry), tail=(*self.tail, entry))


@dataclass(frozen=True)
class Committed:
    """What a commit came to.

    :param entry: the entry that makes the change.
    :param head: the log with it.
    :param new: whether this call wrote it, rather than an earlier one.
    """

    entry: Entry
    head: Head
    new: bool


class CommitLog:
    """The logs of all models in a store.

    The head that was seen last is remembered, since entries never change; threads may share one object.

    :param store: where the logs lie.
    :param clock: the time of new entries.
    :param new_id: makes the bytes of each entry unique.
    :param limits: bounds of the commit loop.
    """

    def __init__(self, store: ObjectStore, *, clock: Clock, new_id: IdFactory, limits: Limits) -> None:
        self._store = store
        self._clock = clock
        self._new_id = new_id
        self._limits = limits
        self._heads: dict[str, Head] = {}

    def head(self, model: str) -> Head:
        """The newest state of a model; that of an empty log when there is no such model.

        :raises TamperedRecord: when an entry does not follow from the one before it.
        """
        known = self._heads.get(model)
        if known is None:
            known = self._newest_checkpoint(model)
        elif len(known.tail) > _LONGEST_TAIL:
            known = self._shortened(known)
        for entry in self._entries(model, known.state.seq + 1):
            known = known.extended(entry)
        self._heads[model] = known
        return known

    def entry(self, head: Head, seq: int) -> Entry:
        """Entry ``seq``.

        :raises TamperedRecord: when it is missing or damaged.
        """
        if seq > head.base:
            return head.tail[seq - head.base - 1]
        try:
            return read_entry(self._store.read(entry_key(head.state.model, seq)), head.state.model, seq)
        except NotFound as error:
            key = entry_key(head.state.model, seq)
            raise TamperedRecord(
                f"{key} must exist, for later entries do. It was removed: audit the log.", record=key
            ) from error

    def history(self, model: str, after: int) -> Iterator[Entry]:
        """The entries after ``after``, oldest first, each proved to follow from the one before it.

        :raises TamperedRecord: when one does not.
        """
        before: Entry | None = None
        for entry in self._entries(model, after + 1):
            if before is not None and entry.prev != before.digest:
                raise TamperedRecord(
                    f"{entry.key} does not follow from the entry before it. Audit the log.", record=entry.key
                )
            yield entry
            before = entry

    def find(self, head: Head, text: str) -> Entry | None:
        """The entry that an index text leads to, ``None`` when there is none.

        :raises TamperedRecord: when the index contradicts the log.
        """
        for entry in head.tail:
            if text in entry.index_texts():
                return entry
        if head.base == 0:
            return None
        try:
            return derived.read_pointer(self._store, head.state.model, text)
        except NotFound:
            return None

    def registration(self, head: Head, version: int) -> tuple[Entry, dict[str, Any]]:
        """The entry that registered a version, which must exist at the head, and its manifest document.

        :raises CorruptArtifact: when the manifest is lost or damaged.
        """
        for entry in head.tail:
            if isinstance(entry.change, Register) and entry.change.version == version:
                return entry, derived.manifest_of(self._store, entry.change)
        try:
            return derived.read_version_pointer(self._store, head.state.model, version)
        except (derived.MissingEntry, derived.ChangedEntry):
            raise
        except (NotFound, IntegrityError) as error:
            log.warning(
                "The index of version %d of model %s is unusable, reading the whole log: %s",
                version,
                head.state.model,
                error,
            )
            return self._search(head, version)

    def commit(
        self,
        model: str,
        propose: Callable[[Head], Change | Entry],
        *,
        actor: Actor,
        reason: str,
        idempotency_key: str | None = None,
    ) -> Committed:
        """Make a change, against the state that holds when it is made.

        :param propose: the change that is wanted at a state, or the entry that made it already. Called again whenever another
            writer was first, and may raise to refuse.
        :param idempotency_key: when an entry carries it already, that entry is the answer.
        :raises TamperedRecord: when the log is damaged; nothing is written to it then.
        :raises StoreUnavailable: when other writers were first until a limit was reached; nothing was written.
        :raises CommitStateUnknown: when the store gave no clear answer until a limit was reached.
        """
        contest = Contest(self._store, self._limits)
        self._confirm(model)
        while True:
            head = self.head(model)
            if head.doubt:
                raise TamperedRecord(
                    f"{head.doubt} Nothing is written to this log until that is cleared up.", model=model
                )
            self._check_gap(model, head.state.seq)
            earlier = self.find(head, key_text(idempotency_key)) if idempotency_key is not None else None
            proposed = earlier or propose(head)
            if isinstance(proposed, Entry):
                return Committed(proposed, head, new=False)
            proposed.check(head.state)
            entry = write_entry(
                head.state,
                proposed,
                write_id=self._new_id(),
                now=self._clock(),
                actor=actor,
                reason=reason,
                idempotency_key=idempotency_key,
            )
            # Once more, for the time at which the entry says it was made: an approval may have come too late by it.
            entry.change.check(head.state)
            what = f"Entry {entry.seq} of model {model}"
            if contest.won(entry.key, entry.data, what=what, write_id=entry.write_id):
                return Committed(entry, self._after(head.extended(entry)), new=True)
            if not contest.wait(f"{what}: another writer was first", entry.write_id):
                raise StoreUnavailable(
                    f"A change of model {model!r} must be written before other writers' within {self._limits.tries} tries and "
                    f"{self._limits.total:g} s; it was not, and nothing was written. Try again later.",
                    model=model,
                )

    def _check_gap(self, model: str, seq: int) -> None:
        """Refuse to write into a hole that a removed entry left: to a reader it looks like the end of the log.

        One look, one entry ahead. Wider holes are found by checkpoints, and all of them by an audit.
        """
        beyond, missing = entry_key(model, seq + 2), entry_key(model, seq + 1)
        # In this order: another writer may add both while this one looks.
        if self._store.exists(beyond) and not self._store.exists(missing):
            raise TamperedRecord(
                f"{missing} must exist, for {beyond} does. It was removed: audit the log. Nothing is written to it until then.",
                record=missing,
            )

    def _after(self, head: Head) -> Head:
        """Remember the head after a commit and keep reads short. The commit stands, so nothing here may fail it."""
        try:
            if head.state.seq % derived.EVERY == 0:
                derived.save(self._store, head.state, head.tail)
                head = Head(head.state, base=head.state.seq)
        except Exception:  # the entry stands, so nothing after it may fail the commit
            log.warning(
                "Entry %d of model %s stands, but its checkpoint could not be written.",
                head.state.seq,
                head.state.model,
                exc_info=True,
            )
        self._heads[head.state.model] = head
        return head

    def _confirm(self, model: str) -> None:
        """Before a write, prove that the remembered head still ends the log: another copy may have been put in its place."""
        known = self._heads.pop(model, None)
        if known is not None and known.state.seq:
            derived.checked_entry(self._store, model, known.state.seq, known.state.digest, "the head seen last")
            self._heads[model] = known

    def _shortened(self, head: Head) -> Head:
        """The head from the newest checkpoint within its tail on.

        Its entries were followed one by one, so none is read again; and its key is known, so nothing is listed.
        """
        model = head.state.model
        for seq in range(head.state.seq // derived.EVERY * derived.EVERY, head.base, -derived.EVERY):
            try:
                derived.read_checkpoint(self._store, model, seq)
            except (derived.MissingEntry, derived.ChangedEntry):
                break
            except (NotFound, TamperedRecord):
                continue
            return replace(head, base=seq, tail=head.tail[seq - head.base :])
        return self._newest_checkpoint(model)

    def _newest_checkpoint(self, model: str) -> Head:
        doubt = ""
        for key in self._store.keys(layout.checkpoints(model)):
            try:
                state = derived.read_checkpoint(self._store, model, layout.checkpoint_seq(key))
            except (derived.MissingEntry, derived.ChangedEntry) as error:
                doubt = doubt or str(error)
                log.warning("Going back to an earlier checkpoint: %s", error)
            except (TamperedRecord, ValueError) as error:
                log.warning("Ignoring the damaged checkpoint %s: %s", key, error)
            else:
                return Head(state, base=state.seq, doubt=doubt)
        return Head(ModelState(model), doubt=doubt)

    def _entries(self, model: str, seq: int) -> Iterator[Entry]:
        while True:
            try:
                data = self._store.read(entry_key(model, seq))
            except NotFound:
                return
            yield read_entry(data, model, seq)
            seq += 1

    def _search(self, head: Head, version: int) -> tuple[Entry, dict[str, Any]]:
        for entry in self.history(head.state.model, 0):
            if isinstance(entry.change, Register) and entry.change.version == version:
                return entry, derived.manifest_of(self._store, entry.change)
        raise TamperedRecord(
            f"The log of model {head.state.model!r} must register version {version}; it does not. Audit the log."
        )
