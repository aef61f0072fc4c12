"""The changes that a log entry can make. Each carries what must hold at the state that it is applied to."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum
from typing import Any, ClassVar, Literal

from stoker.core.names import check_alias, parse_version
from stoker.core.records import Actor
from stoker.core.shapes import DIGEST
from stoker.errors import ConflictError, InvalidName, PromotionConflict, TamperedRecord, UsageError, VersionBlocked
from stoker.registry import archives, reviews
from stoker.registry.archives import Archive
from stoker.registry.reviews import Approve, AskApproval, Reject
from stoker.registry.state import CHAMPION, OPTIONAL_INT, PREVIOUS, AliasTarget, ModelState, fields


class Expectation(Enum):
    """The stand-in for an expectation that was not stated."""

    ANY = "any"


ANY = Expectation.ANY
"""Wherever the alias points now."""

Expected = int | None | Literal[Expectation.ANY]
"""What an alias is expected to point at: a version, ``None`` for unset, or :data:`ANY`."""


def parse_expected(value: Any) -> Expected:
    """An expectation from a template field or the command line.

    :param value: a version number, ``any``, or ``none``; ``None`` and an empty text mean ``none``.
    :raises InvalidName: when it is none of these.
    """
    if value in (None, "", "none", "None"):
        return None
    try:
        return ANY if value == "any" else parse_version(value)
    except InvalidName as error:
        shown = ascii(value)[:80]
        raise InvalidName(
            f"expected_version must be a version number, 'any' or 'none'; got {shown}.", name=shown
        ) from error


@dataclass(frozen=True)
class Move:
    """One alias goes from one version to another.

    :param alias: the alias.
    :param version: where it points afterwards.
    :param before: where it pointed before; ``None`` when it was unset.
    :param prior_move: the entry of its move before this one, 0 when this is the first. These links make an alias's past a
        walk over its own moves, however long the log is.
    """

    alias: str
    version: int
    before: int | None
    prior_move: int

    def to_record(self) -> dict[str, Any]:
        """The JSON form."""
        return {"alias": self.alias, "version": self.version, "from": self.before, "prior_move": self.prior_move}

    @classmethod
    def from_record(cls, record: Any, what: str) -> Move:
        """The inverse of :meth:`to_record`."""
        types: dict[str, Any] = {"alias": str, "version": int, "from": OPTIONAL_INT, "prior_move": int}
        given = fields(record, what, **types)
        return cls(given["alias"], given["version"], given["from"], given["prior_move"])


def plan_moves(state: ModelState, alias: str, version: int) -> tuple[Move, ...]:
    """The moves that pointing an alias at a version means; a champion's takes ``previous`` along."""
    moves = [_plan_move(state, alias, version)]
    old = state.pointed(CHAMPION)
    if alias == CHAMPION and old is not None:
        moves.append(_plan_move(state, PREVIOUS, old))
    return tuple(moves)


def _plan_move(state: ModelState, alias: str, version: int) -> Move:
    now = state.aliases.get(alias)
    return Move(alias, version, now.version, now.seq) if now else Move(alias, version, None, 0)


def _moved(state: ModelState, moves: tuple[Move, ...]) -> dict[str, AliasTarget]:
    return {**state.aliases, **{move.alias: AliasTarget(move.version, state.seq + 1) for move in moves}}


def _check_moves(state: ModelState, moves: tuple[Move, ...]) -> None:
    for move in moves:
        if move != _plan_move(state, move.alias, move.version):
            raise PromotionConflict(
                f"Alias {move.alias!r} of model {state.model!r} must still be where the change saw it, at {_shown(move.before)}; it is "
                f"at {_shown(state.pointed(move.alias))}. Look again, then decide.",
                **_seen(state, move.alias, move.before),
            )


def _check_target(state: ModelState, alias: str, version: int, expects: Expected) -> None:
    state.require_version(version)
    if version in state.blocked:
        raise VersionBlocked(
            f"Version {version} of model {state.model!r} must not be blocked to take {alias!r}; it is. Promote another version, "
            "or have a person unblock it.",
            model=state.model,
            version=version,
        )
    state.require_files(version)
    seen = state.pointed(alias)
    if expects is not ANY and seen != expects:
        raise PromotionConflict(
            f"Alias {alias!r} of model {state.model!r} must point at {_shown(expects)}; it points at {_shown(seen)}. Somebody moved "
            "it first: look again, then decide.",
            **_seen(state, alias, expects),
        )


