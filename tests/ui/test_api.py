"""The API's answers to questions: the records of the views, and a description that every route is in."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient

from stoker.registry.registry import Registry
from stoker.store import layout
from stoker.store.documents import put_document
from stoker.store.memory import MemoryStore
from tests.support.applications import client_of
from tests.support.registrations import ACTOR, register

HOSTILE = "</script><script>alert(1)</script>{{7*7}}\u202e"


@pytest.fixture
def registry() -> Registry:
    return Registry(MemoryStore())


@pytest.fixture
def client(registry: Registry) -> Iterator[TestClient]:
    with client_of(registry) as client:
        yield client


def get(client: TestClient, path: str, **params: Any) -> Any:
    answer = client.get(f"/api/v1{path}", params=params)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/json"
    return answer.json()


def test_an_empty_registry_has_empty_lists(client: TestClient) -> None:
    assert get(client, "/models") == {"models": [], "next": None, "scanned": 0, "total": 0}
    assert get(client, "/attention")["items"] == []


def test_models_are_listed_with_their_champions_by_page(client: TestClient, registry: Registry) -> None:
    for name in ("churn", "fraud", "spam"):
        register(registry, name)
    registry.promote("churn", 1, actor=ACTOR, reason="good")
    first = get(client, "/models", limit=2)
    assert [row["name"] for row in first["models"]] == ["churn", "fraud"]
    assert first["models"][0]["champion"]["version"] == 1
    assert first["models"][1]["champion"] is None
    rest = get(client, "/models", limit=2, after=first["next"])
    assert [row["name"] for row in rest["models"]] == ["spam"]
    assert rest["next"] is None
    assert [row["name"] for row in get(client, "/models", search="rau")["models"]] == ["fraud"]


def test_a_damaged_model_hides_no_other(client: TestClient, registry: Registry) -> None:
    register(registry, "churn")
    registry.store.create(f"{layout.log('fraud')}{1:020d}.json", b"no entry")
    rows = {row["name"]: row for row in get(client, "/models")["models"]}
    assert rows["fraud"]["state"] == "damaged"
    assert rows["fraud"]["problem"]
    assert rows["churn"]["problem"] is None


def test_versions_come_newest_first_and_by_page(client: TestClient, registry: Registry) -> None:
    for _ in range(5):
        register(registry)
    first = get(client, "/models/churn/versions", limit=3)
    assert [row["number"] for row in first["rows"]] == [5, 4, 3]
    rest = get(client, "/models/churn/versions", limit=3, before=first["next"])
    assert [row["number"] for row in rest["rows"]] == [2, 1]
    assert rest["next"] is None


def test_every_question_about_a_model_has_an_answer(client: TestClient, registry: Registry) -> None:
    version = register(registry)
    register(registry)
    registry.promote("churn", 1, actor=ACTOR, reason="good")
    assert get(client, "/models/churn")["name"] == "churn"
    assert get(client, "/models/churn/versions/1")["row"]["digest"] == version.digest
    assert get(client, "/models/churn/compare", left=1, right=2)["left"]["number"] == 1
    assert get(client, "/models/churn/lineage")["stages"]
    assert get(client, "/models/churn/lineage", number=2)["version"] == 2
    assert get(client, "/models/churn/champions")["events"][0]["version"] == 1
    assert [entry["seq"] for entry in get(client, "/models/churn/history")["entries"]] == [3, 2, 1]
    assert len(get(client, "/models/churn/quality")["versions"]) == 2
    assert get(client, "/models/churn/drift")["windows"] == []
    assert get(client, "/models/churn/why")["breaker"]["open"] is False


def test_times_carry_their_zone(client: TestClient, registry: Registry) -> None:
    register(registry)
    assert get(client, "/models/churn/versions")["rows"][0]["registered"].endswith("Z")


def test_a_document_is_given_as_it_lies_there(client: TestClient, registry: Registry) -> None:
    content = {"kind": "note", HOSTILE: [HOSTILE, None, 1.5, {"a": [True]}]}
    digest = put_document(registry.store, content)
    answer = get(client, f"/documents/{digest}")
    assert answer["digest"] == digest
    for key, value in content.items():
        assert answer["content"][key] == value


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/models/churn/versions/2", 404),
        ("/models/churn/versions/0", 400),
        ("/models/churn/versions/1.0", 400),
        ("/models/churn/versions/+1", 400),
        ("/models/churn/versions/01", 400),
        ("/models/churn/versions/1e0", 400),
        ("/models/churn/versions/%EF%BC%91", 400),
        ("/models/churn/compare", 400),
        ("/models/churn/compare?left=1", 400),
        ("/models/churn/compare?left=1&right=0", 400),
        ("/models/churn/compare?left=1&right=9", 404),
        ("/models/churn/lineage?number=9", 404),
        ("/models/churn/history?before=-1", 400),
        ("/models/churn/history?limit=201", 400),
        ("/models?limit=0", 400),
        ("/models?limit=x", 400),
        ("/models/nobody", 404),
        ("/models/nobody/versions", 404),
        ("/models/nobody/why", 404),
        ("/models/nobody/drift", 404),
        ("/models/nobody/quality", 404),
        ("/models/nobody/history", 404),
        ("/models/Churn", 400),
        ("/documents/" + "A" * 64, 404),
        ("/documents/" + "0" * 63, 404),
    ],
)
def test_a_wrong_question_is_told_in_our_form(client: TestClient, registry: Registry, path: str, status: int) -> None:
    register(registry)
    answer = client.get(f"/api/v1{path}")
    assert answer.status_code == status
    error = answer.json()["error"]
    assert error.keys() == {"type", "message", "details"}
    assert error["message"].endswith(".") or error["details"]


def test_the_description_has_every_route_with_its_answers_and_errors(client: TestClient) -> None:
    described = get(client, "/openapi.json")
    assert described["openapi"].startswith("3.1")
    paths = described["paths"]
    assert sum(len(methods) for methods in paths.values()) == 21
    for path, methods in paths.items():
        assert path.startswith("/api/v1/")
        for method, operation in methods.items():
            assert operation["summary"], path
            assert operation["security"] == [{"token": []}, {"session": []}]
            assert set(operation["responses"]) >= {"200", "400", "401", "403", "404", "409", "500", "503"}
            assert "422" not in operation["responses"]
            assert "$ref" in operation["responses"]["200"]["content"]["application/json"]["schema"], path
            assert ("requestBody" in operation) == (method == "post")
            if method == "post":
                assert set(operation["responses"]) >= {"413", "415"}
                assert (
                    operation["requestBody"]["content"]["application/json"]["schema"]["additionalProperties"] is False
                )
    assert set(described["components"]["securitySchemes"]) == {"token", "session"}
