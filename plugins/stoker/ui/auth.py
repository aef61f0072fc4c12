"""The one file that touches Airflow's own login."""

from __future__ import annotations

from typing import Any

from airflow.api_fastapi.auth.managers.models.resource_details import AccessView
from airflow.api_fastapi.core_api.security import requires_access_view
from fastapi import Depends


def may_look() -> list[Any]:
    """The dependency that every page of ours stands behind.

    Airflow mounts a plugin's application without any of its own checks. When these imports fail, because a later
    Airflow moved them, the application is not built at all: closed is the safe state.
    """
    return [Depends(requires_access_view(AccessView.PLUGINS))]
