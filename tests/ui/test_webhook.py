"""The webhook: what proves a caller, what a body may do, and what no answer or log may hold."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

import anyio
import httpx
import pytest
from fastapi.testclient import TestClient
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.routing import Route

from stoker.core.alerts import FORMS
from stoker.core.signatures import sign
from stoker.errors import ConfigurationError, StoreUnavailable
from stoker.loop.broker import Broker
from stoker.registry.registry import Registry
from stoker.store import layout
from stoker.store.memory import MemoryStore
from stoker.ui.app import create_app
from stoker.ui.webhook import MAX_BODY, PATH, SIGNATURE_HEADER, TIMESTAMP_HEADER, webhook
from tests.support.hostile import HOSTILE_NAMES
from tests.support.registrations import register

SECRET = "canary-4711-webhook-secret"
OLD = "canary-4710-webhook-secret"
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
BEARER = {"Authorization": f"Bearer {SECRET}"}
URL = "/webhooks/alertmanager/churn"


def body(*fingerprints: str, status: str = "firing", starts_at: str = "2026-11-21T11:59:00Z") -> bytes:
    alerts = [
        {
            "status": status,
            "labels": {"alertname": "LateShare"},
            "annotations": {"summary": "Late flights doubled"},
            "startsAt": starts_at,
            "fingerprint": fingerprint,
        }
        for fingerprint in fingerprints or ("f-1",)
    ]
    return json.dumps({"version": "4", "status": status, "alerts": alerts}).encode()


def signed(content: bytes, *, secret: str = SECRET, at: datetime = NOW) -> dict[str, str]:
    timestamp = str(int(at.timestamp()))
    return {TIMESTAMP_HEADER: timestamp, SIGNATURE_HEADER: sign(secret, timestamp, content)}


class Server:
    """One API server over a store that it may share with others."""

    def __init__(self, store: Any, secrets: Sequence[str] = (SECRET, OLD)) -> None:
        self.now = NOW
        self.registry = Registry(store)
        endpoint = webhook(lambda: self.registry, lambda: secrets, clock=lambda: self.now)
        self.app = Starlette(routes=[Route(PATH, endpoint, methods=["POST"])])
        self._client = TestClient(self.app)

    def post(self, content: Any = None, headers: dict[str, str] = BEARER, url: str = URL) -> Any:
        return self._client.post(url, content=body() if content is None else content, headers=headers)

    def requests(self, model: str = "churn") -> int:
        return len(Broker(self.registry.store, model).requests(every=True, limit=5000))


@pytest.fixture
def server() -> Server:
    server = Server(MemoryStore())
    register(server.registry)
    return server


def test_a_firing_alert_becomes_a_request(server: Server) -> None:
    answer = server.post()
    assert (answer.status_code, answer.json()) == (200, {"requests": 1, "ignored": 0})
    (request,) = Broker(server.registry.store, "churn").requests()
    assert (request.source, request.actor.user, request.actor.origin) == ("webhook", "webhook", "webhook/alertmanager")


@pytest.mark.parametrize(
    "headers", [BEARER, {"Authorization": f"bearer {OLD}"}, signed(body()), signed(body(), secret=OLD)]
)
def test_a_token_or_a_signature_by_any_secret_that_holds_is_a_proof(server: Server, headers: dict[str, str]) -> None:
    assert server.post(headers=headers).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": ""},
        {"Authorization": "Bearer"},
        {"Authorization": f"Bearer {SECRET}x"},
        {"Authorization": f"Bearer {SECRET[:-1]}"},
        {"Authorization": f"Basic {SECRET}"},
        {"Authorization": "Bearer \xfc"},
        {"Cookie": f"_token={SECRET}"},
        {"X-Token": SECRET},
        signed(b"another body"),
        signed(body(), secret="another-secret-of-good-length"),
        signed(body(), at=NOW - timedelta(minutes=6)),
        signed(body(), at=NOW + timedelta(minutes=6)),
        {SIGNATURE_HEADER: sign(SECRET, "", body())},
        {SIGNATURE_HEADER: "", TIMESTAMP_HEADER: str(int(NOW.timestamp()))},
        {**signed(body()), TIMESTAMP_HEADER: str(int(NOW.timestamp()) + 1)},
        {**BEARER, SIGNATURE_HEADER: "0" * 64, TIMESTAMP_HEADER: str(int(NOW.timestamp()))},
        {**BEARER, SIGNATURE_HEADER: ""},
    ],
)
def test_without_a_right_proof_there_is_401_whatever_is_asked(server: Server, headers: dict[str, str]) -> None:
    sent = {name: value.encode("latin-1") for name, value in headers.items()}
    for url in (URL, "/webhooks/alertmanager/nobody", "/webhooks/nonsense/churn", "/webhooks/generic/Champion"):
        answer = server.post(headers=sent, url=url)
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert server.requests() == 0
    assert list(server.registry.store.keys(layout.REPLAYS)) == []


def status_of(headers: dict[str, str], receive: Callable[[], Awaitable[Any]]) -> int:
    """The answer to a request whose body comes from ``receive``."""
    raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    request = Request({"type": "http", "method": "POST", "headers": raw, "path_params": {}}, receive)
    receiver = webhook(lambda: Registry(MemoryStore()), lambda: (SECRET,), clock=lambda: NOW)

    async def answer() -> int:
        return (await receiver(request)).status_code

    return asyncio.run(answer())


def test_a_caller_without_a_proof_is_answered_before_its_body_is_read() -> None:
    async def receive() -> Any:
        pytest.fail("the body was read")

    for headers in ({}, {"Authorization": "Bearer wrong"}, signed(b"", at=NOW - timedelta(days=1))):
        assert status_of(headers, receive) == 401


def test_a_body_that_never_ends_is_408(monkeypatch: pytest.MonkeyPatch) -> None:
    async def receive() -> Any:
        await asyncio.sleep(0.01)
        return {"type": "http.request", "body": b" ", "more_body": True}

    monkeypatch.setattr("stoker.ui.webhook._READ_SECONDS", 0.1)
    assert status_of(BEARER, receive) == 408


def test_a_caller_that_leaves_is_no_failure_of_ours() -> None:
    async def receive() -> Any:
        return {"type": "http.disconnect"}

    assert status_of(BEARER, receive) == 400


@pytest.mark.parametrize("headers", [{}, BEARER, signed(body())], ids=["nothing", "token", "signature"])
def test_without_a_secret_nothing_is_there(headers: dict[str, str]) -> None:
    closed = Server(MemoryStore(), secrets=())
    register(closed.registry)
    answer = closed.post(headers=headers)
    assert (answer.status_code, answer.json()) == (404, {"error": "Not found."})
    assert closed.requests() == 0


def test_what_is_wrong_with_the_secrets_closes_the_webhook_and_is_told_to_the_operators_alone(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def broken() -> Sequence[str]:
        raise ConfigurationError("The connection 'alerts' must have a password; it has none.")

    app = Starlette(routes=[Route(PATH, webhook(lambda: Registry(MemoryStore()), broken), methods=["POST"])])
    answer = TestClient(app).post(URL, content=body(), headers=BEARER)
    assert answer.status_code == 503
    assert "alerts" not in answer.text
    assert "'alerts' must have a password" in caplog.text


def test_the_application_is_closed_unless_it_is_given_secrets() -> None:
    registry = Registry(MemoryStore())
    register(registry)
    for secrets, status in (({}, 404), ({"get_secrets": lambda: (SECRET,)}, 200)):
        app = create_app(lambda: registry, **secrets)  # type: ignore[arg-type]
        assert TestClient(app).post(URL, content=body(), headers=BEARER).status_code == status


def test_the_webhook_does_not_open_the_pages(server: Server) -> None:
    for method in ("get", "put", "patch", "delete", "head"):
        assert getattr(server._client, method)(URL, headers=BEARER).status_code == 405


# What a replay may do


def test_a_signed_delivery_is_taken_once_by_all_servers_together(server: Server) -> None:
    other = Server(server.registry.store)
    headers = signed(body())
    assert server.post(headers=headers).status_code == 200
    for each in (server, other, Server(server.registry.store)):
        assert each.post(headers=headers).status_code == 409
    other.now += timedelta(minutes=6)
    assert other.post(headers=headers).status_code == 401
    assert server.requests() == 1


def test_a_signed_delivery_cannot_be_sent_to_another_address(server: Server) -> None:
    register(server.registry, "fraud")
    headers = signed(body())
    assert server.post(headers=headers).status_code == 200
    for url in ("/webhooks/alertmanager/fraud", "/webhooks/grafana/churn"):
        assert server.post(headers=headers, url=url).status_code == 409
    assert (server.requests(), server.requests("fraud")) == (1, 0)


def test_recorded_deliveries_at_once_make_one_request(server: Server) -> None:
    servers = [server, *(Server(server.registry.store) for _ in range(3))]
    headers = signed(body())
    with ThreadPoolExecutor(4) as threads:
        statuses = [answer.status_code for answer in threads.map(lambda each: each.post(headers=headers), servers)]
    assert sorted(statuses) == [200, 409, 409, 409]
    assert server.requests() == 1


def test_a_signature_is_not_used_up_by_a_delivery_that_failed(
    server: Server, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def away(self: Broker, **_: Any) -> None:
        raise StoreUnavailable("The store must answer; it does not.")

    headers = signed(body())
    with monkeypatch.context() as failing:
        failing.setattr(Broker, "put", away)
        answer = server.post(headers=headers)
    assert answer.status_code == 503
    assert "The store must answer" not in answer.text
    assert "The store must answer" in caplog.text
    assert server.post(headers=headers).json() == {"requests": 1, "ignored": 0}


# What a body may do


def test_the_same_alert_a_thousand_times_is_one_request(server: Server) -> None:
    answers = [server.post() for _ in range(1000)]
    assert {answer.status_code for answer in answers} == {200}
    assert [answer.json()["requests"] for answer in answers] == [1] + [0] * 999
    assert server.requests() == 1


def test_a_resolved_alert_asks_for_nothing(server: Server) -> None:
    assert server.post(body(status="resolved")).json() == {"requests": 0, "ignored": 1}
    assert server.requests() == 0


def test_a_flood_of_different_alerts_is_bounded(server: Server) -> None:
    for n in range(20):
        answer = server.post(body(*(f"f-{n}-{m}" for m in range(50))))
        assert answer.status_code == 200
        assert sum(answer.json().values()) == 50
    assert server.requests() == 100


def test_a_burst_takes_no_thread_from_airflow_and_is_refused_when_too_many_wait(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    released = threading.Event()

    def slow(self: Broker, real: Callable[..., Any] = Broker.put, **given: Any) -> Any:
        released.wait()
        return real(self, **given)

    async def burst() -> list[int]:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(server.app), base_url="http://here") as client:
            posts = [asyncio.ensure_future(client.post(URL, content=body(), headers=BEARER)) for _ in range(100)]
            first = [(await post).status_code for post in islice(asyncio.as_completed(posts, timeout=20), 36)]
            assert set(first) == {503}
            assert anyio.to_thread.current_default_thread_limiter().borrowed_tokens == 0
            released.set()
            return [(await post).status_code for post in posts]

    monkeypatch.setattr(Broker, "put", slow)
    try:
        statuses = asyncio.run(burst())
    finally:
        released.set()
    assert Counter(statuses) == {200: 64, 503: 36}
    assert server.requests() == 1


@pytest.mark.parametrize("form", FORMS)
def test_each_form_has_an_address(server: Server, form: str) -> None:
    generic = json.dumps({"fingerprint": "schema", "starts_at": "2026-11-21T11:59:00Z"}).encode()
    answer = server.post(generic if form == "generic" else body(), url=f"/webhooks/{form}/churn")
    assert answer.json() == {"requests": 1, "ignored": 0}


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"null", b'{"version": "4", "version": "4", "alerts": []}', b'{"a": NaN}', b"[" * 500_000],
)
def test_a_body_that_is_none_is_400(server: Server, content: bytes) -> None:
    answer = server.post(content)
    assert answer.status_code == 400
    assert set(answer.json()) == {"error"}
    assert server.requests() == 0


@pytest.mark.parametrize("headers", [BEARER, signed(b"")], ids=["token", "signature"])
def test_a_body_over_one_mebibyte_is_413_with_or_without_its_length(server: Server, headers: dict[str, str]) -> None:
    def chunks() -> Iterator[bytes]:
        yield from [b" " * 65_536] * (MAX_BODY // 65_536 + 1)

    assert server.post(b" " * (MAX_BODY + 1), headers=headers).status_code == 413
    assert server.post(chunks(), headers=headers).status_code == 413
    just = body() + b" " * (MAX_BODY - len(body()))
    assert server.post(just).status_code == 200


@pytest.mark.parametrize("name", ["nobody", "Champion", "con", "%2e%2e", "churn%00"])
def test_a_model_that_is_not_registered_is_404(server: Server, name: str) -> None:
    before = set(server.registry.store.keys(""))
    answer = server.post(url=f"/webhooks/alertmanager/{name}")
    assert answer.status_code == 404
    assert name not in answer.text
    assert set(server.registry.store.keys("")) == before


def test_no_text_of_a_body_becomes_a_key_or_an_answer(server: Server) -> None:
    for number, name in enumerate(HOSTILE_NAMES):
        hostile = json.loads(body(f"f-{number}"))
        hostile["alerts"][0] |= {"labels": {name: name, "model": name}, "annotations": {"summary": name}, "model": name}
        answer = server.post(json.dumps(hostile).encode())
        assert set(answer.json()) == {"requests", "ignored"}
    assert {key.split("/")[1] for key in server.registry.store.keys("models/")} == {"churn"}


def test_a_form_that_is_none_is_404(server: Server) -> None:
    assert server.post(url="/webhooks/pagerduty/churn").status_code == 404


# What no log may hold


def test_no_secret_and_no_line_of_a_callers_making_is_logged(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    near = SECRET[:-1]
    server.post()
    server.post(headers=signed(body("f-2")))
    server.post(headers={"Authorization": f"Bearer {near}"})
    server.post(headers={**signed(body()), SIGNATURE_HEADER: near})
    server.post(b"{" + SECRET.encode(), headers=BEARER)
    server.post(body(status="x\nFAKE LINE"), headers=BEARER)
    assert caplog.records
    texts = [record.getMessage() + (record.exc_text or "") for record in caplog.records]
    assert not [text for text in texts if near in text or "\n" in text]
