"""What is true of a model after an entry of its log: small, whatever the number of versions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from types import NoneType
from typing import Any

from stoker.core import clock
from stoker.errors import NotFound, TamperedRecord, VersionArchived

CHAMPION = "champion"
PREVIOUS = "previous"
"""Follows the champion by itself: the version that the champion alias pointed at before its last move."""


@dataclass(frozen=True)
class AliasTarget:
    """Where an alias points.

    :param version: the version's number.
    :param seq: the log entry that made it point there.
    """

    version: int
    seq: int


WAITING, APPROVED, REJECTED, VOID = "waiting", "approved", "rejected", "void"

_MOST_SPANNED = 1_000_000

_REMEMBERED_REVIEWS = 100
"""Each checkpoint carries the reviews, so there must be an end to them. Who needs an older one asks again."""


@dataclass(frozen=True)
class Review:
    """Whether people let a version go into production.

    :param version: the version's number.
    :param status: ``waiting``, ``approved``, ``rejected``, or ``void`` since the version was blocked. One that still waits after ``until``
        counts as rejected; see :meth:`waits`.
    :param evidence: the digest of the version, which stands for its manifest, evaluation and files: what is decided on.
    :param asked_by: the user who asked; ``airflow`` for a scheduled run.
    :param asked_from: where that was, as :attr:`~stoker.core.records.Actor.origin`.
    :param until: the last moment at which it can be approved.
    :param four_eyes: whether somebody other than ``asked_by`` has to approve.
    :param decided_by: the user who approved or rejected; ``None`` when nobody did.
    :param seq: the log entry that gave it its status.
    """

    version: int
    status: str
    evidence: str
    asked_by: str
    asked_from: str
    until: datetime
    four_eyes: bool
    decided_by: str | None
    seq: int

    def waits(self, now: datetime) -> bool:
        """Whether it can still be approved."""
        return self.status == WAITING and now <= self.until

    def answers(self, evidence: str, *, four_eyes: bool, now: datetime) -> bool:
        """Whether somebody who asks for an approval now has it here, or has to wait for this one."""
        live = self.status == APPROVED or self.waits(now)
        return live and self.evidence == evidence and self.four_eyes >= four_eyes

    def to_record(self) -> dict[str, Any]:
        """The JSON form."""
        return {**vars(self), "until": clock.to_text(self.until)}

    @classmethod
    def from_record(cls, record: Any, what: str) -> Review:
        """The inverse of :meth:`to_record`.

        :raises TamperedRecord: when it is not of that form.
        """
        given = fields(
            record,
            what,
            version=int,
            status=str,
            evidence=str,
            asked_by=str,
            asked_from=str,
            until=str,
            four_eyes=bool,
            decided_by=OPTIONAL_TEXT,
            seq=int,
        )
        return cls(**{**given, "until": moment(given["until"], what)})


@dataclass(frozen=True)
class ModelState:
    """The fold of a model's log.

    :param model: the model's name.
    :param seq: the number of the last entry; 0 before the first.
    :param digest: SHA-256 of the last entry's bytes; empty before the first. Noted elsewhere, it lets an audit prove that the log was not
        cut or rewritten since.
    :param time: the time of the last entry.
    :param versions: how many versions there are; they are numbered from 1 without holes.
    :param aliases: alias to target.
    :param blocked: the versions that may not be promoted.
    :param reviews: version number to its review; the 100 that were asked for or decided last. Blocking a version makes its review void.
    :param archived: the versions whose files retention gave up.
    """

    model: str
    seq: int = 0
    digest: str = ""
    time: datetime | None = None
    versions: int = 0
    aliases: Mapping[str, AliasTarget] = field(default_factory=dict)
    blocked: frozenset[int] = frozenset()
    reviews: Mapping[int, Review] = field(default_factory=dict)
    archived: frozenset[int] = frozenset()

    def pointed(self, alias: str) -> int | None:
        """The version that the alias points at, ``None`` when it is unset."""
        target = self.aliases.get(alias)
        return target.version if target else None

    def require_version(self, version: int) -> None:
        """Refuse a version that was never registered.

        :raises NotFound: when there is none of this number.
        """
        if not 1 <= version <= self.versions:
            has = f"has versions 1 to {self.versions}" if self.versions else "has none"
            raise NotFound(
                f"Version {version} of model {self.model!r} must exist; the model {has}.",
                model=self.model,
                version=version,
                versions=self.versions,
            )

    def require_files(self, version: int) -> None:
        """Refuse a version whose files were given up.

        :raises VersionArchived: when it is archived.
        """
        if version in self.archived:
            raise files_given_up(self.model, version)

    def waiting(self, now: datetime) -> list[Review]:
        """The reviews that can still be decided, the one that runs out first before the others."""
        return sorted((review for review in self.reviews.values() if review.waits(now)), key=lambda one: one.until)

    def to_record(self) -> dict[str, Any]:
        """The JSON form of the content, without the place in the log."""
        record: dict[str, Any] = {
            "versions": self.versions,
            "aliases": {alias: {"version": to.version, "seq": to.seq} for alias, to in self.aliases.items()},
            "blocked": sorted(self.blocked),
        }
        # Entries carry the digest of this record, so a log without reviews must give the record that it always gave.
        if self.reviews:
            record["reviews"] = [self.reviews[version].to_record() for version in sorted(self.reviews)]
        if self.archived:
            record["archived"] = as_spans(self.archived)
        return record

    def with_review(self, review: Review) -> ModelState:
        """The content with the review in its version's place."""
        reviews = sorted({**self.reviews, review.version: review}.values(), key=lambda one: one.seq)
        return replace(self, reviews={one.version: one for one in reviews[-_REMEMBERED_REVIEWS:]})

    def with_block(self, version: int) -> ModelState:
        """The content with the version blocked.

        Its review is void: who decided did not know what got it blocked. It is not forgotten, or a version that waits for an approval
        could be promoted without one by blocking and unblocking it.
        """
        reviews = dict(self.reviews)
        if version in reviews:
            reviews[version] = replace(reviews[version], status=VOID, decided_by=None, seq=self.seq + 1)
        return replace(self, blocked=self.blocked | {version}, reviews=reviews)

    @classmethod
    def from_record(cls, record: Any, what: str, **place: Any) -> ModelState:
        """The inverse of :meth:`to_record`.

        :param what: the name of the record, for the error message.
        :param place: the fields that :meth:`to_record` leaves out.
        :raises TamperedRecord: when it is not of that form.
        """
        later = {name: list for name in ("reviews", "archived") if isinstance(record, dict) and name in record}
        given = fields(record, what, versions=int, aliases=dict, blocked=list, **later)
        aliases = {
            alias: AliasTarget(**fields(to, what, version=int, seq=int)) for alias, to in given["aliases"].items()
        }
        if any(type(version) is not int for version in given["blocked"]):
            raise TamperedRecord(f"{what} must list blocked versions as numbers.", record=what)
        reviews = [Review.from_record(review, what) for review in given.get("reviews", ())]
        return cls(
            versions=given["versions"],
            aliases=aliases,
            blocked=frozenset(given["blocked"]),
            reviews={review.version: review for review in reviews},
            archived=frozenset(from_spans(given.get("archived", []), what)),
            **place,
        )


