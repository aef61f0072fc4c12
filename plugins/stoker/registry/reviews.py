"""The changes by which people decide on a version: asking for an approval, giving it, refusing it.

What is decided on is the version's digest, so that nobody's approval can stand for another version or other content.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, ClassVar

from stoker.core.clock import to_minute, to_text
from stoker.core.records import Actor
from stoker.errors import ApprovalRefused, ConflictError, NotApproved, NotFound, VersionBlocked
from stoker.registry.state import APPROVED, REJECTED, VOID, WAITING, ModelState, Review, fields, moment


@dataclass(frozen=True)
class _Decidable:
    """What the changes of a review have in common.

    :param version: the version's number.
    :param evidence: its digest.
    :param actor: who makes the change; stored with the entry, not with the change.
    :param time: when; stored with the entry as well.
    """

    moves: ClassVar[tuple[()]] = ()
    kind: ClassVar[str]
    version: int
    evidence: str
    actor: Actor
    time: datetime

    def to_record(self) -> dict[str, Any]:
        """The JSON form."""
        return {"version": self.version, "evidence": self.evidence}


@dataclass(frozen=True)
class AskApproval(_Decidable):
    """A version waits for a person.

    :param until: the last moment at which it can be approved.
    :param four_eyes: whether somebody else than ``actor`` has to approve.
    """

    kind: ClassVar[str] = "ask_approval"
    until: datetime
    four_eyes: bool

    def check(self, state: ModelState) -> None:
        """Require a version that is not blocked and about which nobody is being asked.

        :raises NotFound: when there is no such version.
        :raises VersionBlocked: when it is blocked.
        :raises ConflictError: when another review of it waits.
        """
        _check_free(state, self.version)
        review = state.reviews.get(self.version)
        if review is not None and review.waits(self.time):
            raise ConflictError(
                f"Version {self.version} of model {state.model!r} must not be waiting for approval; it has been since entry {review.seq}. "
                "Let that be decided first.",
                **facts(state, review),
            )

    def apply(self, state: ModelState) -> ModelState:
        """The state's content afterwards."""
        return state.with_review(
            Review(
                version=self.version,
                status=WAITING,
                evidence=self.evidence,
                asked_by=self.actor.user,
                asked_from=self.actor.origin,
                until=self.until,
                four_eyes=self.four_eyes,
                decided_by=None,
                seq=state.seq + 1,
            )
        )

    def to_record(self) -> dict[str, Any]:
        """The JSON form."""
        return {**super().to_record(), "until": to_text(self.until), "four_eyes": self.four_eyes}

    def describe(self) -> str:
        """One line for people."""
        whom = " by somebody else" if self.four_eyes else ""
        return f"asked for approval of v{self.version}{whom} until {to_minute(self.until)}"


@dataclass(frozen=True)
class _Decision(_Decidable):
    status: ClassVar[str]

    def check(self, state: ModelState) -> None:
        """Require a review of exactly this evidence that nobody has decided.

        :raises NotFound: when there is no such version, or nobody asked about it.
        :raises VersionBlocked: when the version is blocked.
        :raises ConflictError: when the review is of other evidence, or was decided before.
        """
        _check_free(state, self.version)
        review = state.reviews.get(self.version)
        if review is None or review.status == VOID:
            lack = "it was not" if review is None else "the version was blocked since it was"
            raise NotFound(
                f"An approval of version {self.version} of model {state.model!r} must have been asked for; {lack}. Ask for it first.",
                model=state.model,
                version=self.version,
            )
        if review.status != WAITING:
            raise ConflictError(
                f"Version {self.version} of model {state.model!r} must be waiting for approval; it was {review.status} by "
                f"{review.decided_by} already.",
                **facts(state, review),
            )
        if review.evidence != self.evidence:
            raise ConflictError(
                f"The decision on version {self.version} of model {state.model!r} must be about evidence {review.evidence[:12]}; "
                f"it is about {ascii(self.evidence)[1:13]}. Look at the version again, then decide.",
                **facts(state, review),
            )

    def apply(self, state: ModelState) -> ModelState:
        """The state's content afterwards."""
        review = state.reviews.get(self.version)
        if review is None:  # only in a log that was tampered with; `check` says so
            return state
        return state.with_review(replace(review, status=self.status, decided_by=self.actor.user, seq=state.seq + 1))


