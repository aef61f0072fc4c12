"""Many months at once: score all that the champion has not scored yet, side by side on as many workers as there are.

The daily ``flights_monitoring`` scores the one month that landed, in one task. Trigger this one when there are many: after a
backfill, or when a model takes over years of data. One task decides the version and the months of the run, each mapped task
scores its share, and one more puts the result together, so that a run emits one event however many tasks it had.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import Param, dag

from stoker import BatchPredictOperator, MergePredictionsOperator, PlanPredictionsOperator, predictions_asset

MODEL, DATASET = "flights_late", "flights"


@dag(
    schedule=None,
    max_active_runs=1,
    tags=["stoker", MODEL],
    params={
        "max_tasks": Param(
            12,
            type="integer",
            minimum=1,
            maximum=50,
            title="Tasks",
            description="Over how many tasks the months are shared out; how many of them run at once is up to Airflow.",
        )
    },
    default_args={"owner": "ml-platform", "retries": 2, "retry_delay": timedelta(minutes=1)},
    doc_md=__doc__,
)
def flights_scoring() -> None:
    """Wire the steps."""
    plan = PlanPredictionsOperator(
        task_id="plan",
        model=f"{MODEL}@champion",
        dataset=DATASET,
        shadow="previous",
        max_tasks="{{ params.max_tasks }}",
    )
    predict = BatchPredictOperator.partial(
        task_id="predict",
        model=f"{MODEL}@champion",
        id_columns=["flight_id"],
        map_index_template="{{ task.dataset['label'] }}",  # the grid shows the months instead of numbers
    ).expand(dataset=plan.output)
    MergePredictionsOperator(task_id="merge", predictions=predict.output, outlets=[predictions_asset(MODEL)])


flights_scoring()
