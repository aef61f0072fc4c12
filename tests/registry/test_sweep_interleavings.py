from __future__ import annotations

import pytest

from stoker.store import rounds
from tests.registry.interleaved import Writer, register_late, run_all, snapshot_again

WRITERS = [snapshot_again, register_late]


@pytest.mark.parametrize("writer", WRITERS, ids=lambda writer: writer.__name__)
def test_no_order_with_two_switches_leaves_an_acknowledged_reference_dangling(
    monkeypatch: pytest.MonkeyPatch, writer: Writer
) -> None:
    tally = run_all(monkeypatch, writer, switches=2)
    assert tally.dangling == []
    assert tally.acknowledged > 0
    assert tally.refused > 0


@pytest.mark.parametrize("writer", WRITERS, ids=lambda writer: writer.__name__)
def test_without_the_round_s_log_an_order_leaves_one_dangling(monkeypatch: pytest.MonkeyPatch, writer: Writer) -> None:
    monkeypatch.setattr(rounds, "spare", lambda *given, **more: None)
    assert run_all(monkeypatch, writer, switches=None).dangling
