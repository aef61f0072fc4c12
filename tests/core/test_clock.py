from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from stoker.core import clock


def test_a_time_survives_its_text() -> None:
    moment = datetime(2026, 11, 21, 12, 0, 0, 123456, tzinfo=UTC)
    assert clock.to_text(moment) == "2026-11-21T12:00:00.123456Z"
    assert clock.from_text(clock.to_text(moment)) == moment


def test_texts_sort_in_time_order_whatever_the_zone() -> None:
    early = datetime(2026, 1, 1, 12, tzinfo=timezone(timedelta(hours=5)))
    late = datetime(2026, 1, 1, 8, tzinfo=UTC)
    assert clock.to_text(early) < clock.to_text(late)


@pytest.mark.parametrize("text", ["2026-11-21T12:00:00", "yesterday", ""])
def test_a_time_without_a_zone_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - datetime's own message differs by Python version
        clock.from_text(text)


def test_the_system_clock_is_aware_and_ids_differ() -> None:
    assert clock.system_clock().utcoffset() == timedelta(0)
    assert clock.random_id() != clock.random_id()
