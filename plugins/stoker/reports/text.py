"""How values of documents are written for people."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any

from markupsafe import Markup

from stoker.core.clock import from_text, to_minute

DASH = "–"

OUTCOMES = {
    "pass": "passed",
    "fail": "failed",
    "inconclusive": "inconclusive",
    "insufficient_data": "too little data",
    "not_configured": "not judged",
}
"""The outcomes of verdicts, in words."""


def visible(value: Any) -> Any:
    """A text in which nothing is hidden: control characters, and those that turn the direction of writing, are spelled out.

    :param value: anything; what is no text, or is markup already, comes back as it is.
    """
    if not isinstance(value, str) or isinstance(value, Markup) or value.isprintable():
        return value
    return "".join(sign if sign.isprintable() or sign == "\n" else ascii(sign)[1:-1] for sign in value)


def number(value: Any) -> str:
    """A number with the digits that mean something; other values as text, nothing as a dash."""
    if value is None:
        return DASH
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return str(visible(str(value)))
    if isinstance(value, int):
        return f"{value:,}"
    if not math.isfinite(value):
        return str(value)
    size = abs(value)
    if size >= 1000:
        return f"{value:,.0f}"
    if size >= 10:
        return f"{value:.2f}"
    return f"{value:.4f}" if size >= 0.001 or size == 0 else f"{value:.2g}"


def setting(value: Any) -> str:
    """A number that a person chose, as they wrote it."""
    return f"{value:g}" if isinstance(value, float) else number(value)


def signed(value: float | None) -> str:
    """As :func:`number`, with its sign: a difference."""
    return DASH if value is None else f"{'+' if value > 0 else ''}{number(value)}".replace("-", "−", 1)


def percent(share: float | None) -> str:
    """A share between 0 and 1."""
    if share is None:
        return DASH
    return "less than 0.01%" if 0 < share < 0.0001 else f"{share:.2%}" if share < 0.1 else f"{share:.1%}"


def p_value(p: float | None) -> str:
    """A significance, without digits that nobody needs."""
    if p is None:
        return DASH
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def size(count: int) -> str:
    """A number of bytes."""
    amount = float(count)
    for unit in ("bytes", "kB", "MB"):
        if amount < 1000:
            return f"{count:,} {unit}" if unit == "bytes" else f"{amount:.3g} {unit}"
        amount /= 1000
    return f"{amount:,.3g} GB"


def duration(seconds: float) -> str:
    """A length of time."""
    if seconds < 1:
        return f"{1000 * seconds:.0f} ms"
    if seconds < 60:
        return f"{seconds:.3g} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def moment(text: Any) -> str:
    """A stored time, in UTC to the minute. What is none comes back as it is: a column of times may hold anything."""
    try:
        return to_minute(from_text(text))
    except (TypeError, ValueError):
        return number(text)


def epoch(seconds: float) -> str:
    """A moment that is given in seconds since 1970."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M}"


def short(digest: str | None) -> str:
    """A digest as people tell it from others."""
    return DASH if digest is None else digest[:12]


def span(first: Any, last: Any) -> str:
    """The time from one moment to another."""
    return f"{moment(first)} to {moment(last)}" if first is not None and last is not None else DASH
