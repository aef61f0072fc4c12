"""A task that waits for files."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException, AirflowSensorTimeout, TaskDeferred

from stoker.core.clock import random_id
from stoker.core.records import Reference
from stoker.engines.landing import list_landed
from stoker.errors import StoreUnavailable
from stoker.loop.ledger import TAKEN, Ledger
from stoker.sensors.new_data import NewDataSensor
from stoker.store.opening import open_store
from stoker.triggers.new_data import NewDataTrigger
from tests.support.faulty_store import FaultyStore


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "landing").mkdir()
    return tmp_path / "landing"


@pytest.fixture
def uri() -> str:
    return f"memory://{random_id()}"


def sensor(folder: Path | str, uri: str, **given: Any) -> NewDataSensor:
    quick = {"stable_seconds": 0, "poke_interval": 0.01, "timeout": 20}
    return NewDataSensor(task_id="wait", source=str(folder), dataset="d", store=uri, **{**quick, **given})


@pytest.mark.parametrize("deferrable", [False, True])
def test_files_that_are_there_are_found_at_once(folder: Path, uri: str, deferrable: bool) -> None:
    (folder / "a.csv").write_text("a")
    (folder / "b.csv").write_text("b")
    reference = Reference.from_xcom(sensor(folder, uri, deferrable=deferrable).execute({}), "landing")
    assert reference.summary == {"dataset": "d", "count": 2, "files": ["a.csv", "b.csv"]}


def test_another_list_is_another_reference_and_the_same_is_the_same(folder: Path, uri: str) -> None:
    (folder / "a.csv").write_text("a")
    first = sensor(folder, uri).execute({})
    assert sensor(folder, uri).execute({}) == first
    (folder / "a.csv").write_text("aa")
    assert sensor(folder, uri).execute({})["digest"] != first["digest"]


def test_a_reference_of_many_long_names_is_small(folder: Path, uri: str) -> None:
    for number in range(50):
        (folder / f"{number:03}{'ü' * 100}.csv").write_text("x")
    reference = sensor(folder, uri).execute({})
    assert reference["summary"]["count"] == 50
    assert len(json.dumps(reference, ensure_ascii=False).encode()) <= 8192


def test_files_that_were_taken_are_not_waited_for(folder: Path, uri: str) -> None:
    (folder / "a.csv").write_text("a")
    Ledger(open_store(uri), "d").mark(TAKEN, list_landed(str(folder))[0])
    with pytest.raises(AirflowSensorTimeout):
        sensor(folder, uri, timeout=0).execute({})


def test_a_file_that_was_just_written_is_waited_for(folder: Path, uri: str) -> None:
    (folder / "a.csv").write_text("a")
    with pytest.raises(AirflowSensorTimeout):
        sensor(folder, uri, timeout=0, stable_seconds=3600).execute({})


def test_a_marker_makes_files_count(folder: Path, uri: str) -> None:
    (folder / "a.csv").write_text("a")
    waiting = sensor(folder, uri, success_marker="_SUCCESS", stable_seconds=3600)
    assert not waiting.poke({})
    (folder / "_SUCCESS").touch()
    assert waiting.poke({})


def test_waiting_goes_on_in_the_triggerer(folder: Path, uri: str) -> None:
    waiting = sensor(folder, uri, deferrable=True, timeout=77)
    with pytest.raises(TaskDeferred) as deferred:
        waiting.execute({})
    assert (deferred.value.method_name, deferred.value.timeout) == ("found", timedelta(seconds=77))
    path, arguments = deferred.value.trigger.serialize()
    assert path == "stoker.triggers.new_data.NewDataTrigger"
    trigger = NewDataTrigger(**json.loads(json.dumps(arguments)))

    async def scenario() -> list[Any]:
        asyncio.get_running_loop().call_later(0.05, (folder / "a.csv").write_text, "a")
        async with asyncio.timeout(20):
            return [event.payload async for event in trigger.run()]

    (payload,) = asyncio.run(scenario())
    assert waiting.found({}, payload) == sensor(folder, uri).execute({})


@pytest.mark.parametrize("deferrable", [False, True])
def test_a_place_that_does_not_exist_fails_the_task(folder: Path, uri: str, deferrable: bool) -> None:
    with pytest.raises(AirflowFailException, match=r"SourceNotFound: .*must exist"):
        sensor(folder / "nowhere", uri, deferrable=deferrable).execute({})


def test_a_store_that_does_not_answer_is_asked_again(folder: Path, uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "a.csv").write_text("a")
    store = Sulky(open_store(uri), {})
    monkeypatch.setattr("stoker.hooks.registry.open_store", lambda *_, **__: store)
    assert sensor(folder, uri).execute({})["summary"]["count"] == 1
    assert store.silent == 0


class Sulky(FaultyStore):
    """Gives no answer to the first questions."""

    silent = 2

    def exists(self, key: str) -> bool:
        if self.silent:
            self.silent -= 1
            raise StoreUnavailable("no answer")
        return super().exists(key)
