"""The one file that touches Airflow's own login."""

from __future__ import annotations

import logging
from typing import Any

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.resource_details import AccessView, DagAccessEntity, DagDetails
from airflow.api_fastapi.core_api.security import GetUserDep, requires_access_view
from fastapi import Depends

from stoker.ui.access import Access, Person

log = logging.getLogger(__name__)


def airflow_access() -> Access:
    """Airflow's login: who may see plugins may look, and who may start a model's DAG may act on the model.

    Airflow mounts a plugin's application without any of its own checks. When these imports fail, because a later
    Airflow moved them, the application is not built at all: closed is the safe state.
    """
    return Access((Depends(requires_access_view(AccessView.PLUGINS)),), _person)


def _person(user: GetUserDep) -> Person:
    return Person(user.get_name(), lambda dag_id: _may_start(user, dag_id))


def _may_start(user: Any, dag_id: str | None) -> bool:
    """Whether the user may start runs of a DAG; of all DAGs, for none. No answer means no."""
    details = DagDetails(id=dag_id) if dag_id is not None else None
    try:
        allowed = get_auth_manager().is_authorized_dag(
            method="POST", access_entity=DagAccessEntity.RUN, details=details, user=user
        )
    except Exception:
        log.exception("The auth manager could not say whether the user may start runs of %s.", ascii(dag_id))
        return False
    return allowed is True
