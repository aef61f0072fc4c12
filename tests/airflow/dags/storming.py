"""A training that any number of alerts and runs may ask for, reduced to its two ends."""

from __future__ import annotations

import os
import time

from airflow.sdk import Asset, AssetWatcher, dag, task

from stoker import Broker, ClaimRetrainOperator, RetrainRequestTrigger, StokerHook

MODEL = os.environ["STORMED_MODEL"]
ASKED = Asset(
    name="stormed",
    uri=f"x-stoker://retrain/{MODEL}",
    watchers=[AssetWatcher(name="stormed", trigger=RetrainRequestTrigger(name=MODEL, poll_seconds=1))],
)


@dag(schedule=ASKED, catchup=False, max_active_runs=4)
def storming() -> None:
    """Claim, take a while, and say that it went well."""

    @task
    def train(run_id: str | None = None) -> None:
        time.sleep(5)
        broker = Broker(StokerHook().get_conn(), MODEL)
        broker.settle(f"storming/{run_id}", outcome="promoted", reason="Better.", version=1)

    ClaimRetrainOperator(task_id="claim", name=MODEL) >> train()


storming()
