"""The page about alerts: its settings parse and name what there is, and its script is run against a server."""

from __future__ import annotations

import configparser
import re
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import uvicorn
import yaml
from fastapi import FastAPI
from tests.support.registrations import register

from stoker.core.alerts import FORMS, MAX_ALERTS
from stoker.loop.broker import MAX_WAITING, Broker
from stoker.provider import get_provider_info
from stoker.registry.registry import Registry
from stoker.store.memory import MemoryStore
from stoker.ui.app import create_app
from stoker.ui.webhook import MAX_BODY, SIGNATURE_HEADER, TIMESTAMP_HEADER

PAGE = (Path(__file__).parents[2] / "docs" / "alerts.md").read_text()
SECRET = "an-example-secret-of-good-length"
SERVER = "https://airflow.example.com"


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def settings() -> tuple[Any, Any]:
    alertmanager, grafana = (yaml.safe_load(block) for block in blocks("yaml"))
    return alertmanager, grafana


@pytest.fixture
def registry() -> Registry:
    registry = Registry(MemoryStore())
    register(registry, "delays")
    return registry


@pytest.fixture
def address(registry: Registry) -> Iterator[str]:
    """A real server, with the application where Airflow puts it."""
    app = FastAPI()
    app.mount("/stoker", create_app(lambda: registry, get_secrets=lambda: (SECRET,)))
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="warning"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        thread.join(0.05)
        assert thread.is_alive()
    port = server.servers[0].sockets[0].getsockname()[1]
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join()


def run(script: str, secret: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": "/usr/local/bin:/usr/bin:/bin", "STOKER_WEBHOOK_SECRET": secret}
    return subprocess.run(["sh", "-euc", script], capture_output=True, text=True, check=False, env=environment)


def test_the_script_signs_and_sends_a_request(address: str, registry: Registry) -> None:
    (script,) = blocks("sh")
    script = script.replace(SERVER, address)
    done = run(script, SECRET)
    assert done.stdout == '{"requests":1,"ignored":0}', done.stderr
    (request,) = Broker(registry.store, "delays").requests()
    assert request.reason.endswith("The winter timetable holds")
    wrong = run(script, SECRET + "x")
    assert wrong.returncode == 22
    assert "401" in wrong.stderr


def test_the_configuration_names_an_option_that_there_is() -> None:
    (block,) = blocks("ini")
    parser = configparser.ConfigParser()
    parser.read_string(block)
    assert set(parser["stoker"]) <= set(get_provider_info()["config"]["stoker"]["options"])


def test_the_settings_name_the_webhook_and_keep_the_secret_elsewhere() -> None:
    alertmanager, grafana = settings()
    receiver = alertmanager["receivers"][1]["webhook_configs"][0]
    assert alertmanager["route"]["routes"][0]["receiver"] == alertmanager["receivers"][1]["name"]
    assert urlsplit(receiver["url"]).path == "/stoker/webhooks/alertmanager/delays"
    assert receiver["max_alerts"] == MAX_ALERTS
    assert set(receiver["http_config"]["authorization"]) == {"type", "credentials_file"}
    point = grafana["contactPoints"][0]["receivers"][0]["settings"]
    assert urlsplit(point["url"]).path == "/stoker/webhooks/grafana/delays"
    assert point["hmacConfig"] == {
        "secret": "$STOKER_WEBHOOK_SECRET",
        "header": SIGNATURE_HEADER,
        "timestampHeader": TIMESTAMP_HEADER,
    }


def test_the_figures_are_those_of_the_code() -> None:
    assert all(f"`{form}`" in PAGE for form in FORMS)
    assert f"first {MAX_ALERTS} of one body" in PAGE
    assert f"At most {MAX_WAITING} requests" in PAGE
    assert MAX_BODY == 1024 * 1024
    assert "1 MiB" in PAGE
