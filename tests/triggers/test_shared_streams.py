"""Landed files as events, through Airflow's own shared streams."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from airflow.triggers.base import BaseEventTrigger

from stoker.loop.ledger import ANNOUNCED
from stoker.triggers.new_data import Announcer, NewDataEventTrigger
from tests.support.faulty_store import Fault, FaultyStore
from tests.triggers.conftest import Landing

shared_stream: Any = pytest.importorskip(
    "airflow.triggers.shared_stream",
    reason="Airflow 3.2 has no shared streams; what it runs instead is in test_new_data_trigger",
)


class Triggerer:
    """The part of Airflow's triggerer that runs event triggers: it stores events when it is told to."""

    def __init__(self, manager: Any) -> None:
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
    running = Triggerer(shared_stream.SharedStreamManager())
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


@pytest.mark.parametrize(
    "outcome", [shared_stream.AdvanceOutcome(acked=0, failed=0), shared_stream.AdvanceOutcome(acked=1, failed=1)]
)
def test_an_event_that_not_every_watcher_stored_is_due_again(landing: Landing, outcome: Any) -> None:
    watch = landing.watch()
    landing.land("a")
    files = watch.due()
    assert watch.due() == []
    asyncio.run(Announcer(watch, 1).advance([shared_stream.AdvanceItem(files, outcome)]))
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
    asyncio.run(
        Announcer(watch, 1).advance([shared_stream.AdvanceItem(files, shared_stream.AdvanceOutcome(acked=1, failed=0))])
    )
    assert "may be announced again" in caplog.text
    assert landing.marked(ANNOUNCED) == 0
