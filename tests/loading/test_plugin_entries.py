"""What the plugin offers Airflow's UI. Airflow drops a whole plugin, and says nothing, for one entry that it does not take."""

from __future__ import annotations

from typing import Any

import pytest
from airflow.api_fastapi.core_api.datamodels.plugins import ExternalViewResponse, ReactAppResponse
from fastapi.testclient import TestClient
from pydantic import ValidationError

from stoker.plugin import StokerPlugin
from stoker.registry.registry import Registry
from stoker.store.memory import MemoryStore
from stoker.ui.app import create_app

VIEWS: list[dict[str, Any]] = StokerPlugin.external_views
APPS: list[dict[str, Any]] = StokerPlugin.react_apps
PLACES = {"{DAG_ID}": "late_train", "{RUN_ID}": "manual__2026-01-01T00%3A00%3A00%2B00%3A00", "{TASK_ID}": "group.train"}


@pytest.fixture(scope="module")
def client() -> TestClient:
    registry = Registry(MemoryStore())
    return TestClient(create_app(lambda: registry))


def below(address: str) -> str:
    """An address as the application sees it, which Airflow mounts under ``/stoker``."""
    assert address.startswith("/stoker/")
    return address.removeprefix("/stoker")


def test_airflow_takes_every_entry() -> None:
    assert [ExternalViewResponse.model_validate(view).destination for view in VIEWS] == [
        "nav", "dag", "dag_run", "task", "task_instance",
    ]  # fmt: skip
    assert [ReactAppResponse.model_validate(app).destination for app in APPS] == ["dashboard"]


def test_airflow_would_refuse_a_place_that_it_does_not_have() -> None:
    with pytest.raises(ValidationError):
        ExternalViewResponse.model_validate({**VIEWS[0], "destination": "asset"})


def test_no_two_entries_share_an_address() -> None:
    routes = [entry["url_route"] for entry in (*VIEWS, *APPS)]
    assert len(set(routes)) == len(routes)


@pytest.mark.parametrize("view", VIEWS, ids=lambda view: view["url_route"])
def test_every_view_leads_to_a_page_with_airflows_placeholders_filled_in_or_not(
    view: dict[str, Any], client: TestClient
) -> None:
    href = below(view["href"])
    for name, value in PLACES.items():
        href = href.replace(name, value)
    for index in ("0", "{MAP_INDEX}"):  # Airflow leaves what does not apply as it stands
        answer = client.get(href.replace("{MAP_INDEX}", index))
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/html")


@pytest.mark.parametrize("name", ["icon", "icon_dark_mode"])
def test_every_icon_is_there(name: str, client: TestClient) -> None:
    for view in VIEWS:
        answer = client.get(below(view[name]))
        assert answer.headers["content-type"] == "image/svg+xml"


def test_the_module_of_a_card_gives_the_component_that_airflow_looks_for(client: TestClient) -> None:
    for app in APPS:
        answer = client.get(below(app["bundle_url"]))
        assert answer.headers["content-type"].startswith("text/javascript")
        assert f"globalThis.{app['name']} = {app['name']};" in answer.text
