"""Requests to retrain as events."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from stoker.core.cadence import CadencePolicy
from stoker.core.clock import random_id
from stoker.core.records import Actor
from stoker.loop.broker import Broker
from stoker.store.memory import MemoryStore
from stoker.store.opening import open_store
from stoker.triggers.requests import RequestWatch, RetrainRequestTrigger

ACTOR = Actor("ada", "cli")


class Life:
    """A broker, a watch over it as another process has one, and a clock."""

    def __init__(self, quiet_seconds: float = 0) -> None:
        self.now = datetime(2013, 6, 1, tzinfo=UTC)
        store = MemoryStore()
        policy = CadencePolicy(cooldown=timedelta(hours=1), lease=timedelta(hours=2))
        self.broker, other = (Broker(store, "m", policy=policy, clock=lambda: self.now) for _ in range(2))
        self.watch = RequestWatch(lambda: other, quiet_seconds=quiet_seconds, remind_seconds=60, clock=lambda: self.now)

    def request(self, key: str, source: str = "drift") -> str:
        return self.broker.put(source=source, reason="worse", dedupe_key=key, actor=ACTOR).id

    def due(self) -> list[str]:
        announcement = self.watch.due()
        return [] if announcement is None else sorted(request["id"] for request in announcement["requests"])


@pytest.fixture
def life() -> Life:
    return Life()


def test_nothing_is_due_where_nothing_was_asked(life: Life) -> None:
    assert life.due() == []


def test_a_storm_of_requests_is_due_once_it_has_passed_and_in_any_case_after_a_while() -> None:
    life = Life(quiet_seconds=3)
    for number in range(50):
        life.request(str(number))
        assert life.due() == []
        life.now += timedelta(seconds=0.1)
    life.now += timedelta(seconds=2.8)
    assert life.due() == []
    life.now += timedelta(seconds=0.1)
    assert life.watch.due()["count"] == 50  # type: ignore[index]

    endless, asked = Life(quiet_seconds=3), 0
    while not endless.due():
        endless.request(str(asked))
        asked += 1
        endless.now += timedelta(seconds=1)
    assert asked == 12


def test_a_request_is_due_once_and_again_when_nobody_came(life: Life) -> None:
    first = life.request("1")
    assert life.due() == [first]
    assert life.due() == []
    life.now += timedelta(seconds=59)
    second = life.request("2")
    assert life.due() == sorted([first, second])
    life.now += timedelta(seconds=59)
    assert life.due() == []
    life.now += timedelta(seconds=1)
    assert life.due() == sorted([first, second])


def test_the_same_request_again_is_no_news(life: Life) -> None:
    life.request("1")
    assert life.due() != []
    life.request("1")
    assert life.due() == []


def test_nothing_is_due_while_a_run_trains(life: Life) -> None:
    life.request("1")
    assert life.broker.claim("dag/run", actor=ACTOR).granted
    later = life.request("2")
    assert life.due() == []
    life.broker.settle("dag/run", outcome="promoted", reason="better", version=1, evidence=None)
    assert life.due() == []  # it cools down
    life.now += timedelta(hours=1)
    assert life.due() == [later]


def test_a_request_whose_run_died_is_due_when_its_lease_has_run_out(life: Life) -> None:
    first = life.request("1")
    assert life.due() == [first]
    life.broker.claim("dag/run", actor=ACTOR)
    assert life.due() == []
    life.now += timedelta(hours=2)
    assert life.due() == [first]


def test_an_event_is_small_however_many_ask(life: Life) -> None:
    for number in range(50):
        life.request(str(number))
    announcement = life.watch.due()
    assert announcement is not None
    assert (announcement["model"], announcement["count"], len(announcement["requests"])) == ("m", 50, 10)
    assert len(json.dumps(announcement)) < 1024


def test_a_trigger_goes_through_airflows_database() -> None:
    path, arguments = RetrainRequestTrigger("m", stoker_conn_id="models", remind_seconds=7).serialize()
    assert path == "stoker.triggers.requests.RetrainRequestTrigger"
    again = RetrainRequestTrigger(**json.loads(json.dumps(arguments)))
    assert again.serialize() == (path, arguments)
    assert "shared_stream_key" not in vars(RetrainRequestTrigger)  # each runs by itself


def first_event(trigger: RetrainRequestTrigger) -> dict[str, object]:
    async def scenario() -> dict[str, object]:
        async with asyncio.timeout(20):
            return (await anext(trigger.run())).payload  # type: ignore[no-any-return]

    return asyncio.run(scenario())


def test_whoever_asks_through_the_store_wakes_the_dag() -> None:
    uri = f"memory://{random_id()}"
    Broker(open_store(uri), "m").put(source="hand", reason="please", dedupe_key="1", actor=ACTOR)
    assert first_event(RetrainRequestTrigger("m", store=uri, poll_seconds=0.01, quiet_seconds=0))["count"] == 1


def test_the_policy_file_says_when_a_training_may_begin(tmp_path: Path) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text("cadence:\n  cooldown: 0s\n")
    uri = f"memory://{random_id()}"
    broker = Broker(open_store(uri), "m")
    broker.put(source="drift", reason="worse", dedupe_key="1", actor=ACTOR)
    assert broker.claim("dag/run", actor=ACTOR).granted
    broker.settle("dag/run", outcome="promoted", reason="better", version=1, evidence=None)
    broker.put(source="drift", reason="worse", dedupe_key="2", actor=ACTOR)
    assert not broker.pending()
    assert (
        first_event(RetrainRequestTrigger("m", str(policy), store=uri, poll_seconds=0.01, quiet_seconds=0))["count"]
        == 1
    )
