"""Airflow's simple login without a database, and tokens of every kind that it must take or refuse."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import jwt
import pytest
from airflow.api_fastapi.app import create_auth_manager
from airflow.api_fastapi.auth.managers.simple.simple_auth_manager import SimpleAuthManager
from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser
from airflow.models.revoked_token import RevokedToken

SECRET = "s" * 64
ROLES = ("VIEWER", "USER", "OP", "ADMIN")


@contextmanager
def simple_login() -> Iterator[SimpleAuthManager]:
    """Airflow's auth manager, made as the API server makes it."""
    patch = pytest.MonkeyPatch()
    patch.setenv("AIRFLOW__API_AUTH__JWT_SECRET", SECRET)
    # The one look at the database, whether a token was revoked; there is no database here, and no logout.
    patch.setattr(RevokedToken, "is_revoked", staticmethod(lambda jti: False))
    try:
        yield create_auth_manager()
    finally:
        patch.undo()


def token(manager: SimpleAuthManager, role: str | None, *, name: str = "someone", seconds: int = 600) -> str:
    """A token of Airflow's for a user of this role."""
    user = SimpleAuthManagerUser(username=name, role=role)
    return manager.generate_jwt(user, expiration_time_in_seconds=seconds)


def for_another_audience(good: str) -> str:
    """The same token, rightly signed, but meant for another service."""
    claims = jwt.decode(good, options={"verify_signature": False})
    algorithm = jwt.get_unverified_header(good)["alg"]
    return jwt.encode({**claims, "aud": "urn:elsewhere"}, SECRET, algorithm=algorithm)
