"""The long form of watching: score each new month with the champion, and look for drift and lost quality.

What it finds is triaged by the policy file: broken data stops the loop, lost quality right after a promotion rolls it
back, and whatever asks for a new model puts a request, which wakes ``flights_training``.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from airflow.sdk import AssetOrTimeSchedule, CronTriggerTimetable, dag

from stoker import (
    BatchPredictOperator,
    MonitorDriftOperator,
    MonitorPerformanceOperator,
    TriageOperator,
    data_asset,
    predictions_asset,
)

PROJECT = Path(__file__).resolve().parents[1]
MODEL, DATASET = "flights_late", "flights"
POLICY = str(PROJECT / "include/policies/flights.yaml")


@dag(
    schedule=AssetOrTimeSchedule(
        timetable=CronTriggerTimetable("30 6 * * *", timezone="UTC", run_immediately=timedelta(0)),
        assets=data_asset(DATASET),
    ),
    catchup=False,
    max_active_runs=1,
    tags=["stoker", MODEL],
    default_args={"owner": "ml-platform", "retries": 2, "retry_delay": timedelta(minutes=1)},
    doc_md=__doc__,
)
def flights_monitoring() -> None:
    """Wire the steps."""
    predict = BatchPredictOperator(
        task_id="predict",
        model=f"{MODEL}@champion",
        dataset=DATASET,
        id_columns=["flight_id"],
        shadow="previous",  # so that a regression after a promotion is told from a month that is hard for every model
        outlets=[predictions_asset(MODEL)],
    )
    # Labels may come when there is nothing new to score, so a skipped scoring skips nothing else.
    drift = MonitorDriftOperator(
        task_id="drift", name=MODEL, current=DATASET, policy=POLICY, trigger_rule="none_failed"
    )
    performance = MonitorPerformanceOperator(
        task_id="performance",
        name=MODEL,
        labels=DATASET,
        id_columns=["flight_id"],
        policy=POLICY,
        trigger_rule="none_failed",
    )
    predict >> [drift, performance]
    TriageOperator(
        task_id="triage",
        name=MODEL,
        drift=drift.output,
        performance=performance.output,
        policy=POLICY,
        trigger_rule="none_failed",
    )


flights_monitoring()
