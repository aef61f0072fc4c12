"""The change by which retention gives up the files of versions: the boundary that stands before anything is removed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, ClassVar

from stoker.errors import ConflictError, TamperedRecord
from stoker.registry.state import APPROVED, WAITING, ModelState, as_spans, fields, from_spans


@dataclass(frozen=True)
class Archive:
    """Versions whose files may be removed from now on. Their records stay; no alias ever points at them again.

    :param versions: their numbers, ascending.
    :param time: when; stored with the entry.
    """

    kind: ClassVar[str] = "archive"
    moves: ClassVar[tuple[()]] = ()
    versions: tuple[int, ...]
    time: datetime

    @property
    def version(self) -> int:
        """The newest of them."""
        return self.versions[-1]

    def check(self, state: ModelState) -> None:
        """Require versions that exist, that nobody uses, and that are not archived.

        :raises NotFound: when there is no such version.
        :raises ConflictError: when one is archived, an alias points at it, or it is before people.
        """
        if not self.versions:
            raise ConflictError(
                f"At least one version of model {state.model!r} must be archived; the change names none."
            )
        used = used_versions(state, self.time)
        for version in self.versions:
            state.require_version(version)
            if version in state.archived or version in used:
                fact = "is archived already" if version in state.archived else "is in use"
                raise ConflictError(
                    f"Version {version} of model {state.model!r} must be out of use to be archived; it {fact}. Look again, then decide.",
                    model=state.model,
                    version=version,
                )

    def apply(self, state: ModelState) -> ModelState:
        """The state's content afterwards."""
        return replace(state, archived=state.archived | frozenset(self.versions))

    def to_record(self) -> dict[str, Any]:
        """The JSON form."""
        return {"versions": as_spans(self.versions)}

    def describe(self) -> str:
        """One line for people."""
        shown = ", ".join(
            f"v{first}" if first == last else f"v{first}-v{last}" for first, last in as_spans(self.versions)
        )
        return f"archived {shown}"


def used_versions(state: ModelState, now: datetime) -> set[int]:
    """The versions that an alias points at, or that are before people: asked about, or approved, as long as they had time to answer."""
    # An approval stays in the log for ever, also after the promotion that it was for.
    reviewed = {one.version for one in state.reviews.values() if now <= one.until and one.status in (WAITING, APPROVED)}
    return reviewed | {target.version for target in state.aliases.values()}


def from_record(change: dict[str, Any], what: str, *, time: datetime) -> Archive:
    """The change from its JSON form.

    :param what: the name of the entry, for the error message.
    :param time: when it was made.
    :raises TamperedRecord: when it is not of that form.
    """
    versions = from_spans(fields(change, what, kind=str, versions=list)["versions"], what)
    if not versions:
        raise TamperedRecord(f"{what} must archive at least one version; it archives none.", record=what)
    return Archive(versions, time)
