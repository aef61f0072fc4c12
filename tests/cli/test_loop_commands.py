"""The commands about a model's loop."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from stoker.core.cadence import CadencePolicy
from stoker.core.records import Actor
from stoker.loop.broker import Broker
from stoker.registry.registry import Registry
from tests.cli.conftest import Answer, Call
from tests.registry.cases import MODEL, SteppedClock, register

ROBOT = Actor("airflow", "churn_train/run 1")


@pytest.fixture
def clock() -> SteppedClock:
    made = SteppedClock()
    made.now = datetime(2020, 3, 1, tzinfo=UTC)  # long ago: the commands look at the clock of the machine
    return made


@pytest.fixture
def broker(registry: Registry, clock: SteppedClock) -> Broker:
    """The broker of a registered model."""
    register(registry)
    return Broker(registry.store, MODEL, policy=CadencePolicy(cooldown=timedelta(hours=1)), clock=clock)


def lived(broker: Broker, clock: SteppedClock) -> None:
    """A promotion, a refusal, and a training under way."""
    broker.put(source="new_data", reason="2013-03 landed", dedupe_key="a", actor=ROBOT)
    broker.claim("churn_train/run 1", actor=ROBOT)
    broker.put(source="drift", reason="delay \x1b[31mdrifted", dedupe_key="b", actor=ROBOT)
    broker.settle("churn_train/run 1", outcome="promoted", reason="Version 2 took over.", version=2)
    broker.claim("churn_train/run 2", actor=ROBOT)
    clock.step(3600)
    broker.claim("churn_train/run 3", actor=ROBOT)
    broker.put(source="drift", reason="delay drifted more", dedupe_key="c", actor=ROBOT)


def flat(answer: Answer) -> str:
    return " ".join(answer.out.split())


def test_why_names_the_deciding_condition_of_each_wake_up(call: Call, broker: Broker, clock: SteppedClock) -> None:
    lived(broker, clock)
    told = call("why", MODEL, "--json").json["wake_ups"]
    assert [(one["who"], one["result"], one["condition"]) for one in told] == [
        ("churn_train/run 3", "lost", "granted"),
        ("churn_train/run 2", "skipped", "cooldown"),
        ("churn_train/run 1", "promoted", "granted"),
    ]
    assert told[2]["woken_by"] == [{"source": "new_data", "reason": "2013-03 landed"}]
    assert len(call("why", MODEL, "--last", "1", "--json").json["wake_ups"]) == 1


def test_why_is_a_table_that_steers_no_terminal(call: Call, broker: Broker, clock: SteppedClock) -> None:
    lived(broker, clock)
    answer = call("why", MODEL)
    for part in (f"Wake-ups of {MODEL}", "2020-03-01", "new_data", "skipped", "(cooldown)", "promoted"):
        assert part in flat(answer)
    assert "\x1b" not in answer.out
    assert max(map(len, answer.out.splitlines())) <= 80


def test_requests_tell_where_each_one_stands(call: Call, broker: Broker, clock: SteppedClock) -> None:
    lived(broker, clock)
    (late, training) = call("requests", MODEL, "--json").json["requests"]
    assert (late["reason"], late["status"], late["actor"]["user"]) == ("delay drifted more", "waiting", "airflow")
    assert (training["dedupe_key"], training["status"]) == ("b", "in training")
    every = call("requests", MODEL, "--all", "--json").json["requests"]
    assert [one["status"] for one in every] == ["waiting", "in training", "closed"]
    assert "in training" in flat(call("requests", MODEL))
    assert "\x1b" not in call("requests", MODEL, "--all").out


def test_a_person_asks_for_a_training(call: Call, broker: Broker) -> None:
    answer = call("--user", "ada", "retrain", MODEL, "--reason", "new labels", "--json")
    (request,) = broker.requests()
    assert answer.json == {"model": MODEL, "id": request.id}
    assert (request.source, request.reason, request.actor) == ("hand", "new labels", Actor("ada", "cli"))
    assert "is asked for as" in call("retrain", MODEL, "--reason", "again").out
    assert len(broker.requests()) == 2


def test_a_person_resumes_a_model_that_the_breaker_holds_back(call: Call, broker: Broker, registry: Registry) -> None:
    assert "nothing was written" in call("resume", MODEL, "--reason", "fixed").out
    broker.put(source="drift", reason="drifted", dedupe_key="a", actor=ROBOT)
    broker.claim("run", actor=ROBOT)
    broker.settle("run", outcome="failed", reason="no memory")
    assert call("resume", MODEL, "--reason", "more memory", "--json").json == {"model": MODEL, "changed": True}
    assert Broker(registry.store, MODEL).state().ineffective == 0
    assert call("why", MODEL, "--json").json["wake_ups"][0]["result"] == "resumed"


@pytest.mark.parametrize("command", ["why", "requests", "retrain", "resume"])
def test_a_model_that_nobody_knows_is_not_made_by_asking(call: Call, registry: Registry, command: str) -> None:
    reason = ("--reason", "why not") if command in {"retrain", "resume"} else ()
    answer = call(command, "chrun", *reason)
    assert (answer.code, answer.out) == (2, "")
    assert "Model 'chrun' must exist in" in answer.err
    assert not list(registry.store.keys("models/"))


def test_a_model_before_its_first_version_is_known_by_its_requests(call: Call, registry: Registry) -> None:
    Broker(registry.store, "young").put(source="first", reason="data", dedupe_key="a", actor=ROBOT)
    assert "has not decided anything yet" in call("why", "young").out
    assert "first" in call("requests", "young").out


def test_an_empty_list_says_so(call: Call, broker: Broker) -> None:
    assert call("requests", MODEL).out == f"Nothing asks for a training of {MODEL}.\n"


@pytest.mark.parametrize("command", ["retrain", "resume"])
def test_a_change_needs_a_reason(call: Call, broker: Broker, command: str) -> None:
    assert call(command, MODEL).code == 2
    assert call("retrain", MODEL, "--reason", "x" * 1001).code == 2
