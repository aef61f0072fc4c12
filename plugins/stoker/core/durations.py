"""Durations as people write them in policy files and arguments: ``30m``, ``6h``, ``1d``, ``1d12h``."""

from __future__ import annotations

import re
from datetime import timedelta

from stoker.errors import ConfigurationError

_FORM = re.compile(r"(?=\d)(?:(\d{1,5})d)?(?:(\d{1,5})h)?(?:(\d{1,5})m)?(?:(\d{1,6})s)?")


def parse_duration(value: timedelta | str, name: str) -> timedelta:
    """A duration from a policy file or an argument.

    :param value: whole days, hours, minutes and seconds in this order, each at most once; a ``timedelta`` stays as it is.
    :param name: what it is the duration of, for the error message.
    :raises ConfigurationError: when it has another form, or is negative.
    """
    if isinstance(value, timedelta):
        if value < timedelta():
            raise ConfigurationError(f"{name} must not be negative; got {value}.")
        return value
    found = _FORM.fullmatch(value.strip()) if isinstance(value, str) else None
    if found is None:
        raise ConfigurationError(
            f"{name} must be a duration such as 30m, 6h, 1d or 1d12h; got {ascii(value)[:80]}. Give whole numbers with their units."
        )
    days, hours, minutes, seconds = (int(number or 0) for number in found.groups())
    return timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)


def as_duration(value: timedelta | float | str, name: str) -> timedelta:
    """A duration from an argument that may also be seconds, as a number or as the text that a template made of it.

    :raises ConfigurationError: when it is none of these, or negative.
    """
    if isinstance(value, timedelta):
        return parse_duration(value, name)
    try:
        return parse_duration(timedelta(seconds=float(value)), name)
    except (TypeError, ValueError, OverflowError):
        return parse_duration(str(value), name)


def duration_text(value: timedelta) -> str:
    """The inverse of :func:`parse_duration`, to the second; ``0s`` for none."""
    minutes, seconds = divmod(int(value.total_seconds()), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    parts = ((days, "d"), (hours, "h"), (minutes, "m"), (seconds, "s"))
    return "".join(f"{number}{unit}" for number, unit in parts if number) or "0s"
