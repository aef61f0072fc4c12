from __future__ import annotations

import pytest

from stoker.store.retries import Patience


def test_waiting_ends_with_its_time() -> None:
    now = [0.0]
    waits: list[float] = []

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        now[0] += seconds

    patience = Patience(tries=100, seconds=30, sleep=sleep, jitter=lambda: 1.0, now=lambda: now[0])
    tries = list(patience.attempts("waiting"))
    assert waits == pytest.approx([0.2, 0.4, 0.8, 1.6, 3.2, 5, 5, 5, 5])
    assert len(tries) == 10


def test_waiting_spreads_over_half_of_each_wait() -> None:
    waits: list[float] = []
    list(Patience(sleep=waits.append).attempts("waiting"))
    longest = [0.2, 0.4, 0.8, 1.6, 3.2]
    assert all(most / 2 <= wait <= most for wait, most in zip(waits, longest, strict=True))
