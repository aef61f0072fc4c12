"""How an error is told: as a page, or as JSON under ``/api``."""

from __future__ import annotations

import logging
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.encoders import jsonable_encoder
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse

from stoker.errors import IntegrityError, NotFound, StokerError, TransportError, UnreadableData, UsageError
from stoker.ui.context import Context
from stoker.ui.headers import HEADERS

log = logging.getLogger(__name__)

API = "/api/"

_ELSEWHERE = "The address must be one that Stoker has; there is nothing here. Go back to the models."
_OTHERWISE = "The address must be asked as Stoker's pages and the description of its API have it; not by this method."
_OURS = "Stoker made a mistake. The log of Airflow's API server has what happened; please report it."


class Refused(Exception):
    """A request that is not carried out, for a reason that lies in the request and not in a model.

    :param status: the HTTP status.
    :param kind: one word for programs.
    """

    def __init__(self, status: int, kind: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.kind = kind
        self.message = message


def status_of(error: StokerError) -> int:
    """The HTTP status that says what the caller can do about an error."""
    if isinstance(error, NotFound):
        return 404
    if isinstance(error, UsageError):
        return 400
    if isinstance(error, TransportError):
        return 503
    return 500 if isinstance(error, IntegrityError | UnreadableData) else 409


def tell_failures(app: FastAPI, context: Context) -> None:
    """Let an application answer errors in our form. Those of Airflow's login keep theirs."""

    def told(request: Request, status: int, kind: str, message: str, details: dict[str, Any] | None = None) -> Response:
        path: str = request.scope["path"]
        if path.removeprefix(request.scope.get("root_path", "")).startswith(API):
            error = {"type": kind, "message": message, "details": jsonable_encoder(details or {})}
            return JSONResponse({"error": error}, status)
        return context.page(request, "error.html", error={"type": kind, "message": message}, status=status)

    @app.exception_handler(StokerError)
    def stokers(request: Request, error: StokerError) -> Response:
        return told(request, status_of(error), type(error).__name__, error.message, error.details)

    @app.exception_handler(Refused)
    def refused(request: Request, error: Refused) -> Response:
        return told(request, error.status, error.kind, error.message)

    @app.exception_handler(RequestValidationError)
    def invalid(request: Request, error: RequestValidationError) -> Response:
        wrong = [{"where": ".".join(map(str, one["loc"])), "what": one["msg"]} for one in error.errors()]
        message = "; ".join(f"{one['where']}: {one['what']}" for one in wrong)
        return told(
            request,
            400,
            "InvalidRequest",
            f"The request must be as the API describes it. {message}.",
            {"problems": wrong},
        )

    @app.exception_handler(404)
    def elsewhere(request: Request, error: Exception) -> Response:
        return told(request, 404, "NotFound", _ELSEWHERE)

    @app.exception_handler(405)
    def otherwise(request: Request, error: Exception) -> Response:
        answer = told(request, 405, "MethodNotAllowed", _OTHERWISE)
        answer.headers.update(getattr(error, "headers", None) or {})
        return answer

    @app.exception_handler(Exception)
    def ours(request: Request, error: Exception) -> Response:
        # Starlette answers this outside of all middleware, so the headers are put on here.
        answer = told(request, 500, "InternalError", _OURS)
        for name, value in HEADERS.items():
            answer.headers.setdefault(name, value)
        return answer
