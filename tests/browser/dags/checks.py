"""Steps in every state that a run can leave them in: mapped, failed, not run; and one that is not Stoker's."""

from __future__ import annotations

import os
from pathlib import Path

from airflow.sdk import dag, task

from stoker import SnapshotDatasetOperator, TrainModelOperator, ValidateDataOperator

FILES = [str(path) for path in sorted(Path(os.environ.get("CHECKED_FOLDER", "/nowhere")).glob("*.csv"))]
AT_LEAST = {"type": "expect_table_row_count_to_be_between", "kwargs": {"min_value": 3}}


@dag(schedule=None)
def checks() -> None:
    """Take files in, of which one is too short."""

    @task
    def greet() -> str:
        return "<b>hello</b>"

    data = SnapshotDatasetOperator.partial(task_id="snapshot", dataset="checked").expand(source=FILES)
    good = ValidateDataOperator.partial(task_id="validate", expectations=[AT_LEAST]).expand(dataset=data.output)
    greet() >> data
    TrainModelOperator(
        task_id="train",
        dataset=good.output,
        estimator="sklearn.dummy:DummyClassifier",
        target="late",
        id_columns=["id"],
    )


@dag(schedule=None)
def foreign() -> None:
    """Nothing of this is Stoker's."""

    @task
    def greet() -> str:
        return "<b>hello</b>"

    greet()


checks()
foreign()
