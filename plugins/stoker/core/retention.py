"""What is kept, as data and pure decisions: which versions stay, and how old what nothing needs must be before it goes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from stoker.errors import ConfigurationError

SHORTEST_GRACE = timedelta(hours=24)
"""A task may have stored a file and be far from the pointer that will name it."""


@dataclass(frozen=True)
class RetentionPolicy:
    """What :mod:`stoker.registry.retention` keeps. Whatever any rule keeps stays.

    :param newest_versions: so many newest versions of each model stay; at least 1.
    :param former_champions: so many versions that were champion last stay, for rollbacks.
    :param version_age: versions younger than this stay.
    :param keep_blocked: whether blocked versions stay; their records stay in any case.
    :param superseded_age: what a partition meant until less than this ago stays.
    :param candidate_age: trained models that never became versions stay so long.
    :param report_age: reports and judgements that the loop's journals name stay so long.
    :param pin_age: what a run pinned stays so long; must be longer than any run takes.
    :param grace: how long nothing may have needed a file before it is removed; at least 24 hours, and longer than any run takes.
    """

    newest_versions: int = 10
    former_champions: int = 3
    version_age: timedelta = timedelta(days=90)
    keep_blocked: bool = True
    superseded_age: timedelta = timedelta(days=30)
    candidate_age: timedelta = timedelta(days=30)
    report_age: timedelta = timedelta(days=365)
    pin_age: timedelta = timedelta(days=30)
    grace: timedelta = timedelta(days=2)

    def __post_init__(self) -> None:
        for name, low in (("newest_versions", 1), ("former_champions", 0)):
            if getattr(self, name) < low:
                raise ConfigurationError(f"{name} must be at least {low}; got {getattr(self, name)}.")
        for name in ("version_age", "superseded_age", "candidate_age", "report_age", "pin_age"):
            if getattr(self, name) < timedelta(0):
                raise ConfigurationError(f"{name} must not be negative; got {getattr(self, name)}.")
        if self.grace < SHORTEST_GRACE:
            raise ConfigurationError(
                f"grace must be at least 24 hours, for a running task may have stored a file that nothing names yet; got {self.grace}."
            )


@dataclass(frozen=True)
class VersionFacts:
    """What the decision on a version depends on.

    :param rank: 1 for the newest version of its model.
    :param registered: when it was registered.
    :param aliased: whether an alias points at it.
    :param reviewed: whether people were asked about it, have not rejected it, and still have time.
    :param former: whether it is among the former champions that stay.
    :param blocked: whether it is blocked.
    :param used: whether predictions that are kept, or a run that may be going on, name it.
    """

    rank: int
    registered: datetime
    aliased: bool = False
    reviewed: bool = False
    former: bool = False
    blocked: bool = False
    used: bool = False


def why_kept(policy: RetentionPolicy, version: VersionFacts, now: datetime) -> str | None:
    """The first rule that keeps a version, in words; ``None`` when it may be archived."""
    rules = {
        "an alias points at it": version.aliased,
        "it is before people": version.reviewed,
        "it was champion lately": version.former,
        "predictions or a run name it": version.used,
        "it is among the newest": version.rank <= policy.newest_versions,
        "it is young": now - version.registered < policy.version_age,
        "it is blocked": version.blocked and policy.keep_blocked,
    }
    return next((rule for rule, holds in rules.items() if holds), None)
