"""From a connection to a store: what wins, and what never shows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from stoker.core.clock import random_id
from stoker.errors import AlreadyExists, ConfigurationError
from stoker.hooks.registry import StokerHook
from stoker.store.memory import MemoryStore
from tests.support.registrations import register

CANARY = "canary-4711-secret"


@pytest.fixture(autouse=True)
def no_database(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("_AIRFLOW_PROCESS_CONTEXT", "client")
    monkeypatch.delenv("AIRFLOW__STOKER__MAX_THREADS", raising=False)  # set for a whole run by the operators' tests


@pytest.fixture
def connect(monkeypatch: pytest.MonkeyPatch) -> Any:
    def define(conn_id: str = "stoker_default", **extra: Any) -> None:
        connection = {"conn_type": "stoker", "login": "user", "password": CANARY, "extra": extra}
        monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", json.dumps(connection))

    return define


def test_without_anything_the_store_lies_in_airflows_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path))
    settings = StokerHook().settings
    assert settings.store == f"file://{tmp_path}/stoker"
    assert (settings.aws_conn_id, settings.max_threads, settings.trusted_types) == ("aws_default", 2, ())


def test_the_configuration_wins_over_the_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__STOKER__STORE_URI", "memory://configured")
    monkeypatch.setenv("AIRFLOW__STOKER__MAX_THREADS", "5")
    monkeypatch.setenv("AIRFLOW__STOKER__TRUSTED_TYPES", "mypkg.Clip mypkg.Cut")
    settings = StokerHook().settings
    assert (settings.store, settings.max_threads) == ("memory://configured", 5)
    assert settings.trusted_types == ("mypkg.Clip", "mypkg.Cut")


def test_the_connection_wins_over_the_configuration(connect: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__STOKER__STORE_URI", "memory://configured")
    monkeypatch.setenv("AIRFLOW__STOKER__MAX_THREADS", "5")
    connect(store="memory://connected", trusted_types="")
    settings = StokerHook().settings
    assert (settings.store, settings.max_threads, settings.trusted_types) == ("memory://connected", 5, ())


def test_a_store_that_is_given_wins_over_everything(connect: Any) -> None:
    connect(store="memory://connected", max_threads=3)
    hook = StokerHook(store="memory://given")
    assert (hook.settings.store, hook.settings.max_threads) == ("memory://given", 3)
    assert hook.get_conn().uri == "memory://given"


def test_a_connection_other_than_the_default_must_exist() -> None:
    with pytest.raises(ConfigurationError, match="'elsewhere'"):
        _ = StokerHook("elsewhere").settings


def test_secrets_of_the_connection_are_in_no_message(connect: Any) -> None:
    connect("models", store="memory://x", passwort=CANARY)
    hook = StokerHook("models")
    with pytest.raises(ConfigurationError, match="passwort") as refused:
        _ = hook.settings
    assert CANARY not in f"{refused.value!r} {refused.value.details}"
    ok, message = hook.test_connection()
    assert (ok, CANARY in message) == (False, False)


def test_a_store_address_with_a_password_is_refused_without_repeating_it(connect: Any) -> None:
    connect("models", store=f"s3://key:{CANARY}@bucket/prefix")
    ok, message = StokerHook("models").test_connection()
    assert (ok, CANARY in message) == (False, False)


def test_an_extra_that_is_no_json_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_MODELS", json.dumps({"conn_type": "stoker", "extra": f"[{CANARY}"}))
    with pytest.raises(ConfigurationError, match="JSON object") as refused:
        _ = StokerHook("models").settings
    assert refused.value.__cause__ is None
    ok, message = StokerHook("models").test_connection()
    assert (ok, CANARY in message) == (False, False)


def test_the_registry_works_over_the_hooks_store(connect: Any) -> None:
    connect(store=f"memory://{random_id()}")
    hook = StokerHook()
    register(hook.registry)
    assert hook.registry.models() == ["churn"]
    assert hook.registry.store is hook.get_conn()


def test_a_good_connection_passes_its_test(connect: Any, tmp_path: Path) -> None:
    connect(store=tmp_path.as_uri())
    ok, message = StokerHook().test_connection()
    assert ok
    assert tmp_path.as_uri() in message


def test_a_store_that_replaces_objects_fails_the_test(connect: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def replace(self: MemoryStore, key: str, data: bytes, real: Any = MemoryStore.create) -> None:
        try:
            real(self, key, data)
        except AlreadyExists:
            self.delete_swept(key)
            real(self, key, data)

    monkeypatch.setattr(MemoryStore, "create", replace)
    connect(store=f"memory://{random_id()}")
    ok, message = StokerHook().test_connection()
    assert not ok
    assert "absent" in message


def test_s3_gets_one_attempt_from_either_client(connect: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", json.dumps({"conn_type": "aws", "login": "k", "password": CANARY}))
    connect(store="s3://bucket/prefix", expected_bucket_owner="123456789012")
    for client in (StokerHook().s3_client(), _without_provider(monkeypatch)):
        assert client.meta.config.retries["total_max_attempts"] == 1
    assert StokerHook().get_conn().uri == "s3://bucket/prefix"


def _without_provider(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setitem(__import__("sys").modules, "airflow.providers.amazon.aws.hooks.s3", None)
    return StokerHook().s3_client()


def test_missing_aws_credentials_are_told_as_such(connect: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    connect(store="s3://bucket/prefix", aws_conn_id="nowhere")
    ok, message = StokerHook().test_connection()
    assert not ok
    assert "credentials" in message
