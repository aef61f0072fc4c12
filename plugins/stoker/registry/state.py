"""What is true of a model after an entry of its log: small, whatever the number of versions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import NoneType
from typing import Any

from stoker.errors import NotFound, TamperedRecord

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
    """

    model: str
    seq: int = 0
    digest: str = ""
    time: datetime | None = None
    versions: int = 0
    aliases: Mapping[str, AliasTarget] = field(default_factory=dict)
    blocked: frozenset[int] = frozenset()

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

    def to_record(self) -> dict[str, Any]:
        """The JSON form of the content, without the place in the log."""
        return {
            "versions": self.versions,
            "aliases": {alias: {"version": to.version, "seq": to.seq} for alias, to in self.aliases.items()},
            "blocked": sorted(self.blocked),
        }

    @classmethod
    def from_record(cls, record: Any, what: str, **place: Any) -> ModelState:
        """The inverse of :meth:`to_record`.

        :param what: the name of the record, for the error message.
        :param place: the fields that :meth:`to_record` leaves out.
        :raises TamperedRecord: when it is not of that form.
        """
        given = fields(record, what, versions=int, aliases=dict, blocked=list)
        aliases = {
            alias: AliasTarget(**fields(to, what, version=int, seq=int)) for alias, to in given["aliases"].items()
        }
        if any(type(version) is not int for version in given["blocked"]):
            raise TamperedRecord(f"{what} must list blocked versions as numbers.", record=what)
        return cls(versions=given["versions"], aliases=aliases, blocked=frozenset(given["blocked"]), **place)


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


OPTIONAL_INT = (int, NoneType)
OPTIONAL_TEXT = (str, NoneType)
