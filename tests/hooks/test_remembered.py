"""The registry of a process is found once, found again when the connection changes, and a failure is not kept."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from stoker.errors import ConfigurationError
from stoker.hooks.registry import StokerHook
from stoker.hooks.remembered import AGAIN, RememberedRegistry

START = datetime(2026, 1, 1, tzinfo=UTC)


class Watch:
    """A clock that is set by hand, and a count of the hooks that were made."""

    def __init__(self) -> None:
        self.now = START
        self.hooks = 0

    def clock(self) -> datetime:
        return self.now

    def hook(self) -> StokerHook:
        self.hooks += 1
        return StokerHook()


@pytest.fixture
def connect(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("_AIRFLOW_PROCESS_CONTEXT", "client")

    def define(conn_id: str = "stoker_default", *, password: str = "one", **extra: Any) -> None:
        connection = {"conn_type": "stoker", "password": password, "extra": extra}
        monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", json.dumps(connection))

    define(store="memory://first")
    return define


def test_the_connection_is_looked_up_once_in_its_time(connect: Any) -> None:
    watch = Watch()
    remembered = RememberedRegistry(watch.hook, clock=watch.clock)
    first = remembered()
    watch.now += AGAIN - timedelta(microseconds=1)
    assert remembered() is first
    assert watch.hooks == 1


def test_the_registry_stays_the_same_object_while_the_connection_says_the_same(connect: Any) -> None:
    watch = Watch()
    remembered = RememberedRegistry(watch.hook, clock=watch.clock)
    first = remembered()
    watch.now += AGAIN
    assert remembered() is first
    assert watch.hooks == 2


def test_another_store_in_the_connection_is_another_registry(connect: Any) -> None:
    watch = Watch()
    remembered = RememberedRegistry(watch.hook, clock=watch.clock)
    first = remembered()
    connect(store="memory://second")
    assert remembered() is first
    watch.now += AGAIN
    assert remembered().store.uri == "memory://second"


def test_other_credentials_for_the_same_bucket_are_another_registry(connect: Any) -> None:
    connect(store="s3://bucket/models", aws_conn_id="cloud")
    connect("cloud", password="old")
    before = StokerHook().identity()
    assert StokerHook().identity() == before
    connect("cloud", password="new")
    assert StokerHook().identity() != before


def test_a_store_that_is_no_bucket_asks_for_no_credentials(connect: Any) -> None:
    connect(store="memory://first", aws_conn_id="cloud")
    hook = StokerHook()
    assert hook.identity() == (hook.settings,)


def test_an_aws_connection_that_does_not_exist_is_no_failure(connect: Any) -> None:
    connect(store="s3://bucket/models", aws_conn_id="nowhere")
    hook = StokerHook()
    assert hook.identity() == (hook.settings,)


def test_a_failure_is_told_every_time_and_remembered_never(connect: Any) -> None:
    connect(store="memory://first", unknown_setting=1)
    remembered = RememberedRegistry()
    for _ in range(2):
        with pytest.raises(ConfigurationError, match="unknown_setting"):
            remembered()
    connect(store="memory://first")
    assert remembered().store.uri == "memory://first"


def test_a_failure_later_does_not_bring_back_what_held_before(connect: Any) -> None:
    watch = Watch()
    remembered = RememberedRegistry(watch.hook, clock=watch.clock)
    remembered()
    connect(store="memory://first", unknown_setting=1)
    watch.now += AGAIN
    with pytest.raises(ConfigurationError):
        remembered()
