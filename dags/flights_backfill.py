"""One month anew: its snapshot, its validation and its scores, from the file as it lies there now.

Use Airflow's backfill over the months that were corrected at the source, or trigger it with a month. A backfill moves
no alias and asks for no training: history that changes must not decide what is in office today. The next training
reads the corrected months.
"""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

from airflow.sdk import CronTriggerTimetable, Param, dag

from stoker import BatchPredictOperator, SnapshotDatasetOperator, ValidateDataOperator

PROJECT = Path(__file__).resolve().parents[1]
MODEL, DATASET = "flights_late", "flights"
LANDING = os.environ.get("FLIGHTS_LANDING", str(PROJECT / "include/data/flights"))
MONTH = "{{ params.month or logical_date.strftime('%Y-%m') }}"


@dag(
    schedule=CronTriggerTimetable("0 0 1 * *", timezone="UTC", run_immediately=timedelta(0)),
    catchup=False,
    max_active_runs=2,
    tags=["stoker", MODEL],
    params={
        "month": Param(
            None,
            type=["null", "string"],
            title="Month",
            pattern=r"^20\d\d-(0[1-9]|1[0-2])$",
            description="Which month to redo, such as 2013-03. Empty: the month of the run's logical date, as a backfill gives it.",
        )
    },
    default_args={"owner": "ml-platform", "retries": 2, "retry_delay": timedelta(minutes=1)},
    doc_md=__doc__,
)
def flights_backfill() -> None:
    """Wire the steps."""
    snapshot = SnapshotDatasetOperator(
        task_id="snapshot",
        source=f"{LANDING.rstrip('/')}/flights-{MONTH}.parquet",
        dataset=DATASET,
        partition=MONTH,
        time_column="scheduled_departure",
    )
    validate = ValidateDataOperator(
        task_id="validate",
        dataset=snapshot.output,
        expectations=str(PROJECT / "include/expectations/flights.json"),
        on_failure="quarantine",
        max_quarantine_share=0.05,
    )
    BatchPredictOperator(
        task_id="predict", model=f"{MODEL}@champion", dataset=validate.output, id_columns=["flight_id"]
    )


flights_backfill()
