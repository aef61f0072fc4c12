"""The long form: one task a step, from a landed file to a promoted champion.

A file of flights lands each month. This DAG wakes within seconds, freezes the file, takes bad rows out, trains on all
months so far, judges the model against the champion on the newest flights, and promotes it when it is better.
Otherwise the champion stays, and the evaluation says why. It also wakes when somebody or something asks for a
retrain, and once a day to look for whatever Airflow's events missed. The broker sees to it that any number of
wake-ups ends in one training.
"""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

from airflow.sdk import AssetOrTimeSchedule, AssetWatcher, CronTriggerTimetable, Param, dag

from flights_estimator import flights_estimator
from stoker import (
    ClaimRetrainOperator,
    EvaluateModelOperator,
    NewDataEventTrigger,
    PromoteModelOperator,
    RegisterModelOperator,
    RetrainRequestTrigger,
    SettleRetrainOperator,
    SnapshotDatasetOperator,
    TrainModelOperator,
    ValidateDataOperator,
    data_asset,
    landing_asset,
    model_asset,
    partitions_of,
    retrain_asset,
)

PROJECT = Path(__file__).resolve().parents[1]
MODEL, DATASET = "flights_late", "flights"
POLICY = str(PROJECT / "include/policies/flights.yaml")
# Where files land: a folder that all workers see, or s3://bucket/prefix/. Read when the file is parsed, for the triggerer watches it.
LANDING = os.environ.get("FLIGHTS_LANDING", str(PROJECT / "include/data/flights"))
REASON = "{{ params.reason or 'trained by ' ~ dag.dag_id }}"

PARAMS = {
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

landed = landing_asset(
    DATASET,
    LANDING,
    watchers=[
        AssetWatcher(
            name="flights_landed",
            trigger=NewDataEventTrigger(
                source=LANDING, pattern="flights-*.parquet", dataset=DATASET, poll_seconds=2, stable_seconds=2
            ),
        )
    ],
)
requested = retrain_asset(
    MODEL,
    watchers=[
        AssetWatcher(name="flights_requested", trigger=RetrainRequestTrigger(name=MODEL, policy=POLICY, poll_seconds=2))
    ],
)


@dag(
    schedule=AssetOrTimeSchedule(
        timetable=CronTriggerTimetable("0 6 * * *", timezone="UTC", run_immediately=timedelta(0)),
        assets=landed | requested,
    ),
    catchup=False,
    # With a limit of one Airflow may hold a wake-up back for half a minute after a run. The broker lets one run train.
    max_active_runs=4,
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
    """Wire the steps."""
    claim = ClaimRetrainOperator(
        task_id="claim",
        name=MODEL,
        policy=POLICY,
        source=LANDING,
        pattern="flights-*.parquet",
        partition=r"flights-(\d{4}-\d{2})\.parquet",
        dataset=DATASET,
        stable_seconds=2,
        only_with_lease=["train"],
    )
    snapshot = SnapshotDatasetOperator.partial(
        task_id="snapshot", dataset=DATASET, time_column="scheduled_departure"
    ).expand_kwargs(partitions_of(claim.output))
    validate = ValidateDataOperator.partial(
        task_id="validate",
        expectations=str(PROJECT / "include/expectations/flights.json"),
        on_failure="quarantine",
        max_quarantine_share=0.05,
        outlets=[data_asset(DATASET)],
    ).expand(dataset=snapshot.output)
    train = TrainModelOperator(
        task_id="train",
        dataset=DATASET,
        estimator=flights_estimator,
        estimator_params={"max_iter": 120},
        target="late",
        id_columns=["flight_id"],
        history="all",
        split="time",
        test_size=0.3,
        random_state=0,
        learning_curve=True,
        cache="{{ 'refresh' if params.force else 'auto' }}",
        renew_lease_of=MODEL,
        policy=POLICY,
        execution_timeout=timedelta(hours=1),
        # Without new files there is nothing to validate, and the newest month is trained on again.
        trigger_rule="none_failed_min_one_success",
    )
    [claim, validate] >> train
    evaluate = EvaluateModelOperator(
        task_id="evaluate",
        model=train.output,
        name=MODEL,
        policy=POLICY,
        mode="{{ 'dry_run' if params.dry_run else 'enforce' }}",
    )
    register = RegisterModelOperator(
        task_id="register", model=train.output, evaluation=evaluate.output, name=MODEL, reason=REASON
    )
    promote = PromoteModelOperator(
        task_id="promote", name=MODEL, version=register.output, reason=REASON, outlets=[model_asset(MODEL)]
    )
    SettleRetrainOperator(
        task_id="settle",
        name=MODEL,
        policy=POLICY,
        claim=claim.output,
        validation=validate.output,
        evaluation=evaluate.output,
        promotion=promote.output,
    ).as_teardown()


flights_training()
