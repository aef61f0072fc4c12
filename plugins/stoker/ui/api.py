"""The JSON API under ``/api/v1``: what the pages show, for programs. What changes something is in :mod:`stoker.ui.api_changes`."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute

from stoker import __version__
from stoker.core.names import parse_version
from stoker.ui import api_changes
from stoker.ui import views as shown
from stoker.ui.api_models import ErrorAnswer, LoginAnswer, ModelName, NumberText
from stoker.ui.context import Context

PREFIX = "/api/v1"

NumberQuery = Annotated[int, Query(ge=1, lt=2**31)]
Before = Annotated[
    int | None, Query(ge=1, lt=2**63, description="Only what lies before this number: `next` of the page before.")
]
Limit = Annotated[int, Query(ge=1, le=200, description="How many at most.")]

ERRORS: dict[int | str, dict[str, Any]] = {
    400: {"model": ErrorAnswer, "description": "The request is wrong as it stands."},
    401: {"model": LoginAnswer, "description": "Airflow does not know who is calling."},
    403: {"model": ErrorAnswer | LoginAnswer, "description": "Not allowed to the one who is calling."},
    404: {"model": ErrorAnswer, "description": "No such model, version or document."},
    409: {"model": ErrorAnswer, "description": "The verdict, or what somebody else did first, stands against it."},
    500: {"model": ErrorAnswer, "description": "What is stored is damaged, or Stoker is in error."},
    503: {"model": ErrorAnswer, "description": "The store does not answer. The same request may succeed later."},
}


def router(context: Context) -> APIRouter:
    """The routes."""
    routes = APIRouter(prefix=PREFIX, responses=ERRORS)
    _list(routes, context)
    _describe_model(routes, context)
    _describe_loop(routes, context)
    routes.include_router(api_changes.router(context))

    @routes.get("/openapi.json", include_in_schema=False)
    def openapi(request: Request) -> dict[str, Any]:
        return describe(request)

    return routes


def describe(request: Request) -> dict[str, Any]:
    """The API in the words of OpenAPI."""
    own = [route for route in request.app.routes if isinstance(route, APIRoute) and route.path.startswith(PREFIX)]
    schema = get_openapi(
        title="Stoker", version=__version__, routes=own, description=__doc__.split("\n", maxsplit=1)[0]
    )
    schema["servers"] = [{"url": request.scope.get("root_path", "") or "/"}]
    # Said here for all: what Airflow's own dependencies say is where its login page lies.
    schema.setdefault("components", {})["securitySchemes"] = {
        "token": {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "JWT",
            "description": "From Airflow's /auth/token.",
        },
        "session": {
            "type": "apiKey",
            "in": "cookie",
            "name": "_token",
            "description": "Of somebody logged in to Airflow.",
        },
    }
    for unused in ("HTTPValidationError", "ValidationError"):
        schema["components"].get("schemas", {}).pop(unused, None)
    for methods in schema["paths"].values():
        for operation in methods.values():
            operation["security"] = [{"token": []}, {"session": []}]
            operation["responses"].pop("422", None)  # FastAPI's own; ours is 400
    return schema


def _list(routes: APIRouter, context: Context) -> None:
    @routes.get("/models", summary="List models with their champions and the state of their loops")
    def models(
        search: Annotated[str, Query(max_length=63, description="A part of the name.")] = "",
        state: Annotated[str | None, Query(max_length=20, description="Only models in this state.")] = None,
        after: Annotated[str, Query(max_length=63, description="`next` of the page before.")] = "",
        limit: Limit = 25,
    ) -> shown.Overview:
        return context.views().overview(search=search, state=state, after=after, limit=limit)

    @routes.get("/attention", summary="List models that need a person, and what to do")
    def attention(limit: Limit = 20) -> shown.Attention:
        return context.views().attention(limit=limit)

    @routes.get("/documents/{digest}", summary="Read a stored document: an evaluation, a validation, a drift check …")
    def document(digest: str) -> shown.DocumentView:
        return context.views().document(digest)


def _describe_model(routes: APIRouter, context: Context) -> None:
    @routes.get("/models/{name}", summary="Describe a model")
    def model(name: ModelName) -> shown.ModelView:
        return context.views().model(name)

    @routes.get("/models/{name}/versions", summary="List versions, newest first")
    def versions(name: ModelName, before: Before = None, limit: Limit = 50) -> shown.VersionsPage:
        return context.views().versions(name, before=before, limit=limit)

    @routes.get("/models/{name}/versions/{number}", summary="Describe a version and what it was made of")
    def version(name: ModelName, number: NumberText) -> shown.VersionView:
        return context.views().version(name, parse_version(number))

    @routes.get("/models/{name}/compare", summary="Compare two versions")
    def compare(name: ModelName, left: NumberQuery, right: NumberQuery) -> shown.ComparisonView:
        return context.views().compare(name, left, right)

    @routes.get("/models/{name}/lineage", summary="Tell where a version comes from and what it predicted")
    def lineage(name: ModelName, number: NumberQuery | None = None) -> shown.LineageView:
        return context.views().lineage(name, number)

    @routes.get("/models/{name}/champions", summary="Tell who was champion when, and why")
    def champions(name: ModelName, limit: Limit = 50) -> shown.ChampionHistory:
        return context.views().champions(name, limit=limit)

    @routes.get("/models/{name}/history", summary="Read the audit log, newest first")
    def history(name: ModelName, before: Before = None, limit: Limit = 50) -> shown.HistoryPage:
        return context.views().history(name, before=before, limit=limit)


def _describe_loop(routes: APIRouter, context: Context) -> None:
    @routes.get("/models/{name}/quality", summary="Tell the quality over versions and over monitored windows")
    def quality(name: ModelName, versions: Limit = 60, windows: Limit = 60) -> shown.QualityView:
        return context.views().quality(name, versions=versions, windows=windows)

    @routes.get("/models/{name}/drift", summary="Tell which columns drifted in which windows")
    def drift(name: ModelName, windows: Limit = 30) -> shown.DriftMap:
        return context.views().drift(name, windows=windows)

    @routes.get("/models/{name}/why", summary="Tell why the loop trained, or did not")
    def why(name: ModelName, limit: Limit = 20) -> shown.WhyView:
        return context.views().why(name, limit=limit)
