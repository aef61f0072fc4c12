"""What a change must bring: the origin of the request, and the form of its body."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi import Request
from fastapi.testclient import TestClient
from starlette.types import Message

from stoker.core.wire import MAX_DEPTH
from stoker.registry.registry import Registry
from stoker.store.memory import MemoryStore
from stoker.ui import origin
from stoker.ui.access import Access, Person
from stoker.ui.api_models import Because
from stoker.ui.failures import Refused
from stoker.ui.origin import MAX_BODY
from tests.support.applications import client_of
from tests.support.registrations import register

URL = "/api/v1/models/churn/versions/1/block"
OWN = {"Origin": "http://testserver"}
JSON = {"Content-Type": "application/json"}
GOOD = b'{"reason": "it is bad"}'


@pytest.fixture
def registry() -> Registry:
    registry = Registry(MemoryStore())
    register(registry)
    return registry


@pytest.fixture
def client(registry: Registry) -> Iterator[TestClient]:
    with client_of(registry) as client:
        yield client


def send(client: TestClient, content: Any = GOOD, **headers: str) -> Any:
    return client.post(URL, content=content, headers={**OWN, **JSON, **headers})


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Sec-Fetch-Site": "same-origin", "Origin": "http://testserver"}, 200),
        ({"Sec-Fetch-Site": "same-origin"}, 200),
        ({"Sec-Fetch-Site": "same-origin", "Origin": "https://before-the-proxy.example"}, 200),
        ({"Origin": "http://testserver"}, 200),
        ({"Origin": "https://TESTSERVER"}, 200),
        ({"Authorization": "Bearer x"}, 200),
        ({"Authorization": "bearer x", "Origin": "http://testserver"}, 200),
        ({}, 403),
        ({"Cookie": "_token=x"}, 403),
        ({"Authorization": "Basic x"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site", "Origin": "http://testserver"}, 403),
        ({"Sec-Fetch-Site": "none"}, 403),
        ({"Sec-Fetch-Site": ""}, 403),
        ({"Sec-Fetch-Site": "cross-site", "Authorization": "Bearer x"}, 403),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "https://evil.example", "Authorization": "Bearer x"}, 403),
        ({"Origin": "http://testserver.evil.example"}, 403),
        ({"Origin": "http://testserver:8080"}, 403),
        ({"Origin": "http://evil@testserver"}, 403),
        ({"Origin": "testserver"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": ""}, 403),
        ({"Origin": "", "Host": ""}, 403),
        ({"Origin": "http://[::1"}, 403),
    ],
    ids=str,
)
def test_a_change_is_taken_from_our_pages_or_with_a_token(
    client: TestClient, registry: Registry, headers: dict[str, str], status: int
) -> None:
    answer = client.post(URL, content=GOOD, headers={**JSON, **headers})
    assert answer.status_code == status
    assert (1 in registry.state("churn").blocked) == (status == 200)
    if status == 403:
        assert answer.json()["error"]["type"] == "ForeignOrigin"


@pytest.mark.parametrize(
    "given",
    ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "text/json", "application/json-patch+json",
     "", "application/jsonx", "text/plain; application/json"],
)  # fmt: skip
def test_what_a_form_of_another_site_can_send_is_no_json(client: TestClient, registry: Registry, given: str) -> None:
    answer = send(client, **{"Content-Type": given})
    assert answer.status_code == 415
    assert answer.json()["error"]["type"] == "UnsupportedMediaType"
    assert not registry.state("churn").blocked


def test_a_character_set_may_be_named(client: TestClient) -> None:
    assert send(client, **{"Content-Type": "Application/JSON; charset=utf-8"}).status_code == 200


@pytest.mark.parametrize(
    "content",
    [
        b"", b"null", b"[]", b"7", b'"reason"', b"{", b'{"reason": "a"} x', b"\xff\xfe", b'{"reason": NaN}',
        b'{"reason": "a", "more": NaN}', b'{"reason": "a", "more": Infinity}',
        b'{"reason": "a", "reason": "b"}', b'{"reason": "a", "more": 1}', b'{"reason": 7}', b'{"reason": null}',
        b'{"reason": ["a"]}', b'{"reason": ""}', b'{"reason": "  \\n "}', b'{"reason": "\\ud800"}', b"{}",
        json.dumps({"reason": "a" * 1001}).encode(),
        b'{"reason": ' + b"[" * 30_000 + b"]" * 30_000 + b"}",
        b'{"reason": ' + b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1) + b"}",
        b'{"reason": "a", "n": ' + b"1" * 5000 + b"}",
    ],
    ids=lambda content: ascii(content)[:40],
)  # fmt: skip
def test_a_body_that_is_not_exactly_what_is_asked_for_is_refused(
    client: TestClient, registry: Registry, content: bytes
) -> None:
    answer = send(client, content)
    assert answer.status_code == 400
    assert answer.json()["error"]["type"] == "InvalidRequest"
    assert len(answer.content) < 2000
    assert not registry.state("churn").blocked


def test_a_huge_body_is_refused_before_its_end(client: TestClient) -> None:
    sent = 0

    def endless() -> Iterator[bytes]:
        nonlocal sent
        for _ in range(1000):
            sent += 1
            yield b" " * 4096

    answer = send(client, endless())
    assert answer.status_code == 413
    assert answer.json()["error"]["type"] == "BodyTooLarge"
    full = b'{"reason": "it is bad"}'.ljust(MAX_BODY)
    assert send(client, full + b" ").status_code == 413
    assert send(client, full).status_code == 200


def test_a_body_that_does_not_come_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(origin, "_READ_SECONDS", 0.01)

    async def never() -> Message:
        await asyncio.sleep(60)
        raise AssertionError

    scope = {"type": "http", "headers": [(b"content-type", b"application/json")]}
    with pytest.raises(Refused, match="within") as refused:
        asyncio.run(origin.json_body(Because).dependency(Request(scope, never)))
    assert refused.value.status == 408


def test_whoever_may_not_act_learns_nothing_from_their_body(registry: Registry) -> None:
    with client_of(registry, Access((), lambda: Person("eve", lambda dag_id: False))) as client:
        for content in (GOOD, b"{", b" " * 100_000):
            answer = client.post(URL, content=content, headers={**OWN, **JSON})
            assert answer.status_code == 403
            assert answer.json()["error"]["type"] == "NotAllowed"
    assert not registry.state("churn").blocked


def test_the_longest_reason_is_kept_as_it_was_written(client: TestClient, registry: Registry) -> None:
    reason = "a" * 999 + "ß"
    assert send(client, json.dumps({"reason": reason}).encode()).status_code == 200
    *_, last = registry.history("churn")
    assert last.reason == reason
    too_many_bytes = json.dumps({"reason": "\U0001f525" * 1000}, ensure_ascii=False).encode()
    refused = client.post(URL.replace("block", "unblock"), content=too_many_bytes, headers={**OWN, **JSON})
    assert refused.status_code == 400
