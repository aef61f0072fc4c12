"""The journal of monitored windows: order, repetition, versions, bounds and races."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import permutations

import pytest

from stoker.errors import InvalidName, UsageError
from stoker.loop import windows
from stoker.loop.windows import WindowLog
from stoker.store import layout
from stoker.store.memory import MemoryStore


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


def written(store: MemoryStore) -> int:
    return len(list(store.keys(layout.journal("churn", "drift") + "entries/")))


def open_log(store: MemoryStore) -> WindowLog:
    return WindowLog(store, "churn", "drift")


def test_windows_come_in_their_order_whenever_they_were_judged(store: MemoryStore) -> None:
    for order in permutations(["2013-02", "2013-03", "2013-01"]):
        log = WindowLog(MemoryStore(), "churn", "drift")
        for name in order:
            log.record(name, 1, f"{name}-28T00:00:00.000000Z", {"of": name})
        assert [one.window for one in log.windows(1)] == ["2013-01", "2013-02", "2013-03"]
        assert log.before("2013-03", 1, 5) == [{"of": "2013-01"}, {"of": "2013-02"}]


def test_the_same_window_again_writes_nothing(store: MemoryStore) -> None:
    for _ in range(3):
        open_log(store).record("2013-01", 1, None, {"violates": True})
    assert written(store) == 1


def test_a_window_that_is_judged_again_replaces_what_was_noted(store: MemoryStore) -> None:
    log = open_log(store)
    log.record("2013-01", 1, None, {"violates": True})
    log.record("2013-01", 1, None, {"violates": False})
    assert [one.facts for one in open_log(store).windows(1)] == [{"violates": False}]
    assert written(store) == 2


def test_only_windows_before_this_one_are_looked_at_and_no_more_than_wanted(store: MemoryStore) -> None:
    log = open_log(store)
    for day in range(1, 10):
        log.record(f"2013-01-0{day}", 1, None, {"day": day})
    assert [facts["day"] for facts in log.before("2013-01-06", 1, 3)] == [3, 4, 5]
    assert log.before("2013-01-01", 1, 3) == []
    assert log.before("2013-01-06", 1, 0) == []


def test_each_version_has_a_past_of_its_own(store: MemoryStore) -> None:
    log = open_log(store)
    log.record("2013-01", 1, None, {"version": 1})
    log.record("2013-01", 2, None, {"version": 2})
    assert log.before("2013-02", 2, 5) == [{"version": 2}]
    found = log.at("2013-01", 1)
    assert found is not None
    assert (found.facts, log.at("2013-02", 1), len(log.windows())) == ({"version": 1}, None, 2)


def test_what_is_read_does_not_change_what_is_remembered(store: MemoryStore) -> None:
    log = open_log(store)
    log.record("2013-01", 1, None, {"violates": True})
    log.before("2013-02", 1, 1)[0]["violates"] = False
    assert log.before("2013-02", 1, 1) == [{"violates": True}]


def test_the_memory_is_bounded_and_survives_checkpoints(store: MemoryStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(windows, "KEPT", 10)
    log = open_log(store)
    for version in range(1, 11):
        for number in range(12):
            log.record(f"{number:04d}", version, None, {"number": number})
    remembered = open_log(store).windows()
    assert sorted({one.version for one in remembered}) == list(range(3, 11))
    assert [one.window for one in remembered if one.version == 10] == [f"{number:04d}" for number in range(2, 12)]
    assert list(store.keys(layout.journal("churn", "drift") + "checkpoints/"))


def test_an_old_version_that_is_in_office_again_is_not_forgotten(store: MemoryStore) -> None:
    log = open_log(store)
    for version in (*range(1, 12), 1):
        log.record("2013-01", version, None, {"try": version})
    assert log.at("2013-01", 1) is not None
    assert len(log.windows()) == 8


def test_writers_at_the_same_time_lose_nothing(store: MemoryStore) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: open_log(store).record(f"{number:04d}", 1, None, {}), range(16)))
    assert [one.window for one in open_log(store).windows(1)] == [f"{number:04d}" for number in range(16)]


def test_facts_that_are_too_large_or_names_that_are_none_are_refused(store: MemoryStore) -> None:
    log = open_log(store)
    with pytest.raises(UsageError, match="at most 2048 bytes"):
        log.record("2013-01", 1, None, {"text": "x" * 3000})
    with pytest.raises(InvalidName):
        log.record("../2013", 1, None, {})
    with pytest.raises(InvalidName):
        log.record("2013-01", 0, None, {})
    assert written(store) == 0


def test_kinds_of_monitoring_are_kept_apart(store: MemoryStore) -> None:
    open_log(store).record("2013-01", 1, None, {})
    assert WindowLog(store, "churn", "performance").windows() == []
