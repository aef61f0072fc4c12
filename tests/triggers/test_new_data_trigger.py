"""Landed files as events, through Airflow's own shared streams."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow.triggers.base import BaseEventTrigger, TriggerEvent
from airflow.triggers.shared_stream import AdvanceItem, AdvanceOutcome, SharedStreamManager

from stoker.core.clock import random_id
from stoker.engines.landing import LandedFile, list_landed
from stoker.loop.ledger import ANNOUNCED, REFUSED, TAKEN, Ledger
from stoker.store.opening import open_store
from stoker.triggers.landing_watch import LandingWatch, Place
from stoker.triggers.new_data import Announcer, NewDataEventTrigger
from tests.support.faulty_store import Fault, FaultyStore

START = datetime(2013, 6, 1, tzinfo=UTC)


class Landing:
    """A folder, a store and a clock."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.uri = f"memory://{random_id()}"
        self.store = open_store(self.uri)
        self.now = START

    def land(self, *names: str) -> None:
        for name in names:
            (self.folder / name).write_text(name)

    def files(self) -> dict[str, LandedFile]:
        return {Path(file.uri).name: file for file in list_landed(str(self.folder))}

    def mark(self, mark: str, *names: str) -> None:
        for name in names:
            Ledger(self.store, "d").mark(mark, self.files()[name])

    def marked(self, mark: str) -> int:
        return len(Ledger(self.store, "d").marked(mark))

    def watch(self, **given: Any) -> LandingWatch:
        place = {"pattern": "*", "stable_seconds": 0, "success_marker": None, **given}
        place |= {"source": str(self.folder), "dataset": "d", "stoker_conn_id": "stoker_default", "store": self.uri}
        return LandingWatch(Place(**place), remind_seconds=60, clock=lambda: self.now)

    def trigger(self, **given: Any) -> NewDataEventTrigger:
        quick = {"poll_seconds": 0.005, "stable_seconds": 0, "store": self.uri}
        return NewDataEventTrigger(str(self.folder), "d", **{**quick, **given})


@pytest.fixture
def landing(tmp_path: Path) -> Landing:
    (tmp_path / "landing").mkdir()
    return Landing(tmp_path / "landing")


def names(files: list[LandedFile]) -> list[str]:
    return [Path(file.uri).name for file in files]


class Triggerer:
    """The part of Airflow's triggerer that runs event triggers: it stores events when it is told to."""

    def __init__(self, manager: SharedStreamManager) -> None:
        self.manager = manager
        self.events: list[Any] = []
        self.unstored: list[int | None] = []
        self.tasks: list[asyncio.Task[None]] = []

    def run(self, number: int, trigger: BaseEventTrigger) -> None:
        self.tasks.append(asyncio.create_task(self._run(number, trigger)))

    async def _run(self, number: int, trigger: BaseEventTrigger) -> None:
        key = trigger.shared_stream_key()
        raw = self.manager.subscribe(trigger_id=number, trigger=trigger, key=key)
        async for event in trigger.filter_shared_stream(raw):
            self.events.append(event.payload)
            self.unstored.append(self.manager.bind_pending_event(trigger_id=number, key=key))

    def stores_events(self) -> None:
        self.manager.confirm_persisted([number for number in self.unstored if number is not None])
        self.unstored.clear()


@asynccontextmanager
async def triggerer() -> AsyncIterator[Triggerer]:
    """Dies at the end without storing anything more."""
    running = Triggerer(SharedStreamManager())
    try:
        yield running
    finally:
        for task in running.tasks:
            task.cancel()
        await asyncio.gather(*running.tasks, return_exceptions=True)
        await running.manager.stop_all()


async def until(condition: Callable[[], Any]) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.002)


def test_a_trigger_goes_through_airflows_database() -> None:
    trigger = NewDataEventTrigger("s3://bucket/in", "d", stoker_conn_id="models", success_marker="_SUCCESS")
    path, arguments = trigger.serialize()
    assert path == "stoker.triggers.new_data.NewDataEventTrigger"
    again = NewDataEventTrigger(**json.loads(json.dumps(arguments)))
    assert again.serialize() == trigger.serialize()
    assert again.shared_stream_key() == trigger.shared_stream_key()


def test_only_watchers_with_the_same_arguments_share_a_look() -> None:
    trigger = NewDataEventTrigger("/in", "d")
    others = [
        NewDataEventTrigger("/in", "e"),
        NewDataEventTrigger("/in", "d", "*.csv"),
        NewDataEventTrigger("/out", "d"),
    ]
    assert trigger.shared_stream_key() == NewDataEventTrigger("/in", "d").shared_stream_key()
    assert len({one.shared_stream_key() for one in (trigger, *others)}) == 4


def test_files_are_marked_once_airflow_has_stored_their_event(landing: Landing) -> None:
    async def scenario() -> None:
        async with triggerer() as running:
            running.run(1, landing.trigger())
            landing.land("a", "b")
            await until(lambda: running.events)
            landing.land("c")
            await until(lambda: len(running.events) == 2)
            assert landing.marked(ANNOUNCED) == 0
            running.stores_events()
            await until(lambda: landing.marked(ANNOUNCED) == 3)
        assert sum(event["count"] for event in running.events) == 3

    asyncio.run(scenario())