def fields(value: Any, what: str, **types: type | tuple[type, ...]) -> dict[str, Any]:
    """Return a JSON object when it has exactly these fields.

    :param value: any JSON value.
    :param what: the name of the record, for the error message.
    :param types: field name to the exact type, or types, that it may have: ``True`` is no ``int`` here.
    :raises TamperedRecord: when it is no object, or a field is missing, unknown or of another type.
    """
    if not isinstance(value, dict) or value.keys() != types.keys():
        raise TamperedRecord(
            f"{what} must have the fields {', '.join(types)}; it has {ascii(value)[:200]}.", record=what
        )
    for name, allowed in types.items():
        if type(value[name]) not in (allowed if isinstance(allowed, tuple) else (allowed,)):
            raise TamperedRecord(
                f"{what} has the wrong type of value in {name!r}: {ascii(value[name])[:80]}.", record=what
            )
    return value


def files_given_up(model: str, version: int) -> VersionArchived:
    """The error for whoever needs the files of an archived version."""
    return VersionArchived(
        f"Version {version} of model {model!r} must have its files; retention gave them up. Name another version, or "
        "train one that differs from it.",
        model=model,
        version=version,
    )


def as_spans(numbers: Iterable[int]) -> list[list[int]]:
    """Numbers as their first and last in a row, ascending: years of archived versions stay a short record."""
    spans: list[list[int]] = []
    for number in sorted(numbers):
        if spans and spans[-1][1] == number - 1:
            spans[-1][1] = number
        else:
            spans.append([number, number])
    return spans


def from_spans(spans: list[Any], what: str) -> tuple[int, ...]:
    """The inverse of :func:`as_spans`.

    :param what: the name of the record, for the error message.
    :raises TamperedRecord: when they are none, or cover more than a million numbers.
    """
    sound = all(isinstance(one, list) and len(one) == 2 and all(type(end) is int for end in one) for one in spans)
    # Counted before it is unfolded: two numbers can stand for any amount of memory.
    if not sound or sum(max(last - first + 1, 0) for first, last in spans) > _MOST_SPANNED:
        raise TamperedRecord(
            f"{what} must list versions as first and last numbers; it has {ascii(spans)[:80]}.", record=what
        )
    return tuple(number for first, last in spans for number in range(first, last + 1))


def moment(text: str, what: str) -> datetime:
    """The time that a record carries.

    :param what: the name of the record, for the error message.
    :raises TamperedRecord: when the text is no time.
    """
    try:
        return clock.from_text(text)
    except (ValueError, OverflowError) as error:
        raise TamperedRecord(f"{what} must carry a time; {error}", record=what) from error


OPTIONAL_INT = (int, NoneType)
OPTIONAL_TEXT = (str, NoneType)