def _seen(state: ModelState, alias: str, expected: int | None) -> dict[str, Any]:
    target = state.aliases.get(alias)
    return {
        "model": state.model,
        "alias": alias,
        "expected": expected,
        "seen_version": target.version if target else None,
        "seen_seq": target.seq if target else None,
    }


def _shown(version: int | None) -> str:
    return "nothing" if version is None else f"version {version}"


@dataclass(frozen=True)
class Register:
    """A new version.

    :param version: its number, one above the highest.
    :param manifest: SHA-256 of its manifest document.
    :param fingerprint: the training fingerprint that it comes from.
    :param moves: aliases that point at it from the start.
    """

    kind: ClassVar[str] = "register"
    version: int
    manifest: str
    fingerprint: str
    moves: tuple[Move, ...] = ()

    def check(self, state: ModelState) -> None:
        """Require that the number is the next one, and that the aliases are where the change saw them.

        :raises ConflictError: when it is not.
        :raises UsageError: when it would make a champion without a promotion.
        """
        if self.version != state.versions + 1:
            raise ConflictError(
                f"The next version of model {state.model!r} must be {state.versions + 1}; the change has {self.version}."
            )
        for move in self.moves:
            check_free_alias(move.alias)
            if move.alias == CHAMPION or move.version != self.version:
                raise UsageError(
                    "A registration may only set aliases other than champion, and only to its own version."
                )
        _check_moves(state, self.moves)

    def apply(self, state: ModelState) -> ModelState:
        """The state's content afterwards."""
        return replace(state, versions=self.version, aliases=_moved(state, self.moves))

    def to_record(self) -> dict[str, Any]:
        """The JSON form."""
        moves = [move.to_record() for move in self.moves]
        return {"version": self.version, "manifest": self.manifest, "fingerprint": self.fingerprint, "moves": moves}

    def describe(self) -> str:
        """One line for people."""
        aliases = "".join(f", {move.alias}" for move in self.moves)
        return f"registered v{self.version}{aliases}"


@dataclass(frozen=True)
class SetAlias:
    """An alias points at a version.

    :param moves: the alias's own move first; ``previous`` follows a champion's.
    :param expects: what the caller expected the alias to point at.
    """

    kind: ClassVar[str] = "set_alias"
    moves: tuple[Move, ...]
    expects: Expected = ANY

    @property
    def alias(self) -> str:
        """The alias that was asked for."""
        return self.moves[0].alias

    @property
    def version(self) -> int:
        """Where it points afterwards."""
        return self.moves[0].version

    def check(self, state: ModelState) -> None:
        """Require that the version exists, is not blocked, and that the alias points where it was expected to.

        :raises NotFound: when there is no such version.
        :raises VersionBlocked: when it is blocked.
        :raises VersionArchived: when its files were given up.
        :raises PromotionConflict: when the alias points elsewhere.
        """
        check_free_alias(self.alias)
        _check_target(state, self.alias, self.version, self.expects)
        _check_moves(state, self.moves)
        if self.moves != plan_moves(state, self.alias, self.version):
            raise UsageError("A move of the champion must take the alias 'previous' along, and no other may.")

    def apply(self, state: ModelState) -> ModelState:
        """The state's content afterwards."""
        return replace(state, aliases=_moved(state, self.moves))

    def to_record(self) -> dict[str, Any]:
        """The JSON form."""
        return {"moves": [move.to_record() for move in self.moves]}

    def describe(self) -> str:
        """One line for people."""
        before = self.moves[0].before
        return f"{self.alias}: {'unset' if before is None else f'v{before}'} → v{self.version}"


@dataclass(frozen=True)
class Rollback(SetAlias):
    """An alias goes back, and the version that it leaves is blocked.

    :param blocks: the version that proved bad.
    """

    kind: ClassVar[str] = "rollback"
    blocks: int = 0

    def check(self, state: ModelState) -> None:
        """As :meth:`SetAlias.check`, and require that exactly the version that is left gets blocked."""
        super().check(state)
        if self.blocks != self.moves[0].before or self.blocks == self.version:
            raise UsageError("A rollback must leave the version that it blocks.")

    def apply(self, state: ModelState) -> ModelState:
        """The state's content afterwards."""
        return super().apply(state).with_block(self.blocks)

    def to_record(self) -> dict[str, Any]:
        """The JSON form."""
        return {**super().to_record(), "blocks": self.blocks}

    def describe(self) -> str:
        """One line for people."""
        return f"rolled back {super().describe()}, blocked v{self.blocks}"


