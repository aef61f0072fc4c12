"""What all routes share: the registry of the moment, the views of it, the person, and the look of a page."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from fastapi import Depends, Request, Response
from fastapi.templating import Jinja2Templates

from stoker import __version__
from stoker.registry.registry import Registry
from stoker.reports.text import OUTCOMES
from stoker.ui import actions
from stoker.ui.access import Access, Person
from stoker.ui.views import Views
from stoker.ui.views.places import task_place

_TEMPLATES = Path(__file__).parent / "templates"


class Context:
    """One per application. A router is a function ``router(context) -> APIRouter``, whose routes ask it.

    :param get_registry: returns the registry to show. It is asked once a request or more often, so it should be quick.
    :param access: the login.
    """

    person: Any
    """The person of the request, as a default value: ``def page(request: Request, person: Person = context.person)``."""

    def __init__(self, get_registry: Callable[[], Registry], access: Access) -> None:
        self.registry = get_registry
        self.templates = Jinja2Templates(_TEMPLATES)
        self.templates.env.globals |= {"stoker_version": __version__, "actions": actions, "OUTCOMES": OUTCOMES}
        self.person = Depends(access.person)
        self._known: tuple[Registry, Views] | None = None

    def views(self) -> Views:
        """The views of the present registry: the same ones for as long as that is the same object, with all that they remember."""
        registry = self.registry()
        known = self._known
        if known is None or known[0] is not registry:
            known = self._known = (registry, Views(registry))
        return known[1]

    def may_act(self, person: Person, model: str) -> bool:
        """Whether the person may change the model: the right to start runs of the DAG that registered its newest version.

        :raises NotFound: when there is no such model.
        """
        newest = next(self.registry().versions(model, limit=1), None)
        task = task_place(newest.actor.origin) if newest is not None else None
        return person.may_act(task.dag_id if task is not None else None)

    def page(
        self, request: Request, template: str, *, person: Person | None = None, status: int = 200, **values: Any
    ) -> Response:
        """A page of ours.

        :param template: its file under ``templates/``.
        :param person: known to the template as ``person``; ``None`` on pages that are the same for everybody.
        :param values: what else the template shows.
        """
        return self.templates.TemplateResponse(request, template, {"person": person, **values}, status_code=status)
