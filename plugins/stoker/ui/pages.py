"""The pages that people begin at: all models, and one model."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse

from stoker.core import clock as time
from stoker.ui.access import Person
from stoker.ui.charts import timeline_chart, versions_chart, windows_chart
from stoker.ui.context import Context
from stoker.ui.views.states import STATES

_MAX_SEARCH = 100
_VERSIONS, _WAKE_UPS, _ENTRIES = 20, 10, 20  # shown at once; the pages that follow have the others


def router(context: Context) -> APIRouter:
    """The routes."""
    pages = APIRouter(default_response_class=HTMLResponse)

    @pages.get("/")
    def models(
        request: Request, search: str = "", state: str = "", after: str = "", person: Person = context.person
    ) -> Response:
        views = context.views()
        search, state = search.strip()[:_MAX_SEARCH], state if state in STATES else ""
        return context.page(
            request,
            "models.html",
            person=person,
            overview=views.overview(search=search, state=state or None, after=after),
            attention=None if search or state or after else views.attention(),
            search=search,
            state=state,
            after=after,
            states=STATES,
            now=time.system_clock(),
        )

    @pages.get("/models/{name}")
    def model(
        request: Request,
        name: str,
        versions_before: int | None = None,
        history_before: int | None = None,
        person: Person = context.person,
    ) -> Response:
        views = context.views()
        found = views.model(name)
        if found.problem:  # its records cannot be trusted, so nothing more is read of them
            return context.page(request, "model.html", person=person, model=found)
        quality, champions, now = views.quality(name), views.champions(name), time.system_clock()
        return context.page(
            request,
            "model.html",
            person=person,
            may_act=person.may_act(found.dag_id),
            model=found,
            quality_charts=[one for one in (versions_chart(quality, champions), windows_chart(quality)) if one],
            champions=champions,
            timeline=timeline_chart(champions, now),
            lineage=views.lineage(name),
            drift=views.drift(name),
            versions=views.versions(name, before=versions_before, limit=_VERSIONS),
            why=views.why(name, limit=_WAKE_UPS),
            history=views.history(name, before=history_before, limit=_ENTRIES),
            now=now,
        )

    return pages