@dataclass(frozen=True)
class Approve(_Decision):
    """A person lets a version go into production. That does not promote it."""

    kind: ClassVar[str] = "approve"
    status: ClassVar[str] = APPROVED

    def check(self, state: ModelState) -> None:
        """As the check of every decision, and require that it comes in time and from a second person.

        :raises ApprovalRefused: when it comes too late, or from the person who asked where four eyes are required.
        """
        super().check(state)
        review = state.reviews[self.version]
        if not review.waits(self.time):
            raise ApprovalRefused(
                f"Version {self.version} of model {state.model!r} must be approved by {to_minute(review.until)}; it is "
                f"{self.time:%Y-%m-%d %H:%M}. Have the approval asked for again.",
                **facts(state, review),
            )
        # Some login services take a name in any case: the same person must not pass for two.
        if review.four_eyes and review.asked_by.casefold() == self.actor.user.casefold():
            raise ApprovalRefused(
                f"Version {self.version} of model {state.model!r} must be approved by somebody other than {review.asked_by}, who asked for "
                "it. Have a second person look at it.",
                **facts(state, review),
            )

    def describe(self) -> str:
        """One line for people."""
        return f"approved v{self.version}"


@dataclass(frozen=True)
class Reject(_Decision):
    """A version is not let into production, or nobody answered in time."""

    kind: ClassVar[str] = "reject"
    status: ClassVar[str] = REJECTED

    def describe(self) -> str:
        """One line for people."""
        return f"rejected v{self.version}"


def from_record(
    change: Mapping[str, Any], what: str, *, actor: Actor, time: datetime
) -> AskApproval | Approve | Reject:
    """The change of a review from its JSON form.

    :param what: the name of the entry, for the error message.
    :param actor: who made the entry.
    :param time: when it was made.
    :raises TamperedRecord: when it is not of that form.
    """
    asked: dict[str, Any] = {"until": str, "four_eyes": bool} if change["kind"] == AskApproval.kind else {}
    given = fields(change, what, kind=str, version=int, evidence=str, **asked)
    common: dict[str, Any] = {
        "version": given["version"], "evidence": given["evidence"], "actor": actor, "time": time
    }  # fmt: skip
    match given["kind"]:
        case AskApproval.kind:
            return AskApproval(**common, until=moment(given["until"], what), four_eyes=given["four_eyes"])
        case Approve.kind:
            return Approve(**common)
        case _:
            return Reject(**common)


def require_approved(state: ModelState, version: int, digest: str, now: datetime) -> None:
    """Refuse a version that no person has approved as it is.

    :param digest: the version's digest, now.
    :param now: tells a review that waits from one that ran out.
    :raises NotApproved: with the reason.
    """
    review = state.reviews.get(version)
    if review is not None and review.status == APPROVED and review.evidence == digest:
        return
    raise NotApproved(
        f"Version {version} of model {state.model!r} must be approved by a person; {_lack(review, digest, now)}",
        reasons=[_lack(review, digest, now)],
        **({"model": state.model, "version": version} if review is None else facts(state, review)),
    )


def facts(state: ModelState, review: Review) -> dict[str, Any]:
    """What a program may want to know of a review: the details of an error."""
    return {"model": state.model, **review.to_record()}


def _lack(review: Review | None, digest: str, now: datetime) -> str:
    if review is None:
        return "nobody was asked."
    if review.evidence != digest:
        return f"what was approved is {review.evidence[:12]}, and it is {digest[:12]}."
    if review.status == VOID:
        return "it was blocked after it was asked about. Ask for the approval again."
    if review.status == REJECTED:
        return f"{review.decided_by} rejected it."
    if review.waits(now):
        return f"it waits for an answer until {to_minute(review.until)}."
    return f"nobody answered until {to_minute(review.until)}."


def _check_free(state: ModelState, version: int) -> None:
    state.require_version(version)
    state.require_files(version)
    if version in state.blocked:
        raise VersionBlocked(
            f"Version {version} of model {state.model!r} must not be blocked to be decided on; it is. Have a person unblock it first.",
            model=state.model,
            version=version,
        )