@dataclass(frozen=True)
class Block:
    """A version may not be promoted any more."""

    kind: ClassVar[str] = "block"
    version: int
    moves: ClassVar[tuple[Move, ...]] = ()

    def check(self, state: ModelState) -> None:
        """Require that the version exists and is not blocked."""
        state.require_version(self.version)
        if self.version in state.blocked:
            raise ConflictError(f"Version {self.version} of model {state.model!r} is blocked already.")

    def apply(self, state: ModelState) -> ModelState:
        """The state's content afterwards."""
        return state.with_block(self.version)

    def to_record(self) -> dict[str, Any]:
        """The JSON form."""
        return {"version": self.version}

    def describe(self) -> str:
        """One line for people."""
        return f"blocked v{self.version}"


@dataclass(frozen=True)
class Unblock:
    """A person decided that a version may be promoted again."""

    kind: ClassVar[str] = "unblock"
    version: int
    moves: ClassVar[tuple[Move, ...]] = ()

    def check(self, state: ModelState) -> None:
        """Require that the version is blocked."""
        if self.version not in state.blocked:
            raise ConflictError(f"Version {self.version} of model {state.model!r} is not blocked.")

    def apply(self, state: ModelState) -> ModelState:
        """The state's content afterwards."""
        return replace(state, blocked=state.blocked - {self.version})

    def to_record(self) -> dict[str, Any]:
        """The JSON form."""
        return {"version": self.version}

    def describe(self) -> str:
        """One line for people."""
        return f"unblocked v{self.version}"


Change = Register | SetAlias | Rollback | Block | Unblock | AskApproval | Approve | Reject | Archive


def check_free_alias(alias: str) -> None:
    """Refuse an alias that may not be set by hand.

    :raises InvalidName: when it breaks the naming rule.
    :raises UsageError: for ``previous``, which follows the champion by itself.
    """
    check_alias(alias)
    if alias == PREVIOUS:
        raise UsageError(
            f"The alias {PREVIOUS!r} follows {CHAMPION!r} by itself and must not be set; set {CHAMPION!r} or another alias."
        )


def to_records(change: Change) -> tuple[dict[str, Any], dict[str, Any]]:
    """The JSON forms of a change and of what it expects."""
    expects = {"version": change.expects} if isinstance(change, SetAlias) and change.expects is not ANY else {}
    return {"kind": change.kind, **change.to_record()}, expects


def from_records(change: dict[str, Any], expects: dict[str, Any], what: str, *, actor: Actor, time: datetime) -> Change:
    """The inverse of :func:`to_records`.

    :param what: the name of the entry, for the error message.
    :param actor: who made the entry; a review depends on it.
    :param time: when the entry was made; a review depends on it.
    :raises TamperedRecord: when they are not of that form.
    """
    kind = change.get("kind")
    expected: Expected = fields(expects, what, version=OPTIONAL_INT)["version"] if expects else ANY
    match kind:
        case "register":
            given = fields(change, what, kind=str, version=int, manifest=str, fingerprint=str, moves=list)
            found: Change = Register(
                given["version"], given["manifest"], given["fingerprint"], _moves(given["moves"], what)
            )
        case "set_alias":
            given = fields(change, what, kind=str, moves=list)
            found = SetAlias(_own_moves(given["moves"], what), expected)
        case "rollback":
            given = fields(change, what, kind=str, moves=list, blocks=int)
            found = Rollback(_own_moves(given["moves"], what), expected, given["blocks"])
        case "block":
            found = Block(fields(change, what, kind=str, version=int)["version"])
        case "unblock":
            found = Unblock(fields(change, what, kind=str, version=int)["version"])
        case "ask_approval" | "approve" | "reject":
            found = reviews.from_record(change, what, actor=actor, time=time)
        case "archive":
            found = archives.from_record(change, what, time=time)
        case _:
            raise TamperedRecord(
                f"{what} must make a change that Stoker knows; it has {ascii(kind)[:80]}.", record=what
            )
    if not all(map(DIGEST.holds, _digests(found))):
        raise TamperedRecord(f"{what} must name what it is about by digests of 64 hexadecimal digits.", record=what)
    if to_records(found) != (change, expects):
        raise TamperedRecord(f"{what} states an expectation that its change does not take.", record=what)
    return found


def _digests(change: Change) -> tuple[str, ...]:
    match change:
        case Register():
            return change.manifest, change.fingerprint
        case AskApproval() | Approve() | Reject():
            return (change.evidence,)
        case _:
            return ()


def _moves(records: list[Any], what: str) -> tuple[Move, ...]:
    return tuple(Move.from_record(record, what) for record in records)


def _own_moves(records: list[Any], what: str) -> tuple[Move, ...]:
    if not records:
        raise TamperedRecord(f"{what} must move at least one alias.", record=what)
    return _moves(records, what)
