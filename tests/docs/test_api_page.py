"""The page about the API: its script is run against a server with Airflow's own login, and its tables name what there is."""

from __future__ import annotations

import json
import re
import subprocess
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import uvicorn
from fastapi import FastAPI
from fastapi.routing import APIRoute
from tests.support.logins import simple_login
from tests.support.registrations import ACTOR, register

from stoker.core.clock import system_clock
from stoker.core.records import Actor
from stoker.loop.broker import Broker
from stoker.registry.registry import Registry
from stoker.store.memory import MemoryStore
from stoker.ui.api import PREFIX
from stoker.ui.app import create_app
from stoker.ui.auth import airflow_access
from stoker.ui.origin import MAX_BODY

PAGE = (Path(__file__).parents[2] / "docs" / "api.md").read_text()
SERVER = "https://airflow.example.com"


@pytest.fixture
def registry() -> Registry:
    registry = Registry(MemoryStore())
    for _ in range(3):
        register(registry, "delays")
    registry.promote("delays", 1, actor=ACTOR, reason="good")
    registry.ask_approval("delays", 3, until=system_clock() + timedelta(hours=1), actor=ACTOR, reason="please look")
    return registry


@pytest.fixture
def address(registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A real server: Airflow's login, and the application where Airflow puts it."""
    passwords = tmp_path / "passwords.json"
    passwords.write_text(json.dumps({"grace": "a-password"}))
    monkeypatch.setenv("AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS", "grace:user")
    monkeypatch.setenv("AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE", str(passwords))
    with simple_login() as manager:
        app = FastAPI()
        app.mount("/auth", manager.get_fastapi_app())
        app.mount("/stoker", create_app(lambda: registry, access=airflow_access()))
        server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="warning"))
        thread = threading.Thread(target=server.run)
        thread.start()
        while not server.started:
            thread.join(0.05)
            assert thread.is_alive()
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
        server.should_exit = True
        thread.join()


def run(address: str, password: str) -> subprocess.CompletedProcess[str]:
    (script,) = re.findall(r"^```sh\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script.replace(SERVER, address)],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": "/usr/local/bin:/usr/bin:/bin", "PASSWORD": password},
    )


def test_the_script_does_what_it_says(address: str, registry: Registry) -> None:
    done = run(address, "a-password")
    assert done.returncode == 0, done.stderr + done.stdout
    changes = [entry for entry in registry.history("delays") if entry.actor == Actor("grace", "ui")]
    assert [entry.reason for entry in changes] == [
        "better on April", "predicts only zeros", "the loss on short flights is known"
    ]  # fmt: skip
    state = registry.state("delays")
    assert (state.pointed("champion"), state.blocked, state.reviews[3].status) == (1, {2}, "approved")
    (request,) = Broker(registry.store, "delays").requests()
    assert (request.reason, request.actor) == ("the winter timetable holds", Actor("grace", "ui"))


def test_the_script_ends_at_a_wrong_password(address: str, registry: Registry) -> None:
    before = registry.state("delays").seq
    assert run(address, "another").returncode != 0
    assert registry.state("delays").seq == before


def first_cells(heading: str) -> list[str]:
    """The paths in the first column of the table under a heading, without their questions."""
    section = PAGE.split(f"## {heading}\n")[1].split("\n## ")[0]
    rows = [line.split(" | ")[0] for line in section.splitlines() if line.startswith("| `/")]
    return [path for row in rows for path in re.findall(r"`(/[^`?]*)", row)]


def test_the_tables_name_every_route_and_no_other() -> None:
    routes = [route for route in create_app(lambda: Registry(MemoryStore())).routes if isinstance(route, APIRoute)]
    own = [(method, route.path) for route in routes if route.path.startswith(PREFIX) for method in route.methods]
    described = [("GET", PREFIX + path) for path in first_cells("Questions")]
    described += [("POST", f"{PREFIX}/models/{{name}}{path}") for path in first_cells("Changes")]
    assert sorted([*described, ("GET", f"{PREFIX}/openapi.json")]) == sorted(own)


def test_the_figures_are_those_of_the_code() -> None:
    assert MAX_BODY == 64 * 1024
    assert "64 KiB" in PAGE
