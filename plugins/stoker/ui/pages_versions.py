"""The pages of one version, of two side by side, and of a document."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse

from stoker.core.names import parse_version
from stoker.ui.access import Person
from stoker.ui.context import Context


def router(context: Context) -> APIRouter:
    """The routes."""
    pages = APIRouter(default_response_class=HTMLResponse)

    @pages.get("/models/{name}/versions/{number}")
    def version(request: Request, name: str, number: str, person: Person = context.person) -> Response:
        views = context.views()
        found, model = views.version(name, parse_version(number)), views.model(name)
        may_act = person.may_act(model.dag_id)
        return context.page(request, "version.html", person=person, model=model, version=found, may_act=may_act)

    @pages.get("/models/{name}/compare")
    def compare(request: Request, name: str, left: str, right: str, person: Person = context.person) -> Response:
        views = context.views()
        found, model = views.compare(name, parse_version(left), parse_version(right)), views.model(name)
        may_act = person.may_act(model.dag_id)
        return context.page(request, "compare.html", person=person, model=model, comparison=found, may_act=may_act)

    @pages.get("/documents/{digest}")
    def document(request: Request, digest: str, person: Person = context.person) -> Response:
        return context.page(request, "document.html", person=person, document=context.views().document(digest))

    return pages
