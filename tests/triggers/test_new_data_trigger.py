"""Landed files as events."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from stoker.engines.landing import LandedFile
from stoker.loop.ledger import ANNOUNCED, REFUSED, TAKEN
from stoker.triggers.new_data import NewDataEventTrigger
from tests.triggers.conftest import Landing


def names(files: list[LandedFile]) -> list[str]:
    return [Path(file.uri).name for file in files]


def events(landing: Landing, *between: Callable[[], None], **given: Any) -> list[dict[str, Any]]:
    """What a watcher announces at first and after each call, when it runs without shared streams."""

    async def scenario() -> list[dict[str, Any]]:
        async with asyncio.timeout(20), aclosing(landing.trigger(**given).run()) as running:
            found = [(await anext(running)).payload]
            for act in between:
                act()
                found.append((await anext(running)).payload)
            return found

    return asyncio.run(scenario())


def test_a_trigger_goes_through_airflows_database() -> None:
    trigger = NewDataEventTrigger("s3://bucket/in", "d", stoker_conn_id="models", success_marker="_SUCCESS")
    path, arguments = trigger.serialize()
    assert path == "stoker.triggers.new_data.NewDataEventTrigger"
    again = NewDataEventTrigger(**json.loads(json.dumps(arguments)))
    assert again.serialize() == trigger.serialize()


def test_a_watcher_that_runs_by_itself_announces_files_once_and_marks_none(landing: Landing) -> None:
    landing.land("a")
    first, second = events(landing, lambda: landing.land("b"))
    assert first == {"dataset": "d", "source": str(landing.folder), "count": 1, "files": ["a"]}
    assert second["files"] == ["b"]
    assert landing.marked(ANNOUNCED) == 0  # nobody tells it which events Airflow stored


def test_a_watcher_that_runs_by_itself_repeats_what_nobody_took(landing: Landing) -> None:
    landing.land("a")
    again = events(landing, lambda: None, remind_seconds=0)
    assert [event["files"] for event in again] == [["a"], ["a"]]


def test_a_watcher_that_runs_by_itself_begins_with_what_nobody_took(landing: Landing) -> None:
    landing.land("a", "b")
    assert [event["files"] for event in events(landing)] == [["a", "b"]]
    landing.mark(TAKEN, "a")
    assert [event["files"] for event in events(landing)] == [["b"]]


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
