"""Looking again and again."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import pytest

from stoker.errors import StoreUnavailable
from stoker.triggers.polling import polled


def test_looks_are_made_in_a_thread_with_the_pause_between_them(monkeypatch: pytest.MonkeyPatch) -> None:
    happened: list[str] = []

    def look() -> int:
        assert threading.current_thread() is not threading.main_thread()
        happened.append("look")
        return len(happened)

    async def sleep(seconds: float) -> None:
        happened.append(f"pause {seconds:g}")

    async def scenario() -> list[int]:
        found = []
        async for number in polled(look, 7, "here"):
            found.append(number)
            if len(found) == 3:
                return found
        return found

    monkeypatch.setattr("stoker.triggers.polling.asyncio.sleep", sleep)
    assert asyncio.run(scenario()) == [1, 3, 5]
    assert happened == ["look", "pause 7", "look", "pause 7", "look"]


def test_a_failing_look_is_logged_once_and_made_again(caplog: pytest.LogCaptureFixture) -> None:
    answers: Iterator[Exception | str] = iter([
        StoreUnavailable("no answer"),
        StoreUnavailable("no answer"),
        RuntimeError("unforeseen"),
        "found",
    ])

    def look() -> str:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def scenario() -> str:
        return await anext(polled(look, 0, "The folder"))

    caplog.set_level("INFO")
    assert asyncio.run(scenario()) == "found"
    assert [record.getMessage() for record in caplog.records if record.name == "stoker.triggers.polling"] == [
        "Watching The folder every 0 s",
        "The folder cannot be looked at, trying again every 0 s: no answer",
        "The folder cannot be looked at, trying again every 0 s: unforeseen",
        "The folder can be looked at again",
    ]
