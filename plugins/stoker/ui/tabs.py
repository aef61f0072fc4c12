"""The tabs on Airflow's pages of a DAG, a run, a task and a task instance.

Each is a shell without data. A script fills it from Airflow's own REST API as the person who looks, so that Airflow decides what they may
see of a DAG.
"""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse

from stoker.ui.context import Context


def router(context: Context) -> APIRouter:
    """The routes that ``stoker.plugin`` names to Airflow."""
    routes = APIRouter(prefix="/tabs", default_response_class=HTMLResponse)

    @routes.get("/dags/{dag_id}")
    def dag(request: Request, dag_id: str) -> Response:
        return context.page(request, "tab_dag.html", dag_id=dag_id)

    @routes.get("/dags/{dag_id}/runs/{run_id}")
    def run(request: Request, dag_id: str, run_id: str) -> Response:
        return context.page(request, "tab_run.html", dag_id=dag_id, run_id=run_id)

    @routes.get("/dags/{dag_id}/tasks/{task_id}")
    def task(request: Request, dag_id: str, task_id: str) -> Response:
        return context.page(request, "tab_task.html", dag_id=dag_id, task_id=task_id)

    @routes.get("/dags/{dag_id}/runs/{run_id}/tasks/{task_id}")
    def task_instance(request: Request, dag_id: str, run_id: str, task_id: str, map_index: str = "") -> Response:
        return context.page(
            request, "tab_task.html", dag_id=dag_id, run_id=run_id, task_id=task_id, map_index=_map_index(map_index)
        )

    return routes


def _map_index(text: str) -> int:
    """Airflow leaves the placeholder ``{MAP_INDEX}`` as it stands where a task is not mapped."""
    return int(text) if text.isascii() and text.isdigit() else -1
