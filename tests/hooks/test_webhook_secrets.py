"""What callers of the webhook must know: from a connection, and in no message."""

from __future__ import annotations

import json

import pytest

from stoker.errors import ConfigurationError
from stoker.hooks.webhook_secrets import webhook_secrets

CANARY = "canary-4711-webhook-secret"


@pytest.fixture(autouse=True)
def no_database(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("_AIRFLOW_PROCESS_CONTEXT", "client")


def configure(monkeypatch: pytest.MonkeyPatch, password: str | None) -> None:
    monkeypatch.setenv("AIRFLOW__STOKER__WEBHOOK_CONN_ID", "alerts")
    monkeypatch.setenv("AIRFLOW_CONN_ALERTS", json.dumps({"conn_type": "generic", "password": password}))


def test_without_a_connection_there_is_no_secret() -> None:
    assert webhook_secrets() == ()


def test_the_password_of_the_connection_is_the_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    configure(monkeypatch, CANARY)
    assert webhook_secrets() == (CANARY,)


def test_two_secrets_hold_while_one_replaces_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    configure(monkeypatch, f"{CANARY}-new {CANARY}-old")
    assert webhook_secrets() == (f"{CANARY}-new", f"{CANARY}-old")


@pytest.mark.parametrize("password", [None, "", "   ", "short-canary-47", f"{CANARY} short-canary-47"])
def test_a_missing_or_short_password_is_refused_without_repeating_it(
    monkeypatch: pytest.MonkeyPatch, password: str | None
) -> None:
    configure(monkeypatch, password)
    with pytest.raises(ConfigurationError, match="at least 16 characters") as refused:
        webhook_secrets()
    assert "canary" not in f"{refused.value!r} {refused.value.details}"


def test_a_connection_that_does_not_exist_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__STOKER__WEBHOOK_CONN_ID", "nowhere")
    with pytest.raises(ConfigurationError, match="'nowhere'"):
        webhook_secrets()
