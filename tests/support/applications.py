"""The web application, built once for many tests: describing its routes to FastAPI takes longer than a test."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from fastapi import FastAPI
from fastapi.testclient import TestClient

from stoker.registry.registry import Registry
from stoker.ui.access import OPEN, Access
from stoker.ui.app import create_app


@contextmanager
def client_of(registry: Registry, access: Access = OPEN) -> Iterator[TestClient]:
    """A client of the application over this registry. Errors come as the answers that a browser would get."""
    app, shown = _application(access)
    shown[:] = [registry]
    with TestClient(app, raise_server_exceptions=False) as client:
        yield client


@cache
def _application(access: Access) -> tuple[FastAPI, list[Registry]]:
    shown: list[Registry] = []
    return create_app(lambda: shown[0], access=access), shown
