"""The web application under ``/stoker``: pages and an API over the registry. It never opens a model file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Response
from fastapi.staticfiles import StaticFiles

from stoker.registry.registry import Registry
from stoker.ui import api, pages, pages_versions, reports_routes, tabs
from stoker.ui.access import OPEN, Access
from stoker.ui.context import Context
from stoker.ui.failures import tell_failures
from stoker.ui.headers import ProtectiveHeaders
from stoker.ui.turns import in_turn
from stoker.ui.webhook import PATH, webhook

_STATIC = Path(__file__).parent / "static"
_ASSETS = Path(__file__).parents[1] / "reports" / "assets"
_ROUTERS = (pages, pages_versions, reports_routes, tabs, api)


class _Files(StaticFiles):
    """Files that hold no data: a browser may keep them, and asks each time whether they are still the same."""

    def file_response(self, *args: Any, **extra: Any) -> Response:
        """As Starlette's own, with the header."""
        response = super().file_response(*args, **extra)
        response.headers["Cache-Control"] = "private, no-cache"
        return response


def create_app(
    get_registry: Callable[[], Registry],
    *,
    access: Access = OPEN,
    get_secrets: Callable[[], Sequence[str]] = tuple,
) -> FastAPI:
    """Build the application.

    :param get_registry: returns the registry to show; asked at every request. What was read is remembered as long as it returns the
        same object.
    :param access: the login that everything but style sheets, scripts and the webhook stands behind.
    :param get_secrets: what callers of the webhook must know; see :func:`stoker.ui.webhook.webhook`. By default it is closed.
    """
    app = FastAPI(title="Stoker", docs_url=None, redoc_url=None, openapi_url=None)
    context = Context(get_registry, access)
    app.add_middleware(ProtectiveHeaders)
    tell_failures(app, context)
    app.mount("/static", _Files(directory=_STATIC), name="static")
    app.mount("/assets", _Files(directory=_ASSETS), name="assets")
    guards = [*access.look, in_turn()]
    for module in _ROUTERS:
        app.include_router(module.router(context), dependencies=guards)
    # Starlette's own way of adding a route, which leaves FastAPI's dependencies out: machines have no login.
    app.add_route(PATH, webhook(get_registry, get_secrets), methods=["POST"])
    return app


def airflow_app() -> FastAPI:
    """The application as the Airflow plugin mounts it: behind Airflow's login, over the default connection."""
    from stoker.hooks.remembered import RememberedRegistry
    from stoker.hooks.webhook_secrets import webhook_secrets
    from stoker.ui.auth import airflow_access

    return create_app(RememberedRegistry(), access=airflow_access(), get_secrets=webhook_secrets)
