"""The harness of the kills in a cluster: what it plans, where a task holds, and that it sees a champion that is not whole."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import boto3
import pytest
from botocore.client import BaseClient

from stoker.registry.registry import Registry
from stoker.store import layout
from stoker.store.memory import MemoryStore
from tests.faults.loop_kills import OTHER_PARTS, STEPS, ChampionWatch, Killer, plan
from tests.support.registrations import ACTOR, register

DYING = Path(__file__).with_name("cluster") / "dags/dying.py"


class Held(BaseException):
    """Stands for the wait in which a task is killed."""


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The calls that reach S3."""
    calls: list[str] = []
    monkeypatch.setattr(BaseClient, "_make_api_call", lambda _self, name, *_: calls.append(name))
    return calls


@pytest.fixture
def dying(tmp_path: Path, sent: list[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    monkeypatch.setenv("STOKER_ORDERS", str(tmp_path))
    spec = importlib.util.spec_from_file_location("dying", DYING)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    def hold(seconds: float) -> None:
        raise Held(seconds)

    monkeypatch.setattr(module.time, "sleep", hold)
    return module


def _order(folder: Path, call: int, *, after: bool = False, task: str = "loop0_train.train") -> None:
    (folder / task).write_text(json.dumps({"call": call, "after": after, "seconds": 9}))


def _task() -> Any:
    return SimpleNamespace(dag_id="loop0_train", task_id="train")


def _client() -> Any:
    return boto3.client("s3", region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="b")


def test_a_task_holds_before_or_after_the_call_it_was_told_and_says_where_it_runs(
    dying: ModuleType, tmp_path: Path, sent: list[str]
) -> None:
    for after, reached in ((False, 1), (True, 2)):
        sent.clear()
        _order(tmp_path, 2, after=after)
        dying.on_task_instance_running(None, _task())
        assert (tmp_path / "loop0_train.train.taken").exists()
        client = _client()
        client.list_buckets()
        with pytest.raises(Held):
            client.list_buckets()
        assert len(sent) == reached
        assert (tmp_path / "loop0_train.train.held").read_text()
        dying.on_task_instance_success(None, _task())  # one order, one hold


def test_a_task_with_fewer_calls_holds_at_its_end_and_one_without_an_order_never(
    dying: ModuleType, tmp_path: Path
) -> None:
    dying.on_task_instance_running(None, _task())
    dying.on_task_instance_success(None, _task())
    _order(tmp_path, 0)
    with pytest.raises(Held):
        dying.on_task_instance_running(None, _task())
    _order(tmp_path, 5)
    dying.on_task_instance_running(None, _task())
    with pytest.raises(Held):
        dying.on_task_instance_skipped(None, _task())


def test_sixty_kills_meet_every_step_and_every_part() -> None:
    kills = plan(60, 1)
    assert kills == plan(60, 1) != plan(60, 2)
    assert {kill.step for kill in kills if kill.part == "worker"} == set(STEPS)
    assert {kill.part for kill in kills} == {"worker", *OTHER_PARTS}
    assert len(kills) == 60


class _Parts:
    """A cluster that only notes what is asked of it."""

    def __init__(self) -> None:
        self.killed: list[str] = []
        self.started: list[str] = []

    def kill(self, part: str) -> None:
        self.killed.append(part)

    def start(self, part: str) -> None:
        self.started.append(part)


def test_the_worker_that_holds_dies_once_and_an_order_that_died_with_it_is_given_again(tmp_path: Path) -> None:
    cluster = _Parts()
    killer = Killer(cluster, tmp_path, down_seconds=0)
    kills = [kill for kill in plan(60, 1) if kill.part == "worker"][:2]
    for model, kill in zip(("a", "b"), kills, strict=True):
        killer.order(model, kill)
    first, second = (tmp_path / f"{model}_{kill.step}" for model, kill in zip(("a", "b"), kills, strict=True))
    first.unlink()
    second.unlink()
    Path(f"{second}.taken").write_text("worker-2")
    Path(f"{first}.held").write_text("worker-2")
    assert not killer.work()
    assert cluster.killed == cluster.started == ["worker-2"]
    assert second.exists()
    assert killer.waiting() == [second.name]
    Path(f"{second}.held").write_text("worker-1")
    assert killer.work()
    assert (cluster.killed, killer.done) == (["worker-2", "worker-1"], 2)


def test_the_watch_of_champions_goes_red_over_a_file_that_is_not_whole() -> None:
    store = MemoryStore("watched")
    registry = Registry(store)
    with ChampionWatch(store, ["churn"], pause=0.01) as watch:
        pass
    assert (watch.looks, watch.faults) == (0, [])

    version = register(registry)
    registry.promote("churn", 1, actor=ACTOR, reason="better")
    watch.look("churn")
    assert watch.looks == 1

    store._objects[layout.blob(version.files["model.skops"].sha256)] = b"torn"
    with ChampionWatch(store, ["churn"], pause=0.01) as watch:
        while not watch.faults:
            pass
    assert "churn" in watch.faults[0]
