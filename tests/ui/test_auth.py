"""Behind Airflow's own login: every route, for everybody, by every way of proving who one is."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from airflow.api_fastapi.auth.managers.models.resource_details import AccessView, DagAccessEntity
from airflow.api_fastapi.auth.managers.simple.simple_auth_manager import SimpleAuthManager
from fastapi import FastAPI
from fastapi.testclient import TestClient
from starlette.routing import Mount, Route

from stoker.core.records import Actor
from stoker.registry.registry import Registry
from stoker.store.memory import MemoryStore
from stoker.ui.app import airflow_app, create_app
from stoker.ui.auth import airflow_access
from stoker.ui.webhook import PATH as WEBHOOK
from tests.support.logins import ROLES, for_another_audience, simple_login, token
from tests.support.registrations import register

OPEN, LOOK, ACT, MACHINE = "open", "look", "act", "machine"

# Every route there is. One that is not here fails the tests, and so does one that is gone.
ROUTES = {
    ("GET", "/static"): OPEN,
    ("GET", "/assets"): OPEN,
    ("POST", WEBHOOK): MACHINE,
    ("GET", "/"): LOOK,
    ("GET", "/models/{name}"): LOOK,
    ("GET", "/documents/{digest}"): LOOK,
    ("GET", "/models/{name}/versions/{number}"): LOOK,
    ("GET", "/models/{name}/compare"): LOOK,
    ("GET", "/models/{name}/versions/{number}/card"): LOOK,
    ("GET", "/documents/{digest}/report"): LOOK,
    ("GET", "/documents/{digest}/evidently"): LOOK,
    ("GET", "/tabs/dags/{dag_id}"): LOOK,
    ("GET", "/tabs/dags/{dag_id}/runs/{run_id}"): LOOK,
    ("GET", "/tabs/dags/{dag_id}/tasks/{task_id}"): LOOK,
    ("GET", "/tabs/dags/{dag_id}/runs/{run_id}/tasks/{task_id}"): LOOK,
    ("GET", "/api/v1/openapi.json"): LOOK,
    ("GET", "/api/v1/models"): LOOK,
    ("GET", "/api/v1/attention"): LOOK,
    ("GET", "/api/v1/documents/{digest}"): LOOK,
    ("GET", "/api/v1/models/{name}"): LOOK,
    ("GET", "/api/v1/models/{name}/versions"): LOOK,
    ("GET", "/api/v1/models/{name}/versions/{number}"): LOOK,
    ("GET", "/api/v1/models/{name}/compare"): LOOK,
    ("GET", "/api/v1/models/{name}/lineage"): LOOK,
    ("GET", "/api/v1/models/{name}/champions"): LOOK,
    ("GET", "/api/v1/models/{name}/history"): LOOK,
    ("GET", "/api/v1/models/{name}/quality"): LOOK,
    ("GET", "/api/v1/models/{name}/drift"): LOOK,
    ("GET", "/api/v1/models/{name}/why"): LOOK,
    ("POST", "/api/v1/models/{name}/promote"): ACT,
    ("POST", "/api/v1/models/{name}/rollback"): ACT,
    ("POST", "/api/v1/models/{name}/retrain"): ACT,
    ("POST", "/api/v1/models/{name}/resume"): ACT,
    ("POST", "/api/v1/models/{name}/versions/{number}/approve"): ACT,
    ("POST", "/api/v1/models/{name}/versions/{number}/reject"): ACT,
    ("POST", "/api/v1/models/{name}/versions/{number}/block"): ACT,
    ("POST", "/api/v1/models/{name}/versions/{number}/unblock"): ACT,
}

# Who is calling -> (what reading is answered, what changing is answered). "in" means that the login lets it pass.
CALLERS = {
    "no token": (401, 401),
    "garbage": (403, 403),
    "unsigned": (403, 403),
    "expired": (401, 401),
    "wrong audience": (403, 403),
    "no role": (403, 403),
    "VIEWER": ("in", 403),
    "USER": ("in", "in"),
    "OP": ("in", "in"),
    "ADMIN": ("in", "in"),
}

# How the token is sent -> whether a change that the caller may make is let in.
WAYS = {"header": True, "own page": True, "bare cookie": False, "foreign page": False, "foreign page of late": False}

PATH_VALUES = {
    "name": "churn", "number": "1", "digest": "0" * 64, "dag_id": "a_dag", "run_id": "a_run", "task_id": "a_task",
    "form": "grafana", "model": "churn",
}  # fmt: skip


@pytest.fixture(scope="module")
def manager() -> Iterator[SimpleAuthManager]:
    with simple_login() as manager:
        yield manager


@pytest.fixture(scope="module")
def tokens(manager: SimpleAuthManager) -> dict[str, str | None]:
    return {
        "no token": None,
        "garbage": "a.b.c",
        "unsigned": "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZG1pbiIsInJvbGUiOiJBRE1JTiJ9.",
        "expired": token(manager, "ADMIN", seconds=-3600),
        "wrong audience": for_another_audience(token(manager, "ADMIN")),
        "no role": token(manager, None),
        **{role: token(manager, role) for role in ROLES},
    }


@pytest.fixture
def registry() -> Registry:
    registry = Registry(MemoryStore())
    register(registry)
    return registry


@pytest.fixture(scope="module")
def shown() -> list[Registry]:
    return []


@pytest.fixture(scope="module")
def guarded_once(manager: SimpleAuthManager, shown: list[Registry]) -> FastAPI:
    return create_app(lambda: shown[0], access=airflow_access())


@pytest.fixture
def guarded(guarded_once: FastAPI, shown: list[Registry], registry: Registry) -> FastAPI:
    shown[:] = [registry]
    return guarded_once


def routes_of(app: FastAPI) -> set[tuple[str, str]]:
    found = set()
    for route in app.routes:
        if isinstance(route, Mount):
            found.add(("GET", route.path))
        elif isinstance(route, Route):
            found |= {(method, route.path) for method in (route.methods or set()) - {"HEAD"}}
        else:
            found.add(("?", str(route)))
    return found


def proof(way: str, given: str | None) -> dict[str, str]:
    if way == "header":
        return {"Authorization": f"Bearer {given}"} if given else {}
    origin = {
        "own page": {"Origin": "http://testserver"},
        "bare cookie": {},
        "foreign page": {"Origin": "https://evil.example"},
        "foreign page of late": {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"},
    }[way]
    return {**origin, "Cookie": f"_token={given}"} if given else dict(origin)


def expected(kind: str, caller: str, way: str) -> int | str:
    looking, acting = CALLERS[caller]
    if kind == LOOK:
        return looking
    if acting == "in" and not WAYS[way]:
        return 403
    return acting


def wrong_answers(app: FastAPI, callers: dict[str, str | None]) -> list[str]:
    """Where the application lets somebody in, or keeps somebody out, other than the tables say."""
    wrong = []
    with TestClient(app, raise_server_exceptions=False) as client:
        for (method, path), kind in ROUTES.items():
            if kind not in {LOOK, ACT}:
                continue
            for caller, way in product(callers, WAYS):
                body: dict[str, Any] = {"json": {}} if method == "POST" else {}
                address = path.format(**PATH_VALUES)
                answer = client.request(method, address, headers=proof(way, callers[caller]), **body)
                found = answer.status_code if answer.status_code in {401, 403} else "in"
                if found != expected(kind, caller, way):
                    wrong.append(f"{method} {path} as {caller} by {way}: {answer.status_code}")
    return wrong


def test_every_route_lets_in_exactly_those_who_may(guarded: FastAPI, tokens: dict[str, str | None]) -> None:
    assert wrong_answers(guarded, tokens) == []


def test_every_route_is_in_the_table_and_none_is_there_twice() -> None:
    app = airflow_app()
    assert routes_of(app) == set(ROUTES)
    assert len(app.routes) == len(ROUTES)


def test_an_application_without_the_guard_turns_the_table_red(registry: Registry) -> None:
    wrong = "\n".join(wrong_answers(create_app(lambda: registry), {"no token": None}))
    for (method, path), kind in ROUTES.items():
        if kind in {LOOK, ACT}:
            assert f"{method} {path} as no token by" in wrong


def test_no_reading_of_anything_writes_anything(
    guarded: FastAPI, registry: Registry, tokens: dict[str, str | None]
) -> None:
    before = {key: registry.store.read(key) for key in registry.store.keys("")}
    with TestClient(guarded, raise_server_exceptions=False) as client:
        for (_, path), kind in ROUTES.items():
            for method in ("GET", "HEAD", "OPTIONS"):
                client.request(method, path.format(**PATH_VALUES), headers=proof("header", tokens["ADMIN"]))
            for method in ("PUT", "PATCH", "DELETE", "POST") if kind == LOOK else ():
                answer = client.request(method, path.format(**PATH_VALUES), headers=proof("header", tokens["ADMIN"]))
                assert answer.status_code == 405
    assert {key: registry.store.read(key) for key in registry.store.keys("")} == before


def test_styles_and_scripts_are_the_same_for_everybody(guarded: FastAPI) -> None:
    assert TestClient(guarded).get("/static/stoker.css").status_code == 200


def test_an_address_that_leads_out_of_the_static_files_is_refused(guarded: FastAPI) -> None:
    client = TestClient(guarded)
    for path in ("/static/../app.py", "/static/%2e%2e/app.py", "/static/..%2fapp.py", "/assets/%2e%2e/render.py"):
        assert client.get(path).status_code in {401, 404}, path


def test_the_right_to_look_is_the_one_for_plugins(
    guarded: FastAPI, tokens: dict[str, str | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []

    def refuse(self: SimpleAuthManager, *, access_view: AccessView, user: Any) -> bool:
        asked.append(access_view)
        return False

    monkeypatch.setattr(SimpleAuthManager, "is_authorized_view", refuse)
    answer = TestClient(guarded).get("/", headers=proof("header", tokens["ADMIN"]))
    assert answer.status_code == 403
    assert "churn" not in answer.text
    assert asked == [AccessView.PLUGINS]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """What the auth manager was asked about DAGs; it allows what belongs to ``churn_training``."""
    asked: list[tuple[Any, ...]] = []

    def answer(self: Any, *, method: str, access_entity: Any = None, details: Any = None, user: Any) -> bool:
        dag_id = details.id if details is not None else None
        asked.append((method, access_entity, dag_id, user.get_name()))
        return dag_id == "churn_training"

    monkeypatch.setattr(SimpleAuthManager, "is_authorized_dag", answer)
    return asked


def block(app: FastAPI, given: str | None, *, model: str = "churn") -> Any:
    path = f"/api/v1/models/{model}/versions/1/block"
    return TestClient(app).post(path, headers=proof("header", given), json={"reason": "it is bad"})


def register_by(registry: Registry, origin: str, model: str = "churn") -> None:
    number = registry.state(model).versions + 1
    source = registry.version(model, 1).manifest
    manifest = {**source, "fingerprint": f"{number:064d}"}
    registry.register(model, manifest, actor=Actor("airflow", origin), reason="trained")


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        ("churn_training/manual__2026/register/-1", 200),
        ("churn_training/a/run/with/slashes/register/-1", 200),
        ("other_training/manual__2026/register/-1", 403),
        ("churn_training", 403),
        ("python", 403),
    ],
)
def test_who_may_start_the_dag_that_registered_the_newest_version_may_act(
    guarded: FastAPI,
    registry: Registry,
    tokens: dict[str, str | None],
    asked: list[tuple[Any, ...]],
    origin: str,
    status: int,
) -> None:
    register_by(registry, "churn_training/earlier/register/-1")
    register_by(registry, origin)
    answer = block(guarded, tokens["USER"])
    assert answer.status_code == status
    dag_id = origin.split("/")[0] if "/" in origin else None
    assert asked == [("POST", DagAccessEntity.RUN, dag_id, "someone")]
    assert (1 in registry.state("churn").blocked) == (status == 200)
    if status == 403:
        assert answer.json()["error"]["type"] == "NotAllowed"


@pytest.mark.parametrize("said", [RuntimeError("no database"), None, 1, "yes"])
def test_an_auth_manager_that_does_not_clearly_say_yes_says_no(
    guarded: FastAPI, registry: Registry, tokens: dict[str, str | None], monkeypatch: pytest.MonkeyPatch, said: Any
) -> None:
    def answer(self: Any, **about: Any) -> Any:
        if isinstance(said, Exception):
            raise said
        return said

    monkeypatch.setattr(SimpleAuthManager, "is_authorized_dag", answer)
    assert block(guarded, tokens["ADMIN"]).status_code == 403
    assert not registry.state("churn").blocked


def test_the_log_names_who_acted_and_that_it_was_here(
    guarded: FastAPI, registry: Registry, manager: SimpleAuthManager
) -> None:
    assert block(guarded, token(manager, "OP", name="grace")).status_code == 200
    *_, last = registry.history("churn")
    assert last.actor == Actor("grace", "ui")
    assert last.reason == "it is bad"


def test_the_whole_api_server_keeps_the_pages_closed(tmp_path: Path) -> None:
    """Airflow's own application with the plugin in it, as ``airflow api-server`` builds it."""
    script = """
import json, logging
from airflow.utils.db import initdb
initdb()
from airflow.api_fastapi.app import create_app, get_auth_manager
from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser
from fastapi.testclient import TestClient
from stoker.registry.registry import Registry
from stoker.store.opening import open_store
from tests.support.registrations import register
register(Registry(open_store("memory://pages")))
logging.disable(logging.CRITICAL)
app = create_app(apps="core")
with TestClient(app) as client:
    viewer, ops = (
        get_auth_manager().generate_jwt(SimpleAuthManagerUser(username="v", role=role)) for role in ("VIEWER", "OP")
    )
    def block(**headers):
        return client.post("/stoker/api/v1/models/churn/versions/1/block", headers=headers, json={"reason": "bad"})
    own = {"Origin": "http://testserver"}
    asked = {
        "anonymous": client.get("/stoker/").status_code,
        "garbage": client.get("/stoker/", headers={"Authorization": "Bearer x"}).status_code,
        "bearer": client.get("/stoker/", headers={"Authorization": f"Bearer {viewer}"}).status_code,
        "cookie": client.get("/stoker/", headers={"Cookie": f"_token={viewer}"}).status_code,
        "api": client.get("/stoker/api/v1/models", headers={"Cookie": f"_token={viewer}"}).json()["models"][0]["name"],
        "unknown": client.get("/stoker/api/v1/nothing", headers={"Cookie": f"_token={viewer}"}).json()["error"]["type"],
        "servers": client.get(
            "/stoker/api/v1/openapi.json", headers={"Authorization": f"Bearer {viewer}"}
        ).json()["servers"],
        "act, viewer": block(Cookie=f"_token={viewer}", **own).status_code,
        "act, bare cookie": block(Cookie=f"_token={ops}").status_code,
        "act, foreign": block(Cookie=f"_token={ops}", Origin="http://evil.example").status_code,
        "act, own page": block(Cookie=f"_token={ops}", **own).json(),
        "act, bearer": block(Authorization=f"Bearer {ops}").json(),
        "style": client.get("/stoker/static/stoker.css").status_code,
        "webhook, nobody": client.post("/stoker/webhooks/grafana/churn").status_code,
        "webhook, login": client.post("/stoker/webhooks/grafana/churn", headers={"Authorization": f"Bearer {viewer}"}).status_code,
        "webhook, secret": client.post(
            "/stoker/webhooks/grafana/nobody", content=b"{}", headers={"Authorization": "Bearer a-secret-that-is-long"}
        ).json(),
        "pages, secret": client.get("/stoker/", headers={"Authorization": "Bearer a-secret-that-is-long"}).status_code,
    }
print("ANSWER" + json.dumps(asked))
"""
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[2],
        env={
            "PATH": "/usr/bin:/bin",
            "PYTHONPATH": ".",
            "AIRFLOW_HOME": str(tmp_path),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__API_AUTH__JWT_SECRET": "s" * 64,
            "AIRFLOW__STOKER__STORE_URI": "memory://pages",
            "AIRFLOW__STOKER__WEBHOOK_CONN_ID": "alerts",
            "AIRFLOW_CONN_ALERTS": json.dumps({"conn_type": "generic", "password": "a-secret-that-is-long"}),
        },
    )
    answer = next((line for line in done.stdout.splitlines() if line.startswith("ANSWER")), None)
    assert answer, done.stderr[-2000:]
    assert json.loads(answer.removeprefix("ANSWER")) == {
        "anonymous": 401,
        "garbage": 403,
        "bearer": 200,
        "cookie": 200,
        "api": "churn",
        "unknown": "NotFound",
        "servers": [{"url": "/stoker"}],
        "act, viewer": 403,
        "act, bare cookie": 403,
        "act, foreign": 403,
        "act, own page": {"model": "churn", "changed": True},
        "act, bearer": {"model": "churn", "changed": False},
        "style": 200,
        "webhook, nobody": 401,
        "webhook, login": 401,
        "webhook, secret": {"error": "The address must end in the name of a registered model."},
        "pages, secret": 403,
    }
