"""Files that land while parts of Airflow die: each ends in exactly one snapshot, none is lost."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest

from stoker.core.records import Reference
from stoker.loop.broker import Broker
from stoker.registry.registry import Registry
from stoker.store import layout
from stoker.store.local_files import LocalStore
from tests.airflow.stack import Killable, until
from tests.support.registrations import ACTOR, register

pytestmark = [pytest.mark.airflow, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def killable(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Killable]:
    with Killable(tmp_path_factory.mktemp("watching")) as stack:
        stack.airflow.wait_until_ready()
        stack.airflow.unpause("watching")
        yield stack


def test_each_file_ends_in_exactly_one_snapshot_whatever_dies(
    killable: Killable, capsys: pytest.CaptureFixture[str]
) -> None:
    landed: dict[str, float] = {}

    def land(name: str) -> str:
        landed[name] = killable.land(name)
        return name

    def taken(*names: str) -> None:
        until(lambda: set(names) <= killable.marks("taken").keys(), f"taking {', '.join(names)}")

    def idle() -> None:
        until(lambda: all(run["state"] == "success" for run in killable.runs("watching")), "the end of all runs")

    taken(land("1000"))
    for name in ("1001", "1002", "1003"):  # undisturbed, for the figures
        idle()
        time.sleep(3)  # for the run of a reminder, if there was one
        idle()
        taken(land(name))

    def fired(name: str) -> None:
        """Or taken: the run of an event before may see the file too."""
        until(lambda: killable.events(f"'{name}.csv'") or name in killable.marks("taken"), "an event", pause=0.02)

    # The triggerer dies before it fires, as it fires, while Airflow stores the event, and after that.
    for number, delay in enumerate((None, 0.0, 0.4, 0.8, 1.5)):
        idle()
        name = land(f"2{number:03}")
        if delay is not None:
            fired(name)
            time.sleep(delay)
        killable.kill("triggerer")
        killable.start("triggerer")
        taken(name)

    # The scheduler dies with an event stored and no run, and in the middle of a run.
    for number, delay in enumerate((0.8, 2.5)):
        idle()
        name = land(f"3{number:03}")
        fired(name)
        time.sleep(delay)
        killable.kill("scheduler")
        killable.start("scheduler")
        taken(name)

    # Events for a paused DAG go nowhere, and when Airflow gets to it, it stops the watcher.
    idle()
    killable.pause("watching", True)
    names = [land("4000")]
    time.sleep(5)
    names.append(land("4001"))
    killable.pause("watching", False)
    taken(*names)
    idle()

    assert killable.marks("refused") == {}
    marks = killable.marks("taken")
    assert marks.keys() == landed.keys()
    assert len({mark["snapshot"] for mark in marks.values()}) == len(landed)
    keys = list(LocalStore(killable.store).keys(layout.partitions("watched", "raw")))
    assert [(key.split("/")[-2], layout.number_of(key)) for key in keys] == [(name, 1) for name in sorted(landed)]

    with capsys.disabled():
        started = [datetime.fromisoformat(run["start_date"]).timestamp() for run in killable.runs("watching")]
        waited = [f"{_taker(started, marks[name]) - landed[name]:.1f}" for name in ("1001", "1002", "1003")]
        print(
            f"\nfile to run: {', '.join(waited)} s; {len(landed)} files, {killable.events()} events, {len(started)} runs"
        )


def _taker(started: list[float], mark: dict[str, Any]) -> float:
    """When the run began that put the mark: runs of this DAG do not overlap."""
    return max(start for start in started if start < datetime.fromisoformat(mark["time"]).timestamp())


def test_a_request_wakes_its_dag_whose_task_waits_in_the_triggerer(killable: Killable) -> None:
    """The request comes through the store alone, as those of the command line and of webhooks do."""
    store = LocalStore(killable.store)
    killable.airflow.unpause("asking")
    Broker(store, "requested").put(source="hand", reason="please", dedupe_key="1", actor=ACTOR)
    until(lambda: killable.runs("asking"), "a run")
    path = f"/api/v2/dags/asking/dagRuns/{killable.runs('asking')[0]['dag_run_id']}"
    until(lambda: killable.airflow.request("GET", f"{path}/taskInstances/wait")["state"] == "deferred", "deferring")
    register(Registry(store), "requested")
    Registry(store).promote("requested", 1, actor=ACTOR, reason="better")
    until(lambda: killable.airflow.request("GET", path)["state"] == "success", "the end of the run")
    found = killable.airflow.request("GET", f"{path}/taskInstances/wait/xcomEntries/return_value")["value"]
    assert Reference.from_xcom(found, "version").summary["version"] == 1


def test_fifty_alerts_and_doubled_runs_end_in_one_training(killable: Killable) -> None:
    """Fifty alerts within five seconds, while somebody else emits the asset five times over, as schedulers may."""
    broker = Broker(LocalStore(killable.store), "stormed")
    killable.airflow.unpause("storming")
    for number in range(50):
        broker.put(source="alert", reason=f"alert {number}", dedupe_key=str(number), actor=ACTOR)
        if number % 10 == 9:
            time.sleep(1)
    for _ in range(5):
        killable.emit("stormed")
        time.sleep(1)
    until(lambda: not broker.requests() and broker.state().lease is None, "the end of the training")
    until(lambda: all(run["state"] == "success" for run in killable.runs("storming")), "the end of all runs")
    assert len(killable.runs("storming")) >= 2
    trained = [record for record in broker.wake_ups(50) if record.condition == "granted"]
    assert len(trained) == 1
    served = broker.requests(every=True)
    assert len(served) == 50
