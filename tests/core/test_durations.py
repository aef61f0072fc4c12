"""Durations in words."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from stoker.core.durations import duration_text, parse_duration
from stoker.errors import ConfigurationError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("30m", timedelta(minutes=30)),
        ("6h", timedelta(hours=6)),
        ("1d12h", timedelta(hours=36)),
        ("1d2h3m4s", timedelta(days=1, hours=2, minutes=3, seconds=4)),
        ("90s", timedelta(seconds=90)),
        ("0s", timedelta()),
    ],
)
def test_a_duration_is_read(text: str, expected: timedelta) -> None:
    assert parse_duration(text, "cooldown") == expected
    assert parse_duration(duration_text(expected), "cooldown") == expected
    assert parse_duration(expected, "cooldown") is expected


@pytest.mark.parametrize(
    "value", ["", "6", "h", "1h1d", "1.5h", "-1h", "6 h", "P1D", "1w", 6, None, timedelta(-1), "9" * 99 + "d"]
)
def test_anything_else_is_refused_with_an_example(value: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"^cooldown must (be a duration such as 30m|not be negative)"):
        parse_duration(value, "cooldown")
