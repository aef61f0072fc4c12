"""Models, versions and aliases: the door to the registry."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from stoker.core import clock as clocks
from stoker.core import wire
from stoker.core.clock import Clock, IdFactory
from stoker.core.names import check_alias, check_name, check_version
from stoker.core.records import Actor
from stoker.errors import ConflictError, InvalidName, NotFound, TamperedRecord, UsageError
from stoker.registry.archives import Archive
from stoker.registry.changes import (
    ANY,
    Block,
    Change,
    Expected,
    Move,
    Register,
    Rollback,
    SetAlias,
    Unblock,
    check_free_alias,
    plan_moves,
)
from stoker.registry.commits import CommitLog, Committed, Head
from stoker.registry.entries import Entry, entry_key, fingerprint_text
from stoker.registry.reviews import Approve, AskApproval, Reject, require_approved
from stoker.registry.state import CHAMPION, VOID, ModelState, Review
from stoker.registry.versions import Version, manifest_document, version_of
from stoker.store import documents, layout
from stoker.store.base import ObjectStore
from stoker.store.contests import Limits

__all__ = ["ANY", "AliasMove", "Registry", "Version"]

log = logging.getLogger(__name__)

_LONGEST_REASON = 2000
_LONGEST_KEY = 500


@dataclass(frozen=True)
class AliasMove:
    """Where an alias was put.

    :param alias: the alias.
    :param version: where it points.
    :param previous: where it pointed before; ``None`` when it was unset.
    :param seq: the log entry that moved it there.
    :param time: when that was.
    :param changed: ``False`` when it pointed there already and nothing was written. A call repeated with its idempotency key gives
        the first call's answer.
    """

    alias: str
    version: int
    previous: int | None
    seq: int
    time: datetime
    changed: bool


class Registry:
    """The model registry in a store.

    Every change is one entry of the model's commit log, written if no other writer was first; see :mod:`stoker.registry.commits`.
    Any number of processes may use registries on one store at once, and threads may share one object.

    What all methods raise besides what they say: :class:`~stoker.errors.InvalidName` before anything is read or written,
    :class:`~stoker.errors.TamperedRecord` when the log is damaged, :class:`~stoker.errors.TransportError` when the store failed. After
    :class:`~stoker.errors.CommitStateUnknown` the same call again finds out.

    :param store: where everything lies.
    :param clock: the time of new entries.
    :param new_id: makes the bytes of each entry unique.
    :param limits: how long a change is tried against other writers.
    """

    def __init__(
        self,
        store: ObjectStore,
        *,
        clock: Clock = clocks.system_clock,
        new_id: IdFactory = clocks.random_id,
        limits: Limits | None = None,
    ) -> None:
        self.store = store
        self._clock = clock
        self._log = CommitLog(store, clock=clock, new_id=new_id, limits=limits or Limits())

    def models(self) -> list[str]:
        """The names of all registered models, in order."""
        # A loop may have asked for a model that nobody has registered yet.
        return [name for name in self.names() if self.store.exists(entry_key(name, 1))]

    def names(self) -> list[str]:
        """As :meth:`models`, in one listing; names of models that only their loops know of are among them."""
        found: list[str] = []
        for name in self.store.folders(layout.MODELS):
            try:
                found.append(check_name(name, "model"))
            except InvalidName:
                log.warning("%s is no key of this registry.", ascii(f"{layout.MODELS}{name}")[:200])
        return sorted(found)

    def register(
        self,
        name: str,
        manifest: Mapping[str, Any],
        *,
        actor: Actor,
        reason: str,
        idempotency_key: str | None = None,
        aliases: Iterable[str] = (),
    ) -> Version:
        """Make a new version, or find the one that the same training made before.

        :param name: the model; its first version creates it.
        :param manifest: JSON with the training ``fingerprint`` (64 hexadecimal digits), ``files`` (name to ``sha256`` and ``size``; all in
            the store already) and usually ``evaluation`` (with a ``verdict`` record). Anything else is kept as it is.
        :param actor: who registers.
        :param reason: why, in words.
        :param idempotency_key: a second call with it returns the first one's version.
        :param aliases: aliases to point at the new version in the same entry; not the champion, which takes a promotion. A version that
            existed before is returned as it is, its aliases untouched.
        :raises UsageError: when the manifest lacks something, or the key was used for another change.
        :raises NotFound: when a file that it names is not in the store.
        :raises VersionArchived: when the same training made a version that was archived; another parameter or seed makes another one.
        """
        check_name(name, "model")
        wanted = _registration_aliases(aliases)
        _check_texts(reason, idempotency_key)
        document = manifest_document(name, manifest)
        fingerprint = document["manifest"]["fingerprint"]
        digest = wire.digest(document)
        if self._log.find(self._log.head(name), fingerprint_text(fingerprint)) is None:
            self._check_files(document["manifest"])
            documents.put_document(self.store, document)

        def propose(head: Head) -> Change | Entry:
            earlier = self._log.find(head, fingerprint_text(fingerprint))
            if earlier is not None:
                if isinstance(earlier.change, Register):
                    head.state.require_files(earlier.change.version)
                return earlier
            number = head.state.versions + 1
            moves = tuple(move for alias in wanted for move in plan_moves(head.state, alias, number))
            return Register(number, digest, fingerprint, moves)

        done = self._log.commit(name, propose, actor=actor, reason=reason, idempotency_key=idempotency_key)
        change = done.entry.change
        if not isinstance(change, Register):
            raise _reused(idempotency_key)
        if change.manifest == digest:
            # What was just committed is known: a read that failed now would turn a success into an error.
            return version_of(done.entry, document, done.head.state)
        return self._version(done.head, change.version)

    def version(self, name: str, number: int) -> Version:
        """One version, its manifest proved against the log. Its files are not read.

        :raises NotFound: when there is no such model or version.
        :raises CorruptArtifact: when the manifest is lost or damaged.
        """
        check_version(number)
        return self._version(self._head(name), number)

    def versions(
        self, name: str, *, newest_first: bool = True, after: int | None = None, limit: int | None = None
    ) -> Iterator[Version]:
        """The versions of a model, read one by one as the caller goes along.

        :param after: begin behind this version, as a page that follows another does.
        :param limit: the most to give; ``None`` for all.
        :raises NotFound: when there is no such model.
        """
        head = self._head(name)
        if newest_first:
            numbers = range((head.state.versions if after is None else min(after - 1, head.state.versions)), 0, -1)
        else:
            numbers = range(1 if after is None else max(after, 0) + 1, head.state.versions + 1)
        return (self._version(head, number) for number in islice(numbers, limit))

    def resolve(self, name: str, alias: str = CHAMPION) -> Version:
        """The version that an alias points at.

        :raises NotFound: when there is no such model, or the alias is unset.
        """
        check_name(name, "model")
        check_alias(alias)
        head = self._head(name)
        number = head.state.pointed(alias)
        if number is None:
            known = ", ".join(sorted(head.state.aliases)) or "none"
            raise NotFound(
                f"Alias {alias!r} of model {name!r} must be set; it is not. Aliases that are: {known}.",
                model=name,
                alias=alias,
            )
        return self._version(head, number)

    def pointed(self, name: str, alias: str = CHAMPION) -> int | None:
        """The number of the version that an alias points at; ``None`` when it is unset, or there is no such model yet."""
        return self._log.head(check_name(name, "model")).state.pointed(check_alias(alias))

    def aliases(self, name: str) -> dict[str, int]:
        """Alias to version number.

        :raises NotFound: when there is no such model.
        """
        return {alias: target.version for alias, target in sorted(self.state(name).aliases.items())}

    def state(self, name: str) -> ModelState:
        """Everything small about a model: its aliases, blocked versions, number of versions, and the head of its log.

        :raises NotFound: when there is no such model.
        """
        return self._head(name).state

    def promote(
        self,
        name: str,
        version: int,
        *,
        alias: str = CHAMPION,
        expected_version: Expected = ANY,
        actor: Actor,
        reason: str,
        idempotency_key: str | None = None,
        require_verdict: bool = True,
        require_approval: bool | None = None,
    ) -> AliasMove:
        """Point an alias at a version, provided that it still points where the caller last saw it.

        When it points at the version already nothing is written, whatever was expected. A champion's move sets ``previous`` as well.

        :param version: where to.
        :param expected_version: what the alias must point at when the move is made; ``None``: it must be unset; ``ANY``: no matter.
        :param actor: who promotes.
        :param reason: why, in words.
        :param idempotency_key: a second call with it gives the first one's answer.
        :param require_verdict: whether the version must have passed its evaluation.
        :param require_approval: whether a person must have approved the version as it lies in the store; see :meth:`ask_approval`.
            ``None``: to become champion, if anybody was asked about it.
        :raises NotFound: when there is no such version.
        :raises VersionBlocked: when it is blocked.
        :raises GateFailed: when its verdict is not ``pass``.
        :raises NotApproved: when nobody approved it, or what was approved is not what it is.
        :raises PromotionConflict: when the alias points elsewhere; its details tell ``seen_version`` and ``seen_seq``.
        """
        check_name(name, "model")
        check_version(version)
        check_free_alias(alias)
        _check_expected(expected_version)
        _check_texts(reason, idempotency_key)

        def propose(head: Head) -> Change | Entry:
            change = SetAlias(plan_moves(head.state, alias, version), expected_version)
            target = head.state.aliases.get(alias)
            if target is not None and target.version == version and version not in head.state.blocked:
                return self._log.entry(head, target.seq)
            change.check(head.state)
            if require_verdict:
                self._version(head, version).require_pass()
            asked = alias == CHAMPION and version in head.state.reviews
            if require_approval or (require_approval is None and asked):
                require_approved(head.state, version, self._version(head, version).digest, self._clock())
            return change

        done = self._log.commit(name, propose, actor=actor, reason=reason, idempotency_key=idempotency_key)
        return _alias_move(done, alias, version, SetAlias, idempotency_key)

    def rollback(
        self,
        name: str,
        *,
        alias: str = CHAMPION,
        to: int | None = None,
        expected_version: Expected = ANY,
        actor: Actor,
        reason: str,
        idempotency_key: str | None = None,
        verify: Callable[[Version], None] | None = None,
    ) -> AliasMove:
        """Point an alias back at a version that it had before, and block the one that it leaves; both in one entry.

        The version to leave is settled when the call begins. When somebody moves the alias meanwhile the call is refused, so that two
        rollbacks at once do not go back two versions. To repeat a call safely give ``expected_version`` or ``idempotency_key``.

        :param to: where to; ``None`` means the last version that the alias pointed at and that is not blocked.
        :param expected_version: the version that proved bad; ``ANY``: whatever the alias points at now.
        :param actor: who rolls back.
        :param reason: why, in words; must not be empty.
        :param idempotency_key: a second call with it gives the first one's answer.
        :param verify: called with the target before anything is written; raises to refuse it.
        :raises NotFound: when the alias is unset, or was never at such a version.
        :raises VersionBlocked: when ``to`` is blocked.
        :raises PromotionConflict: when the alias points elsewhere than expected.
        """
        check_name(name, "model")
        check_free_alias(alias)
        if to is not None:
            check_version(to)
        _check_expected(expected_version)
        _check_texts(reason, idempotency_key)
        if not reason.strip():
            raise UsageError("A rollback must have a reason; got an empty one. Say what was wrong with the version.")
        seen: list[int] = []

        def propose(head: Head) -> Change | Entry:
            bad = head.state.pointed(alias)
            if bad is None:
                raise NotFound(
                    f"Alias {alias!r} of model {name!r} must be set to roll it back; it is not.",
                    model=name,
                    alias=alias,
                )
            seen.append(bad)
            target = self._rollback_target(head, alias, to)
            expected = seen[0] if expected_version is ANY else expected_version
            change = Rollback(plan_moves(head.state, alias, target), expected, bad)
            change.check(head.state)
            if verify is not None:
                verify(self._version(head, target))
            return change

        done = self._log.commit(name, propose, actor=actor, reason=reason, idempotency_key=idempotency_key)
        return _alias_move(done, alias, to, Rollback, idempotency_key)

    def ask_approval(
        self,
        name: str,
        version: int,
        *,
        until: datetime,
        four_eyes: bool = True,
        actor: Actor,
        reason: str,
        idempotency_key: str | None = None,
    ) -> Review:
        """Have a version wait for a person's approval, as :meth:`promote` may require it.

        Writes nothing when the version waits already, or was approved: that review is the answer, whatever its end. One that was
        rejected, or that nobody answered, is asked for anew.

        :param until: the last moment at which it can be approved; with a time zone.
        :param four_eyes: whether somebody other than ``actor`` has to approve. A review with a lower demand is no answer.
        :param actor: who asks.
        :param reason: why, in words.
        :param idempotency_key: a second call with it does not ask again, whatever was decided.
        :raises NotFound: when there is no such version.
        :raises VersionBlocked: when it is blocked.
        :raises ConflictError: when a review with a lower demand waits.
        """
        check_name(name, "model")
        check_version(version)
        _check_texts(reason, idempotency_key)
        if until.tzinfo is None or until <= self._clock():
            raise UsageError(f"An approval must have an end in the future, with a time zone; got {until}.")

        def propose(head: Head) -> Change | Entry:
            digest, now = self._version(head, version).digest, self._clock()
            known = head.state.reviews.get(version)
            if known is not None and known.answers(digest, four_eyes=four_eyes, now=now):
                return self._log.entry(head, known.seq)
            return AskApproval(version, digest, actor, now, until.astimezone(UTC), four_eyes)

        done = self._log.commit(name, propose, actor=actor, reason=reason, idempotency_key=idempotency_key)
        return _review(done, version, AskApproval, idempotency_key)

    def approve(
        self,
        name: str,
        version: int,
        *,
        evidence: str,
        actor: Actor,
        reason: str,
        idempotency_key: str | None = None,
    ) -> Review:
        """Let a version go into production, as far as people are concerned. Moves no alias.

        The same decision by the same person again writes nothing.

        :param evidence: the digest of the version that the person looked at.
        :param actor: who approves.
        :param reason: why, in words; may be empty.
        :param idempotency_key: a second call with it decides nothing anew.
        :raises NotFound: when there is no such version, or nobody asked for its approval.
        :raises VersionBlocked: when it is blocked.
        :raises ConflictError: when it was decided already, or the evidence is not the version's; its details tell ``status`` and
            ``decided_by``.
        :raises ApprovalRefused: when it is too late, or the actor asked for it and somebody else has to approve.
        """
        return self._decide(Approve, name, version, evidence, actor, reason, idempotency_key)

    def reject(
        self,
        name: str,
        version: int,
        *,
        evidence: str,
        actor: Actor,
        reason: str,
        idempotency_key: str | None = None,
    ) -> Review:
        """Do not let a version go into production. As :meth:`approve`, but the one who asked may do it, and at any time."""
        return self._decide(Reject, name, version, evidence, actor, reason, idempotency_key)

    def block(self, name: str, version: int, *, actor: Actor, reason: str) -> bool:
        """Refuse all later promotions of a version. Aliases that point at it stay.

        :returns: whether that is new.
        :raises NotFound: when there is no such version.
        """
        return self._set_blocked(name, Block(check_version(version)), actor=actor, reason=reason)

    def unblock(self, name: str, version: int, *, actor: Actor, reason: str) -> bool:
        """Allow promotions of a blocked version again.

        :returns: whether that is new.
        :raises NotFound: when there is no such version.
        """
        return self._set_blocked(name, Unblock(check_version(version)), actor=actor, reason=reason)

    def archive(
        self, name: str, choose: Callable[[ModelState], Iterable[int]], *, actor: Actor, reason: str
    ) -> tuple[int, ...]:
        """Give up the files of versions, in one entry; nothing is removed here. There is no way back.

        From this entry on no alias can be pointed at them; a promotion that was committed before it keeps its version.

        :param choose: the versions to give up at a state; called again whenever another writer was first. None writes nothing.
        :returns: the versions that this call archived.
        :raises NotFound: when there is no such model.
        :raises ConflictError: when a version is archived already, an alias points at it, or it is before people.
        """
        _check_texts(reason, None)
        self._head(name)

        def propose(head: Head) -> Change | Entry:
            chosen = tuple(sorted(set(choose(head.state))))
            return Archive(chosen, self._clock()) if chosen else self._log.entry(head, head.state.seq)

        done = self._log.commit(name, propose, actor=actor, reason=reason)
        change = done.entry.change
        return change.versions if done.new and isinstance(change, Archive) else ()

    def history(self, name: str, *, after: int = 0, limit: int | None = None) -> Iterator[Entry]:
        """The entries of a model's log, oldest first, each proved to follow from the one before it.

        :param after: begin behind this entry.
        :param limit: the most to give; ``None`` for all.
        :raises NotFound: when there is no such model.
        """
        self._head(name)
        return islice(self._log.history(name, after), limit)

    def alias_at(self, name: str, moment: datetime, alias: str = CHAMPION) -> Version | None:
        """The version that an alias pointed at at a moment in the past, ``None`` when it was unset.

        Goes back over the alias's own moves; times are those of the log, which never run backwards. ``blocked`` and ``aliases`` of the
        result are today's.

        :param moment: with a time zone.
        :raises NotFound: when there is no such model.
        """
        check_name(name, "model")
        check_alias(alias)
        if moment.tzinfo is None:
            raise UsageError(f"A moment must have a time zone; got {moment}. Use datetime(..., tzinfo=UTC).")
        head = self._head(name)
        for entry, move in self._moves(head, alias):
            if entry.time <= moment:
                return self._version(head, move.version)
        return None

    def champion_at(self, name: str, moment: datetime) -> Version | None:
        """As :meth:`alias_at`, of the champion."""
        return self.alias_at(name, moment)

    def moves(self, name: str, alias: str = CHAMPION, *, limit: int | None = None) -> list[tuple[Entry, Move]]:
        """The moves of an alias with the entries that made them, newest first. Reads those entries alone.

        :param limit: the most to give; ``None`` for all.
        :raises NotFound: when there is no such model.
        """
        return list(islice(self._moves(self._head(name), check_alias(alias)), limit))

    def entries_before(self, name: str, before: int | None = None, *, limit: int) -> list[Entry]:
        """Entries of a model's log, newest first, each proved to be the one that the entry after it names.

        :param before: begin with the entry before this number; ``None`` begins with the newest.
        :param limit: the most to give, and to read.
        :raises NotFound: when there is no such model.
        """
        head = self._head(name)
        last = head.state.seq if before is None else min(before - 1, head.state.seq)
        found: list[Entry] = []
        for seq in range(last, max(last - limit, 0), -1):
            entry = self._log.entry(head, seq)
            if found and found[-1].prev != entry.digest:
                raise TamperedRecord(
                    f"{found[-1].key} does not follow from the entry before it. Audit the log.", record=found[-1].key
                )
            found.append(entry)
        return found

    def _head(self, name: str) -> Head:
        head = self._log.head(check_name(name, "model"))
        if head.state.seq == 0:
            raise NotFound(
                f"Model {name!r} must exist in {self.store.uri}; it does not. Register its first version.", model=name
            )
        return head

    def _version(self, head: Head, number: int) -> Version:
        head.state.require_version(number)
        return version_of(*self._log.registration(head, number), head.state)

    def _check_files(self, manifest: Mapping[str, Any]) -> None:
        missing = [
            name for name, file in manifest["files"].items() if not self.store.exists(layout.blob(file["sha256"]))
        ]
        if missing:
            raise NotFound(
                f"All files of a version must be in the store before it is registered; missing: {', '.join(missing)}. Store them first.",
                files=missing,
            )

    def _rollback_target(self, head: Head, alias: str, to: int | None) -> int:
        current = head.state.pointed(alias)
        for _, move in self._moves(head, alias):
            if to is not None and move.version == to != current:
                return to
            if to is None and move.version != current and move.version not in head.state.blocked | head.state.archived:
                return move.version
        wanted = "a version that is neither blocked nor archived" if to is None else f"version {to}"
        raise NotFound(
            f"Alias {alias!r} of model {head.state.model!r} must have pointed at {wanted} before its present version {current}; it never "
            "did, so there is nothing to go back to. Promote a version instead.",
            model=head.state.model,
            alias=alias,
        )

    def _moves(self, head: Head, alias: str) -> Iterator[tuple[Entry, Move]]:
        """The moves of an alias, newest first."""
        target = head.state.aliases.get(alias)
        seq, later = (target.seq if target else 0), head.state.seq + 1
        while seq:
            if not 0 < seq < later:
                raise TamperedRecord(
                    f"The moves of alias {alias!r} of model {head.state.model!r} must lead back; entry {later} leads to {seq}."
                )
            entry = self._log.entry(head, seq)
            move = next((move for move in entry.change.moves if move.alias == alias), None)
            if move is None:
                raise TamperedRecord(
                    f"{entry.key} must move alias {alias!r}, for a later entry says so; it does not.", record=entry.key
                )
            yield entry, move
            seq, later = move.prior_move, seq

    def _decide(
        self,
        kind: type[Approve | Reject],
        name: str,
        version: int,
        evidence: str,
        actor: Actor,
        reason: str,
        idempotency_key: str | None,
    ) -> Review:
        check_name(name, "model")
        check_version(version)
        _check_texts(reason, idempotency_key)

        def propose(head: Head) -> Change | Entry:
            known = head.state.reviews.get(version)
            if known and (known.status, known.decided_by, known.evidence) == (kind.status, actor.user, evidence):
                return self._log.entry(head, known.seq)
            return kind(version, evidence, actor, self._clock())

        self._head(name)
        done = self._log.commit(name, propose, actor=actor, reason=reason, idempotency_key=idempotency_key)
        return _review(done, version, kind, idempotency_key)

    def _set_blocked(self, name: str, change: Block | Unblock, *, actor: Actor, reason: str) -> bool:
        _check_texts(reason, None)
        self._head(name)

        def propose(head: Head) -> Change | Entry:
            head.state.require_version(change.version)
            if (change.version in head.state.blocked) == isinstance(change, Block):
                return self._log.entry(head, head.state.seq)
            return change

        return self._log.commit(name, propose, actor=actor, reason=reason).new


def _alias_move(done: Committed, alias: str, version: int | None, kind: type[SetAlias], key: str | None) -> AliasMove:
    repeated = key is not None and done.entry.idempotency_key == key
    change = done.entry.change
    if repeated and not (type(change) is kind and change.alias == alias and version in {None, change.version}):
        raise _reused(key)
    move = next(move for move in change.moves if move.alias == alias)
    return AliasMove(alias, move.version, move.before, done.entry.seq, done.entry.time, changed=done.new or repeated)


def _review(done: Committed, version: int, kind: type[AskApproval | Approve | Reject], key: str | None) -> Review:
    """What a commit left of a version's review."""
    change = done.entry.change
    repeated = key is not None and done.entry.idempotency_key == key
    if repeated and not (isinstance(change, kind) and change.version == version):
        raise _reused(key)
    review = done.head.state.reviews.get(version)
    if review is None or review.status == VOID:
        raise ConflictError(
            f"The review of version {version} of model {done.entry.model!r} that this call made must be in force; it ended since, for the "
            "version was blocked. Look again, then decide.",
            model=done.entry.model,
            version=version,
        )
    return review


def _reused(key: str | None) -> UsageError:
    return UsageError(
        f"An idempotency key must be used for one change only; {ascii(key)[:100]} was used for another. Use a new key."
    )


def _registration_aliases(aliases: Iterable[str]) -> list[str]:
    given = list(aliases)
    for alias in given:
        check_free_alias(alias)
        if alias == CHAMPION:
            raise UsageError(
                "A registration must not set the champion; promote the version afterwards, so that its gates are checked."
            )
    return sorted(set(given))


def _check_expected(expected: Expected) -> None:
    if expected is not ANY and expected is not None:
        check_version(expected)


def _check_texts(reason: str, idempotency_key: str | None) -> None:
    _check_text("A reason", reason, _LONGEST_REASON)
    if idempotency_key is not None:
        _check_text("An idempotency key", idempotency_key, _LONGEST_KEY)
        if not idempotency_key:
            raise UsageError("An idempotency key must not be empty; leave it out or give one.")


def _check_text(what: str, text: str, longest: int) -> None:
    try:
        fits = isinstance(text, str) and len(text.encode()) <= longest
    except UnicodeEncodeError:
        fits = False
    if not fits:
        raise UsageError(f"{what} must be text of at most {longest} bytes; got {ascii(text)[:80]}.")
