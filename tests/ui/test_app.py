"""The application as a whole: headers on every answer, errors in the right form, addresses that mean harm, and what is remembered."""

from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import quote

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute
from fastapi.testclient import TestClient

from stoker.errors import StoreUnavailable
from stoker.registry.registry import Registry
from stoker.store.memory import MemoryStore
from stoker.ui import turns
from stoker.ui.access import OPEN
from stoker.ui.app import create_app
from stoker.ui.context import Context
from stoker.ui.turns import MOST
from tests.support.hostile import HOSTILE_NAMES
from tests.support.registrations import register

CANARY = "s3cret-in-a-message"
MARKUP = ("<script>alert(4711)</script>", '"><img src=x onerror=alert(4711)>', "{{4711*1}}", "'-alert(4711)-'")
PATHS = ["/", "/models/churn", "/models/nobody", "/models/Champion", "/static/stoker.css", "/elsewhere", "/api/v1/models",
         "/api/v1/models/nobody", "/api/v1/elsewhere", "/api/v1/openapi.json", "/webhooks/grafana/churn"]  # fmt: skip


@pytest.fixture(scope="module")
def registry() -> Registry:
    registry = Registry(MemoryStore())
    register(registry)
    return registry


@pytest.fixture(scope="module")
def client(registry: Registry) -> Iterator[TestClient]:
    with TestClient(create_app(lambda: registry), raise_server_exceptions=False) as client:
        yield client


def failing(error: Exception) -> Iterator[TestClient]:
    def fail() -> Registry:
        raise error

    with TestClient(create_app(fail), raise_server_exceptions=False) as client:
        yield client


@pytest.fixture
def broken() -> Iterator[TestClient]:
    """An application that has a mistake in it."""
    yield from failing(RuntimeError(f"{CANARY} in {__file__}"))


@pytest.fixture
def away() -> Iterator[TestClient]:
    yield from failing(StoreUnavailable("The store must answer; it does not. Try again."))


def directives(policy: str) -> dict[str, str]:
    return dict(part.strip().split(" ", 1) for part in policy.split(";"))


@pytest.mark.parametrize("path", PATHS)
def test_every_answer_carries_the_protective_headers(client: TestClient, path: str) -> None:
    for method in ("GET", "HEAD", "OPTIONS", "POST", "DELETE"):
        headers = client.request(method, path).headers
        policy = directives(headers["content-security-policy"])
        assert policy["default-src"] == "'none'"
        assert policy["script-src"] == "'self'"
        assert policy["connect-src"] == "'self'"
        assert (policy["form-action"], policy["base-uri"]) == ("'self'", "'none'")
        assert policy["frame-ancestors"] == "'self'"
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "same-origin"
        assert headers["cache-control"] in {"private, no-store", "private, no-cache"}


def test_what_holds_data_is_kept_by_no_browser_and_what_holds_none_is_asked_for_anew(client: TestClient) -> None:
    for path in ("/", "/models/churn", "/api/v1/models", "/elsewhere", "/static/elsewhere.css"):
        assert client.get(path).headers["cache-control"] == "private, no-store", path
    style = client.get("/static/stoker.css")
    assert style.headers["cache-control"] == "private, no-cache"
    again = client.get("/static/stoker.css", headers={"If-None-Match": style.headers["etag"]})
    assert again.status_code == 304
    assert again.content == b""


def test_a_mistake_of_ours_is_told_without_its_message_and_with_the_headers(broken: TestClient) -> None:
    page, answer = broken.get("/"), broken.get("/api/v1/models")
    for found in (page, answer):
        assert found.status_code == 500
        assert CANARY not in found.text
        assert "Traceback" not in found.text
        assert ".py" not in found.text
        assert directives(found.headers["content-security-policy"])["default-src"] == "'none'"
    assert "That did not work" in page.text
    assert answer.json()["error"]["type"] == "InternalError"


def test_a_store_that_is_away_is_503_in_either_form(away: TestClient) -> None:
    page, answer = away.get("/"), away.get("/api/v1/models")
    assert page.status_code == answer.status_code == 503
    assert "Try again." in page.text
    assert answer.json() == {
        "error": {
            "type": "StoreUnavailable", "message": "The store must answer; it does not. Try again.", "details": {}
        }
    }  # fmt: skip


def test_what_is_not_there_is_a_page_or_json_as_the_address_says(client: TestClient) -> None:
    for path in ("/elsewhere", "/models/nobody", f"/documents/{'0' * 64}", "/documents/nonsense"):
        found = client.get(path)
        assert found.status_code == 404, path
        assert found.headers["content-type"].startswith("text/html")
    for path in ("/api/v1/elsewhere", "/api/v1/models/nobody", f"/api/v1/documents/{'0' * 64}"):
        found = client.get(path)
        assert found.status_code == 404, path
        assert found.json()["error"]["type"] == "NotFound"


