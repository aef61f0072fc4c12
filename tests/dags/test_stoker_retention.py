"""The reference DAG that gives up what nothing needs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from stoker import Registry, open_store
from stoker.store.documents import put_bytes
from stoker.store.rounds import open_round
from tests.dags.conftest import returned, states
from tests.support.registrations import register


def test_a_run_plans_and_a_run_that_is_told_to_sweeps(
    parsed: Callable[[str], Any], run: Callable[..., Any], store_uri: str
) -> None:
    store = open_store(store_uri)
    register(Registry(store))
    put_bytes(store, b"needed by nothing")
    dag = parsed("stoker_retention").stoker_retention()
    planned = run(dag)
    assert states(planned) == {"retain": "success"}
    assert returned(planned, "retain") == {"unneeded": 1, "bytes": len("needed by nothing"), "expired": 0}
    assert open_round(store) is None
    assert returned(run(dag, sweep=True), "retain") == {"removed": 0, "bytes": 0, "condemned": 1}
    assert open_round(store) is not None