def test_a_triggerer_that_dies_before_the_event_is_stored_announces_it_again(landing: Landing) -> None:
    async def scenario() -> None:
        landing.land("a")
        for _ in range(3):
            async with triggerer() as running:
                running.run(1, landing.trigger())
                await until(lambda running=running: running.events)
            assert [event["files"] for event in running.events] == [["a"]]
        assert landing.marked(ANNOUNCED) == 0

    asyncio.run(scenario())


def test_a_triggerer_that_starts_anew_does_not_repeat_what_is_stored(landing: Landing) -> None:
    async def scenario() -> None:
        landing.mark(ANNOUNCED, landing.land("a") or "a")
        async with triggerer() as running:
            running.run(1, landing.trigger())
            landing.land("b")
            await until(lambda: running.events)
        assert [event["files"] for event in running.events] == [["b"]]

    asyncio.run(scenario())


def test_two_watchers_get_the_same_event(landing: Landing) -> None:
    async def scenario() -> None:
        async with triggerer() as running:
            running.run(1, landing.trigger())
            running.run(2, landing.trigger())
            landing.land("a")
            await until(lambda: len(running.events) == 2)
            running.stores_events()
            await until(lambda: landing.marked(ANNOUNCED) == 1)
        assert running.events[0] == running.events[1]

    asyncio.run(scenario())


def test_a_watcher_outlives_its_folder_and_its_store(landing: Landing, caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        away = landing.folder.with_name("away")
        landing.folder.rename(away)
        async with triggerer() as running:
            running.run(1, landing.trigger())
            await until(lambda: "must exist" in caplog.text)
            away.rename(landing.folder)
            landing.land("a")
            await until(lambda: running.events)
        assert [event["files"] for event in running.events] == [["a"]]

    asyncio.run(scenario())


def test_outside_a_triggerer_the_same_events_come(landing: Landing) -> None:
    async def scenario() -> TriggerEvent:
        landing.land("a")
        return await anext(landing.trigger().run())

    assert asyncio.run(scenario()).payload == {
        "dataset": "d",
        "source": str(landing.folder),
        "count": 1,
        "files": ["a"],
    }


def test_an_event_names_a_bounded_number_of_files(landing: Landing) -> None:
    landing.land(*(f"{number:03}" for number in range(250)))
    watch = landing.watch()
    announcement = watch.announcement(watch.due())
    assert (announcement["count"], len(announcement["files"])) == (250, 100)
    assert len(json.dumps(announcement)) < 4096


def test_a_file_is_due_once_and_again_when_it_was_not_taken(landing: Landing) -> None:
    watch = landing.watch()
    landing.land("a")
    assert names(watch.due()) == ["a"]
    landing.now += timedelta(seconds=59)
    landing.land("b")
    assert names(watch.due()) == ["b"]
    landing.now += timedelta(seconds=1)
    assert names(watch.due()) == ["a"]
    landing.mark(TAKEN, "a", "b")
    landing.now += timedelta(days=1)
    assert watch.due() == []


def test_a_new_watch_reminds_of_what_an_earlier_one_announced(landing: Landing) -> None:
    landing.land("a")
    landing.mark(ANNOUNCED, "a")
    watch = landing.watch()
    assert watch.due() == []
    landing.now += timedelta(seconds=60)
    assert names(watch.due()) == ["a"]


def test_a_refused_file_is_due_when_it_has_changed(landing: Landing) -> None:
    landing.land("a")
    landing.mark(REFUSED, "a")
    watch = landing.watch()
    assert watch.due() == []
    (landing.folder / "a").write_text("corrected")
    assert names(watch.due()) == ["a"]


def test_a_file_is_due_when_it_has_settled(landing: Landing) -> None:
    landing.now = datetime(2100, 1, 1, tzinfo=UTC)
    watch = landing.watch(stable_seconds=10**10)
    landing.land("a")
    assert watch.due() == []
    landing.now += timedelta(seconds=10**10)
    assert names(watch.due()) == ["a"]


def test_a_marker_makes_files_due_at_once(landing: Landing) -> None:
    watch = landing.watch(stable_seconds=10**10, success_marker="_SUCCESS")
    landing.land("a")
    assert watch.due() == []
    landing.land("_SUCCESS")
    assert names(watch.due()) == ["a"]


@pytest.mark.parametrize("outcome", [AdvanceOutcome(acked=0, failed=0), AdvanceOutcome(acked=1, failed=1)])
def test_an_event_that_not_every_watcher_stored_is_due_again(landing: Landing, outcome: AdvanceOutcome) -> None:
    watch = landing.watch()
    landing.land("a")
    files = watch.due()
    assert watch.due() == []
    asyncio.run(Announcer(watch, 1).advance([AdvanceItem(files, outcome)]))
    assert landing.marked(ANNOUNCED) == 0
    assert watch.due() == files


def test_a_store_that_takes_no_marks_does_not_end_the_watchers(
    landing: Landing, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = FaultyStore(landing.store, {1: Fault.BEFORE})
    monkeypatch.setattr("stoker.hooks.registry.open_store", lambda *_, **__: broken)
    watch = landing.watch()
    landing.land("a")
    files = watch.due()
    asyncio.run(Announcer(watch, 1).advance([AdvanceItem(files, AdvanceOutcome(acked=1, failed=0))]))
    assert "may be announced again" in caplog.text
    assert landing.marked(ANNOUNCED) == 0
