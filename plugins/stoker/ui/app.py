"""The web application under ``/stoker``: read-only pages over the registry. It never opens a model file."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.responses import HTMLResponse
from fastapi.staticfiles import StaticFiles
from fastapi.templating import Jinja2Templates

from stoker.errors import IntegrityError, NotFound, StokerError, TransportError, UsageError
from stoker.registry.registry import Registry
from stoker.ui.views import describe_model, list_models, read_document, read_report
from stoker.ui.webhook import PATH, webhook

_HERE = Path(__file__).parent
_SHOWN_VERSIONS = 50
# Names and data values come from files that anybody may have written; nothing but our own style sheet may load.
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'self'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "private, no-store",
}

# A report is a page with scripts of its own, made of data values that anybody may have written. In a sandbox without an origin its
# scripts run, but see no cookie, reach no server, and leave the frame in no way.
_REPORT_POLICY = (
    "sandbox allow-scripts; default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval' blob: data:; style-src 'unsafe-inline' data:; "
    "img-src data: blob:; font-src data:; connect-src 'none'; form-action 'none'; base-uri 'none'; frame-ancestors 'self'"
)


def create_app(
    get_registry: Callable[[], Registry],
    *,
    dependencies: Sequence[Any] = (),
    get_secrets: Callable[[], Sequence[str]] = tuple,
) -> FastAPI:
    """Build the application.

    :param get_registry: returns the registry to show; called once a request.
    :param dependencies: what every route but the webhook's stands behind. Empty means open to everybody, which is for tests.
    :param get_secrets: what callers of the webhook must know; see :func:`stoker.ui.webhook.webhook`. By default it is closed.
    """
    app = FastAPI(title="Stoker", dependencies=list(dependencies), docs_url=None, redoc_url=None, openapi_url=None)
    pages = Jinja2Templates(_HERE / "templates")
    app.mount("/static", StaticFiles(directory=_HERE / "static"), name="static")

    @app.middleware("http")
    async def add_headers(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
        response = await call_next(request)
        for name, value in _HEADERS.items():
            response.headers.setdefault(name, value)
        return response

    @app.exception_handler(StokerError)
    def show_error(request: Request, error: StokerError) -> Response:
        return pages.TemplateResponse(request, "error.html", {"error": error}, status_code=_status(error))

    @app.get("/", response_class=HTMLResponse)
    def models(request: Request) -> Response:
        return pages.TemplateResponse(request, "models.html", {"models": list_models(get_registry())})

    @app.get("/models/{name}", response_class=HTMLResponse)
    def model(request: Request, name: str) -> Response:
        page = describe_model(get_registry(), name, limit=_SHOWN_VERSIONS)
        return pages.TemplateResponse(request, "model.html", {"model": page})

    @app.get("/documents/{digest}", response_class=HTMLResponse)
    def document(request: Request, digest: str) -> Response:
        found = read_document(get_registry(), digest)
        return pages.TemplateResponse(request, "document.html", {"digest": digest, "document": found})

    @app.get("/documents/{digest}/report", response_class=HTMLResponse)
    def report(digest: str) -> Response:
        content = read_report(get_registry(), digest)
        return HTMLResponse(content, headers={"Content-Security-Policy": _REPORT_POLICY})

    # Starlette's own way of adding a route, which leaves FastAPI's dependencies out: machines have no login.
    app.add_route(PATH, webhook(get_registry, get_secrets), methods=["POST"])
    return app


def airflow_app() -> FastAPI:
    """The application as the Airflow plugin mounts it: behind Airflow's login, over the default connection."""
    from stoker.hooks.registry import StokerHook
    from stoker.hooks.webhook_secrets import webhook_secrets
    from stoker.ui.auth import may_look

    return create_app(lambda: StokerHook().registry, dependencies=may_look(), get_secrets=webhook_secrets)


def _status(error: StokerError) -> int:
    if isinstance(error, NotFound):
        return 404
    if isinstance(error, UsageError):
        return 400
    if isinstance(error, TransportError):
        return 503
    return 500 if isinstance(error, IntegrityError) else 409
