from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.sweep_races import race
from tests.registry.interleaved import Writer, register_late, run_all, snapshot_again

SEED = 90_013


def test_a_sweep_that_is_killed_again_and_again_lets_nothing_dangle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = race(tmp_path, monkeypatch, writers=2, seconds=5, grace=1.5, seed=SEED)
    assert found.dangling == [], f"seed {SEED}: {found}"
    assert found.acknowledged > 50
    assert found.killed > 0


@pytest.mark.fault
def test_many_writers_and_a_sweep_that_is_killed_for_minutes_let_nothing_dangle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = race(tmp_path, monkeypatch, writers=8, seconds=180, grace=8, seed=SEED, pause=0.5)
    with capsys.disabled():
        print(
            f"\n8 writers against a sweep that was killed {found.killed} times: {found.acknowledged:,} acknowledged, "
            f"{found.refused:,} refused, {found.sweeps} rounds finished, {found.removed:,} objects removed, "
            f"{len(found.dangling)} dangling (seed {SEED})"
        )
    assert found.dangling == [], f"seed {SEED}"
    assert found.removed > 100
    assert found.killed > 10


@pytest.mark.fault
@pytest.mark.parametrize("writer", [snapshot_again, register_late], ids=lambda writer: writer.__name__)
def test_no_order_at_all_leaves_an_acknowledged_reference_dangling(
    monkeypatch: pytest.MonkeyPatch, writer: Writer, capsys: pytest.CaptureFixture[str]
) -> None:
    tally = run_all(monkeypatch, writer, switches=None)
    with capsys.disabled():
        print(
            f"\n{writer.__name__} against a sweep: {tally.orders:,} orders of their steps, {tally.acknowledged:,} acknowledged, "
            f"{tally.refused:,} refused, {len(tally.dangling)} dangling"
        )
    assert tally.dangling == []
