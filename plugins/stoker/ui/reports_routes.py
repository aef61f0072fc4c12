"""Reports and model cards, each a file of its own, whose scripts run in a sandbox without an origin."""

from __future__ import annotations

import secrets
from typing import Any

from fastapi import APIRouter, Response
from fastapi.responses import HTMLResponse

from stoker.core.names import parse_version
from stoker.reports import card, render
from stoker.ui.context import Context
from stoker.ui.headers import REPORT_POLICY

_POLICY = (
    "sandbox allow-scripts; default-src 'none'; script-src 'nonce-{nonce}'; style-src 'unsafe-inline'; img-src data:; "
    "connect-src 'none'; form-action 'none'; base-uri 'none'; frame-ancestors 'self'"
)


def router(context: Context) -> APIRouter:
    """The routes. Each takes ``theme`` (``light`` or ``dark``), and ``download`` to be kept as a file."""
    reports = APIRouter(default_response_class=HTMLResponse)

    def read(digest: str) -> dict[str, Any]:
        content: dict[str, Any] = context.views().document(digest).content
        return content

    @reports.get("/documents/{digest}/report")
    def report(digest: str, theme: str | None = None, download: bool = False) -> Response:
        document, nonce = read(digest), _nonce()
        content = render.report(document, digest=digest, read=read, theme=theme, nonce=nonce)
        return _answer(content, _POLICY.format(nonce=nonce), f"{document['kind']}-{digest[:12]}", download=download)

    @reports.get("/documents/{digest}/evidently")
    def evidently(digest: str, download: bool = False) -> Response:
        return _answer(context.views().evidently(digest), REPORT_POLICY, f"evidently-{digest[:12]}", download=download)

    @reports.get("/models/{name}/versions/{number}/card")
    def version_card(name: str, number: str, theme: str | None = None, download: bool = False) -> Response:
        registry, nonce = context.registry(), _nonce()
        version = registry.version(name, parse_version(number))
        content = card.card(version, entries=card.entries_of(registry, version), read=read, theme=theme, nonce=nonce)
        return _answer(content, _POLICY.format(nonce=nonce), f"{name}-v{version.number}", download=download)

    return reports


def _nonce() -> str:
    return secrets.token_urlsafe(16)


def _answer(content: str | bytes, policy: str, name: str, *, download: bool) -> Response:
    """A file of ours. ``name`` is made of checked names and digests, so that it is safe in a header."""
    headers = {"Content-Security-Policy": policy}
    if download:
        headers["Content-Disposition"] = f'attachment; filename="{name}.html"'
    return HTMLResponse(content, headers=headers)
