"""The DAG that the README quotes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from stoker import Registry, open_store
from tests.dags.conftest import states


def test_one_file_becomes_a_champion_and_a_second_run_changes_nothing(run: Callable[..., Any], store_uri: str) -> None:
    import quickstart

    for _ in range(2):
        assert set(states(run(quickstart.quickstart())).values()) == {"success"}
    registry = Registry(open_store(store_uri))
    assert registry.aliases("quickstart") == {"champion": 1}
    assert registry.state("quickstart").versions == 1
