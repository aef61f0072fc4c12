"""The smallest whole loop: one file in, a champion out. The README quotes it."""

from __future__ import annotations

from pathlib import Path

from flights_estimator import flights_estimator

FILE = str(Path(__file__).resolve().parents[1] / "include/data/flights/flights-2013-01.parquet")
LABELLED = {"type": "expect_column_values_to_not_be_null", "kwargs": {"column": "late"}, "severity": "critical"}

# [quickstart]
from airflow.sdk import dag

from stoker import (
    EvaluateModelOperator,
    PromoteModelOperator,
    RegisterModelOperator,
    SnapshotDatasetOperator,
    TrainModelOperator,
    ValidateDataOperator,
)


@dag(schedule=None, tags=["stoker", "quickstart"])
def quickstart() -> None:
    """Train on one file of flights, and let the model take over if it is better than the champion."""
    data = SnapshotDatasetOperator(
        task_id="snapshot", source=FILE, dataset="quickstart", time_column="scheduled_departure"
    )
    good = ValidateDataOperator(
        task_id="validate", dataset=data.output, expectations=[LABELLED], on_failure="quarantine"
    )
    model = TrainModelOperator(
        task_id="train", dataset=good.output, estimator=flights_estimator, target="late", id_columns=["flight_id"]
    )
    judged = EvaluateModelOperator(
        task_id="evaluate", model=model.output, name="quickstart", thresholds={"roc_auc": {"min": 0.55}}
    )
    version = RegisterModelOperator(task_id="register", model=model.output, evaluation=judged.output, name="quickstart")
    PromoteModelOperator(task_id="promote", name="quickstart", version=version.output)


quickstart()
# [/quickstart]
