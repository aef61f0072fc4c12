"""The Airflow plugin: Stoker's pages and its links. Loaded by every Airflow process, so it imports next to nothing."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from airflow.plugins_manager import AirflowPlugin

from stoker.links import VerdictLink

_TABS = "/stoker/tabs/dags/{DAG_ID}"
_STATIC = "/stoker/static"


def _view(name: str, destination: str, href: str, *, route: str, icon: str) -> dict[str, Any]:
    """One page in a frame of Airflow's.

    :param href: Airflow fills in ``{DAG_ID}``, ``{RUN_ID}``, ``{TASK_ID}`` and ``{MAP_INDEX}``; one that does not apply stays as it is.
    :param route: the end of the address under which Airflow shows it.
    """
    return {
        "name": name,
        "destination": destination,
        "href": href,
        "url_route": route,
        "icon": f"{_STATIC}/icons/{icon}.svg",
        "icon_dark_mode": f"{_STATIC}/icons/{icon}-dark.svg",
    }


class StokerPlugin(AirflowPlugin):
    """Registers the pages under ``/stoker``: *Models* in the navigation, tabs on DAGs, runs and tasks, and a card on Airflow's home page.

    When a single entry is not as Airflow wants it, Airflow shows none of them and says nothing.
    """

    name = "stoker"
    operator_extra_links = [VerdictLink()]  # noqa: RUF012 - read by Airflow, changed by nobody
    external_views = [  # noqa: RUF012
        _view("Models", "nav", "/stoker/", route="stoker-models", icon="models") | {"nav_top_level": True},
        _view("Model", "dag", _TABS, route="stoker-model", icon="models"),
        _view("Verdicts", "dag_run", f"{_TABS}/runs/{{RUN_ID}}", route="stoker-verdicts", icon="verdicts"),
        _view("Report", "task", f"{_TABS}/tasks/{{TASK_ID}}", route="stoker-task", icon="report"),
        _view(
            "Report",
            "task_instance",
            f"{_TABS}/runs/{{RUN_ID}}/tasks/{{TASK_ID}}?map_index={{MAP_INDEX}}",
            route="stoker-report",
            icon="report",
        ),
    ]
    react_apps = [  # noqa: RUF012
        {
            "name": "StokerAttention",
            "destination": "dashboard",
            "bundle_url": f"{_STATIC}/dashboard/attention.js",
            "url_route": "stoker-attention",
        },
    ]

    @cached_property
    def fastapi_apps(self) -> list[dict[str, Any]]:  # type: ignore[override]  # built on first access: only the API server asks
        """The web application."""
        from stoker.ui.app import airflow_app

        return [{"app": airflow_app(), "url_prefix": "/stoker", "name": "Stoker"}]
