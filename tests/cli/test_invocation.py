"""Where the command line finds its store."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from stoker.cli.invocation import Invocation
from stoker.errors import ConfigurationError


@pytest.fixture(autouse=True)
def no_store(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("STOKER_STORE", raising=False)
    monkeypatch.setenv("_AIRFLOW_PROCESS_CONTEXT", "client")  # this test process has no database


def test_the_option_wins_over_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STOKER_STORE", "memory://variable")
    assert Invocation(store_uri="memory://option").store.uri == "memory://option"
    assert Invocation().store.uri == "memory://variable"
    assert (Invocation(store_uri="memory://option").source, Invocation().source) == ("--store", "STOKER_STORE")


def test_without_either_airflow_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__STOKER__STORE_URI", tmp_path.as_uri())
    invocation = Invocation()
    assert invocation.store.uri == tmp_path.as_uri()
    assert "stoker_default" in invocation.source


def test_a_named_connection_wins_over_the_variable_and_gives_its_trust(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    extra = f'{{"conn_type": "stoker", "extra": {{"store": "{tmp_path.as_uri()}", "trusted_types": "mypkg.Clip"}}}}'
    monkeypatch.setenv("AIRFLOW_CONN_MODELS", extra)
    monkeypatch.setenv("STOKER_STORE", "memory://variable")
    invocation = Invocation(conn_id="models")
    assert invocation.store.uri == tmp_path.as_uri()
    assert invocation.trusted_types == ("mypkg.Clip",)
    assert "models" in invocation.source
    assert Invocation(conn_id="models", store_uri="memory://option").store.uri == "memory://option"
    assert Invocation().trusted_types == ()


def test_without_airflow_a_store_must_be_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ConfigurationError, match="--store"):
        _ = Invocation().store
