"""The Airflow plugin: Stoker's pages and its links. Loaded by every Airflow process, so it imports next to nothing."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from airflow.plugins_manager import AirflowPlugin

from stoker.links import VerdictLink


class StokerPlugin(AirflowPlugin):
    """Registers the pages under ``/stoker`` and the entry *Models* in the navigation."""

    name = "stoker"
    operator_extra_links = [VerdictLink()]  # noqa: RUF012 - read by Airflow, changed by nobody
    external_views = [  # noqa: RUF012
        {
            "name": "Models",
            "href": "/stoker/",
            "destination": "nav",
            "category": "browse",
            "url_route": "stoker-models",
        },
    ]

    @cached_property
    def fastapi_apps(self) -> list[dict[str, Any]]:  # type: ignore[override]  # built on first access: only the API server asks
        """The web application."""
        from stoker.ui.app import airflow_app

        return [{"app": airflow_app(), "url_prefix": "/stoker", "name": "Stoker"}]
