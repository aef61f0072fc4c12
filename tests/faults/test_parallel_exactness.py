"""Runs that are spread over tasks which die: any partitioning, any number of tasks, in any order, gives what one task gives."""

from __future__ import annotations

import itertools
import random
from dataclasses import replace
from typing import Any

import pytest

from stoker.engines import drift_windows
from stoker.engines.drift_windows import profile_windows
from tests.support import spread_scoring as spread
from tests.support.faulty_store import FaultyStore, Killed, kill_at
from tests.support.windows import ROWS as WINDOW
from tests.support.windows import judge, parts_of, start, trained_on, window

_WRITES = 8  # of a task, about; it dies at one of them, or ends before


def places(chance: random.Random, rows: int, most: int) -> list[int]:
    """Where partitions begin, apart from the first."""
    return sorted(chance.sample(range(1, rows), chance.randint(0, most - 1)))


def spread_scoring(trained: dict[str, bytes], seed: int) -> tuple[int, int]:
    """One run in one task and one spread over tasks; how many mapped tasks that were, and how many of all died."""
    chance = random.Random(seed)
    cuts = [0, *places(chance, len(spread.ROWS), 6), len(spread.ROWS)]
    sizes = [end - first for first, end in itertools.pairwise(cuts)]
    alone, run = spread.start(trained, sizes), spread.start(trained, sizes)
    wanted = spread.predict(alone, "flights")
    mortal = spread.Mortal(kill_at(chance.randint(1, _WRITES), after=chance.random() < 0.5))
    shares = mortal.do(spread.plan, run, max_tasks=chance.randint(1, 6))
    order = chance.sample(range(len(shares)), len(shares))
    results = {number: mortal.do(spread.predict, run, shares[number]) for number in order}
    together = mortal.do(spread.merge, run, [results[number] for number in sorted(results)])
    told = {name: value for name, value in wanted["summary"].items() if name not in ("rows_per_second", "new")}
    found = {name: together["summary"][name] for name in told}
    assert (together["digest"], found, spread.scored(run)) == (wanted["digest"], told, spread.scored(alone)), (
        f"replay: seed {seed}"
    )
    return len(shares), mortal.died


def spread_drift(trained: Any, seed: int) -> tuple[int, int]:
    """Three windows judged by one task, and counted before by tasks that die; how many these were, and how many died."""
    chance = random.Random(seed)
    (alone, office), (store, _) = start(trained), start(trained)
    parts = parts_of(places(chance, len(WINDOW), 4))
    names = ["2013-02", "2013-03", "2013-04"]
    wanted = [judge(alone, office, window(alone, name, *parts, version=1)).digest for name in names]
    windows = [window(store, name, *parts, version=1) for name in names]
    died = 0
    for one in chance.sample(windows, len(windows)):
        mortal = FaultyStore(store, kill_at(chance.randint(1, _WRITES), after=chance.random() < 0.5))
        try:
            profile_windows(mortal, office, [one])
        except Killed:
            died += 1
            if chance.random() < 0.5:  # else nobody repeats it, and the task that judges counts for itself
                profile_windows(store, office, [one])
    assert [judge(store, office, one).digest for one in windows] == wanted, f"replay: seed {seed}"
    return len(windows), died


def test_spread_runs_give_what_one_task_gives() -> None:
    _scoring(2)
    _drift(2)


def test_the_battery_goes_red_when_results_are_put_together_as_they_come(monkeypatch: pytest.MonkeyPatch) -> None:
    right = spread.merge
    monkeypatch.setattr(spread, "merge", lambda run, results: right(run, results[::-1]))
    with pytest.raises(AssertionError, match="replay: seed"):
        _scoring(3)


def test_the_battery_goes_red_when_a_task_counts_a_row_too_few(monkeypatch: pytest.MonkeyPatch) -> None:
    right = drift_windows.joined

    def short(parts: Any) -> Any:
        whole = right(parts)
        return replace(whole, rows=whole.rows - next(wrong))

    wrong = itertools.chain(
        itertools.repeat(0, 6), itertools.repeat(1)
    )  # the task on its own counts six times: rows and scores
    monkeypatch.setattr(drift_windows, "joined", short)
    with pytest.raises(AssertionError, match="replay: seed"):
        _drift(1)


@pytest.mark.fault
@pytest.mark.timeout(1800)
def test_200_spread_runs_of_each_kind_give_what_one_task_gives(capsys: pytest.CaptureFixture[str]) -> None:
    scoring, drift = _scoring(200), _drift(200)
    assert min(scoring[1], drift[1]) > 100  # tasks that died
    with capsys.disabled():
        print(
            f"\n200 scoring runs, {scoring[0]:,} mapped tasks, {scoring[1]:,} tasks killed: predictions and summaries those of one task. "
            f"200 drift runs, {drift[0]:,} mapped tasks, {drift[1]:,} killed: every document byte for byte that of one task."
        )


def _scoring(runs: int) -> tuple[int, int]:
    trained = spread.trained_on()
    return _summed([spread_scoring(trained, seed) for seed in range(runs)])


def _drift(runs: int) -> tuple[int, int]:
    trained = trained_on()
    return _summed([spread_drift(trained, seed) for seed in range(runs)])


def _summed(counts: list[tuple[int, int]]) -> tuple[int, int]:
    return sum(tasks for tasks, _ in counts), sum(died for _, died in counts)
