"""Processes that ask for trainings and processes that train, all at once on one folder."""

from __future__ import annotations

import os
import signal
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

from stoker.core.cadence import CadencePolicy
from stoker.core.records import Actor
from stoker.loop.broker import Broker
from stoker.store.local_files import LocalStore
from tests.support.processes import FORK, at_once

POLICY = CadencePolicy(cooldown=timedelta(), budget_per_day=10_000)
ASKING, TRAINING, EACH = 4, 4, 12


def _broker(folder: Path) -> Broker:
    return Broker(LocalStore(folder / "store"), "churn", policy=POLICY)


def _ask(folder: Path, number: int, barrier: Any) -> list[str]:
    broker = _broker(folder)
    barrier.wait(30)
    actor = Actor("ada", "python")
    keys = [f"{number}/{turn}" for turn in range(EACH)] + ["shared"]
    return [broker.put(source="drift", reason="drifted", dedupe_key=key, actor=actor).id for key in keys]


def _train(folder: Path, number: int, barrier: Any) -> list[list[str]]:
    broker, served = _broker(folder), []
    barrier.wait(30)
    for turn in range(EACH):
        holder = f"run-{number}/{turn}"
        grant = broker.claim(holder, actor=Actor("airflow", holder))
        if grant.granted:
            served.append([request.id for request in grant.requests])
            assert broker.settle(holder, outcome="promoted", reason="better")
    return served


def test_each_request_is_served_by_exactly_one_training(folder: Path) -> None:
    asking = [partial(_ask, folder, number) for number in range(ASKING)]
    training = [partial(_train, folder, number) for number in range(TRAINING)]
    results = at_once(folder, [*asking, *training])
    asked = [id_ for ids in results[:ASKING] for id_ in ids]
    assert len(set(asked)) == ASKING * EACH + 1  # the shared key is one request
    broker = _broker(folder)
    last = broker.claim("last", actor=Actor("airflow", "last"))
    served = [id_ for trained in results[ASKING:] for ids in trained for id_ in ids]
    served += [request.id for request in last.requests]
    assert sorted(served) == sorted(set(asked))


def test_no_two_leases_ever_overlap(folder: Path) -> None:
    at_once(folder, [partial(_ask, folder, number) for number in range(2)])
    at_once(folder, [partial(_train, folder, number) for number in range(6)])
    holders: list[str] = []
    leases = 0
    for record in _broker(folder)._journal.entries():
        if record["kind"] == "wake_up" and record["granted"]:
            assert not holders
            holders.append(record["holder"])
            leases += 1
        if record["kind"] == "settlement":
            assert holders == [record["holder"]]
            holders.clear()
    assert not holders
    assert leases


def _die_while_asking(folder: Path, moment: float) -> None:
    signal.setitimer(signal.ITIMER_REAL, moment)
    signal.signal(signal.SIGALRM, lambda *_: os.kill(os.getpid(), signal.SIGKILL))
    broker = _broker(folder)
    for turn in range(10_000):
        broker.put(source="drift", reason="drifted", dedupe_key=f"{moment}/{turn}", actor=Actor("ada", "python"))
        broker.claim(f"run/{moment}/{turn}", actor=Actor("airflow", "run"))
        broker.settle(f"run/{moment}/{turn}", outcome="kept", reason="worse")


def test_a_killed_process_leaves_a_broker_that_goes_on(folder: Path) -> None:
    for number in range(12):
        process = FORK.Process(target=_die_while_asking, args=(folder, 0.02 + 0.011 * number))
        process.start()
        process.join(30)
        assert process.exitcode == -signal.SIGKILL
        broker = _broker(folder)
        if broker.state().lease:  # nobody waits two hours in a test: its holder comes back and gives up
            assert broker.settle(broker.state().lease.holder, outcome="failed", reason="killed")
        assert broker.put(source="hand", reason="go on", dedupe_key=f"hand {number}", actor=Actor("ada", "cli")).new
        assert broker.claim(f"after {number}", actor=Actor("ada", "cli")).granted
        assert broker.settle(f"after {number}", outcome="promoted", reason="better")
        assert broker.requests() == []