def test_a_method_that_an_address_does_not_take_is_told_in_the_form_of_the_others(client: TestClient) -> None:
    answer, page = client.put("/api/v1/models"), client.put("/")
    assert answer.status_code == page.status_code == 405
    assert answer.json()["error"]["type"] == "MethodNotAllowed"
    assert answer.headers["allow"] == page.headers["allow"] == "GET"
    assert page.headers["content-type"].startswith("text/html")


def test_a_store_that_hangs_leaves_threads_to_the_pages_of_others() -> None:
    answers = threading.Event()
    inside = threading.Semaphore(0)

    def hang() -> Registry:
        inside.release()
        answers.wait(60)
        raise StoreUnavailable("The store must answer; it does not.")

    outer = FastAPI()
    outer.mount("/stoker", create_app(hang))

    @outer.get("/others")
    def others() -> str:
        return "here"

    with TestClient(outer) as client, ThreadPoolExecutor(60) as pool:
        try:
            asked = [pool.submit(client.get, "/stoker/") for _ in range(50)]
            assert all(inside.acquire(timeout=30) for _ in range(MOST))
            assert pool.submit(client.get, "/others").result(timeout=30).text == '"here"'
            assert not inside.acquire(blocking=False)
        finally:
            answers.set()
        assert {one.result(timeout=30).status_code for one in asked} == {503}


def test_who_gets_no_turn_in_time_is_turned_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "MOST", 0)
    monkeypatch.setattr(turns, "_WAIT", 0.01)
    with TestClient(create_app(lambda: Registry(MemoryStore()))) as client:
        answer = client.get("/api/v1/models")
    assert (answer.status_code, answer.json()["error"]["type"]) == (503, "Busy")


def test_no_address_that_means_harm_gets_further_than_a_refusal(client: TestClient, registry: Registry) -> None:
    before = list(registry.store.keys(""))
    templates = {route.path for route in client.app.routes if isinstance(route, APIRoute) and "{" in route.path}
    assert len(templates) >= 15
    # The client resolves "." and ".." before it sends an address, however they are written.
    names = [name for name in HOSTILE_NAMES if 0 < len(name) < 1000 and name not in {".", "..", "%2e%2e%2f"}]
    assert len(names) >= 20
    for template in sorted(templates):
        for name in (*names, *MARKUP):
            path = template
            for value in ("name", "number", "digest", "dag_id", "run_id", "task_id"):
                path = path.replace(f"{{{value}}}", quote(name, safe=""))
            found = client.get(path, params={"left": name, "right": name, "theme": name, "map_index": name})
            shell = template.startswith("/tabs/")  # which shows nothing but what Airflow's API lets the person see
            assert found.status_code in ({200, 404} if shell else {400, 404, 405}), (template, name)
            if found.headers["content-type"].startswith("text/html"):
                assert "alert(4711)</script>" not in found.text
                assert "<img src=x" not in found.text
    assert list(registry.store.keys("")) == before


@pytest.mark.parametrize("name", [name for name in HOSTILE_NAMES if 0 < len(name) < 1000])
def test_one_bad_part_of_an_address_is_enough_to_be_refused(client: TestClient, name: str) -> None:
    good = {"name": "churn", "number": "1", "digest": "0" * 64}
    bad = quote(f"{name}\u200b", safe="")
    for template, parameter in (
        ("/models/{name}", "name"),
        ("/models/{name}/versions/{number}", "name"),
        ("/models/{name}/versions/{number}", "number"),
        ("/documents/{digest}", "digest"),
    ):
        path = template.format(**{**good, parameter: bad})
        assert client.get(path).status_code in {400, 404}
        assert client.get(f"/api/v1{path}").status_code in {400, 404}


def test_an_address_of_64_kib_is_refused(client: TestClient) -> None:
    for path in ("/models/", "/api/v1/models/", "/api/v1/documents/"):
        found = client.get(path + "a" * 60_000)
        assert found.status_code in {400, 404}
        assert len(found.text) < 20_000


def test_what_was_read_is_remembered_as_long_as_the_registry_is_the_same_object() -> None:
    registries = [Registry(MemoryStore()), Registry(MemoryStore())]
    shown = iter((registries[0], registries[0], registries[1]))
    context = Context(lambda: next(shown), OPEN)
    first, again, other = (context.views() for _ in range(3))
    assert first is again
    assert first is not other


def test_a_registry_that_is_not_shown_any_more_is_let_go() -> None:
    shown = [Registry(MemoryStore())]
    context = Context(lambda: shown[0], OPEN)
    context.views()
    gone = weakref.ref(shown[0])
    shown[0] = Registry(MemoryStore())
    context.views()
    gc.collect()
    assert gone() is None
