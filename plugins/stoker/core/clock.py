"""Time and ids as seams, so that a test decides both. Nothing else in the project asks the system for either."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]
"""Returns the current time, timezone-aware, in UTC."""

IdFactory = Callable[[], str]
"""Returns an id that no other call anywhere returns."""


def system_clock() -> datetime:
    """The time of this machine, in UTC."""
    return datetime.now(UTC)  # noqa: TID251 - the one place that asks


def random_id() -> str:
    """A random 128-bit id as 32 hexadecimal digits."""
    return uuid.uuid4().hex  # noqa: TID251 - the one place that asks


def to_text(moment: datetime) -> str:
    """ISO 8601 with microseconds and ``Z``; sorts as text in time order."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def to_minute(moment: datetime) -> str:
    """The time as a sentence for people has it, such as ``2026-11-21 12:00 UTC``."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def from_text(text: str) -> datetime:
    """The inverse of :func:`to_text`; also takes any ISO 8601 text with a zone.

    :raises ValueError: when the text is no ISO 8601 time, or carries no zone.
    """
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"A time needs a zone, such as 2026-11-21T12:00:00Z; got {text!r}.")
    return moment.astimezone(UTC)
