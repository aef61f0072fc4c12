"""Scoring shared out among mapped tasks, by the model that a run is told of."""

from __future__ import annotations

from airflow.sdk import dag

from stoker import BatchPredictOperator, MergePredictionsOperator, PlanPredictionsOperator

MODEL = "{{ dag_run.conf['model'] }}@champion"


@dag(schedule=None, max_active_tasks=64)
def bench_score() -> None:
    """Plan, score one partition a task, put together."""
    plan = PlanPredictionsOperator(task_id="plan", model=MODEL, dataset="bench", max_tasks=50)
    predict = BatchPredictOperator.partial(task_id="predict", model=MODEL, id_columns=["id"]).expand(
        dataset=plan.output
    )
    MergePredictionsOperator(task_id="merge", predictions=predict.output)


bench_score()
