"""The shells of the tabs. What fills them is tried in a real Airflow, in tests/browser."""

from __future__ import annotations

from html.parser import HTMLParser
from urllib.parse import quote

import pytest
from fastapi.testclient import TestClient

from stoker.registry.registry import Registry
from stoker.store.memory import MemoryStore
from stoker.ui.app import create_app

HOSTILE = '"><script>alert(1)</script>{{ 7*7 }}\u202e'


class Tab(HTMLParser):
    """The attributes of the tab, and the scripts of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.place: dict[str, str | None] = {}
        self.scripts: list[dict[str, str | None]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if given.get("id") == "tab":
            self.place = {
                name.removeprefix("data-"): value for name, value in given.items() if name.startswith("data-")
            }
        if tag == "script":
            self.scripts.append(given)
        assert not [name for name in given if name.startswith("on")]


@pytest.fixture(scope="module")
def client() -> TestClient:
    registry = Registry(MemoryStore())
    return TestClient(create_app(lambda: registry))


def tab(client: TestClient, path: str) -> Tab:
    answer = client.get(f"/tabs/dags/{path}")
    assert answer.status_code == 200
    return Tab(answer.text)


def test_a_tab_carries_what_it_is_about(client: TestClient) -> None:
    assert tab(client, "d").place == {"dag": "d"}
    assert tab(client, "d/runs/r").place == {"dag": "d", "run": "r"}
    assert tab(client, "d/tasks/t").place == {"dag": "d", "task": "t"}
    assert tab(client, "d/runs/r/tasks/t").place == {"dag": "d", "run": "r", "task": "t", "map": "-1"}


@pytest.mark.parametrize(
    ("given", "index"),
    [("7", "7"), ("0", "0"), ("{MAP_INDEX}", "-1"), ("", "-1"), ("-1", "-1"), ("1e3", "-1"), ("²", "-1")],
)
def test_a_map_index_is_a_number_or_absent(client: TestClient, given: str, index: str) -> None:
    assert tab(client, f"d/runs/r/tasks/t?map_index={quote(given)}").place["map"] == index


def test_names_of_runs_come_through_as_they_are(client: TestClient) -> None:
    run = "scheduled__2026-01-01T00:00:00+00:00"
    assert tab(client, f"d/runs/{quote(run, safe='')}").place["run"] == run


@pytest.mark.parametrize("path", ["{0}", "{0}/runs/{0}", "{0}/tasks/{0}", "{0}/runs/{0}/tasks/{0}"])
def test_hostile_names_stay_text(client: TestClient, path: str) -> None:
    name = HOSTILE.replace("/", "")  # a name with a slash is no part of an address
    found = tab(client, path.format(quote(name, safe="")))
    assert set(found.place.values()) <= {name, "-1"}
    assert all(script["src"] for script in found.scripts)
