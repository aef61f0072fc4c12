"""The long form: one task a step, from a landed file to a promoted champion.

A file of flights lands each month. This DAG freezes it, takes bad rows out, trains on all months so far, judges the
model against the champion on the newest flights, and promotes it when it is better. Otherwise the champion stays, and
the evaluation says why.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

from airflow.sdk import CronTriggerTimetable, Param, dag, task

from flights_estimator import flights_estimator
from stoker import (
    EvaluateModelOperator,
    PromoteModelOperator,
    RegisterModelOperator,
    SnapshotDatasetOperator,
    TrainModelOperator,
    ValidateDataOperator,
    model_asset,
)

PROJECT = Path(__file__).resolve().parents[1]
MODEL = "flights_late"
PREFIX, SUFFIX = "flights-", ".parquet"
REASON = "{{ params.reason or 'scheduled training' }}"

PARAMS = {
    "month": Param(
        None,
        type=["null", "string"],
        title="Month",
        pattern=r"^20\d\d-(0[1-9]|1[0-2])$",
        description="Which month to train on, such as 2013-03, together with all months before it. Empty: the newest that has landed.",
    ),
    "max_iter": Param(
        120,
        type="integer",
        title="Boosting rounds",
        minimum=10,
        maximum=1000,
        description="Trees in the model. More take longer and may overfit.",
    ),
    "force": Param(
        False,
        type="boolean",
        title="Train even if nothing changed",
        description="Without this, the same data, code and parameters give the model that they gave before.",
    ),
    "dry_run": Param(
        False,
        type="boolean",
        title="Dry run",
        description="Train and judge, but register and promote nothing.",
    ),
    "reason": Param(
        None,
        type=["null", "string"],
        title="Reason",
        maxLength=200,
        description="Why this run was started; kept in the audit log.",
    ),
}


@dag(
    # Switching the DAG on starts nothing by itself: the first run is the next first of a month, or the one you trigger.
    schedule=CronTriggerTimetable("0 6 1 * *", timezone="UTC", run_immediately=False),
    catchup=False,
    max_active_runs=1,
    tags=["stoker", MODEL],
    params=PARAMS,
    default_args={
        "owner": "ml-platform",
        "retries": 2,
        "retry_delay": timedelta(minutes=1),
        "retry_exponential_backoff": True,
    },
    doc_md=__doc__,
)
def flights_training() -> None:
    """Wire the seven steps."""

    @task(multiple_outputs=True)
    def plan(landing: str, params: dict[str, Any] | None = None) -> dict[str, Any]:
        """Which month to train on, where its file lies, and with which parameters."""
        from airflow.sdk import ObjectStoragePath
        from airflow.sdk.exceptions import AirflowSkipException

        params = params or {}
        folder = ObjectStoragePath(landing if "://" in landing else f"file://{PROJECT / landing}")
        landed = (
            sorted(path.name for path in folder.iterdir() if path.name.startswith(PREFIX)) if folder.exists() else []
        )
        if not landed and not params["month"]:
            raise AirflowSkipException(f"No file has landed in {folder}.")
        name = f"{PREFIX}{params['month']}{SUFFIX}" if params["month"] else landed[-1]
        return {
            "month": name.removeprefix(PREFIX).removesuffix(SUFFIX),
            "source": str(folder / name),
            "estimator_params": {"max_iter": params["max_iter"]},
        }

    planned = plan("{{ var.value.get('flights_landing', 'include/data/flights') }}")

    snapshot = SnapshotDatasetOperator(
        task_id="snapshot",
        source=planned["source"],
        dataset="flights",
        partition=planned["month"],
        time_column="scheduled_departure",
    )
    validate = ValidateDataOperator(
        task_id="validate",
        dataset=snapshot.output,
        expectations=str(PROJECT / "include/expectations/flights.json"),
        on_failure="quarantine",
        max_quarantine_share=0.05,
    )
    train = TrainModelOperator(
        task_id="train",
        dataset=validate.output,
        estimator=flights_estimator,
        estimator_params=planned["estimator_params"],
        target="late",
        id_columns=["flight_id"],
        history="all",
        split="time",
        test_size=0.3,
        random_state=0,
        cache="{{ 'refresh' if params.force else 'auto' }}",
        execution_timeout=timedelta(hours=1),
    )
    evaluate = EvaluateModelOperator(
        task_id="evaluate",
        model=train.output,
        name=MODEL,
        policy=str(PROJECT / "include/policies/flights.yaml"),
        mode="{{ 'dry_run' if params.dry_run else 'enforce' }}",
    )
    register = RegisterModelOperator(
        task_id="register", model=train.output, evaluation=evaluate.output, name=MODEL, reason=REASON
    )
    PromoteModelOperator(
        task_id="promote", name=MODEL, version=register.output, reason=REASON, outlets=[model_asset(MODEL)]
    )


flights_training()
