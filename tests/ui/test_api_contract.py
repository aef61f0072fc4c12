"""The API against its own description: questions that nobody would think of, asked as nobody, as a viewer and as an admin.

Schemathesis makes them up from the description, always the same ones, and judges the answers.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from airflow.api_fastapi.auth.managers.simple.simple_auth_manager import SimpleAuthManager
from fastapi import FastAPI
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.strategies import DataObject, data
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from stoker.registry.registry import Registry
from stoker.store.memory import MemoryStore
from stoker.ui.app import create_app
from stoker.ui.auth import airflow_access
from tests.support.logins import simple_login, token
from tests.support.registrations import ACTOR, register

DESCRIPTION = "/api/v1/openapi.json"
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
SETTINGS = settings(
    derandomize=True,
    deadline=None,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(scope="module")
def manager() -> Iterator[SimpleAuthManager]:
    with simple_login() as manager:
        yield manager


@pytest.fixture(scope="module")
def app(manager: SimpleAuthManager) -> FastAPI:
    registry = Registry(MemoryStore())
    for _ in range(3):
        register(registry)
    registry.promote("churn", 1, actor=ACTOR, reason="good")
    return create_app(lambda: registry, access=airflow_access())


@pytest.fixture(scope="module")
def description(app: FastAPI, manager: SimpleAuthManager) -> schemathesis.BaseSchema:
    headers = {"Authorization": f"Bearer {token(manager, 'VIEWER')}"}
    return schemathesis.openapi.from_asgi(DESCRIPTION, app, headers=headers)


def ask(description: schemathesis.BaseSchema, headers: dict[str, str], each: int = 15) -> Counter[tuple[str, int]]:
    """Ask each operation so many questions, and count the answers by method and status."""
    answers: Counter[tuple[str, int]] = Counter()

    @settings(SETTINGS, max_examples=each)
    @given(data=data())
    def asked(operation: Any, data: DataObject) -> None:
        case = data.draw(operation.as_strategy())
        # Half of the questions are about what there is: else nearly all would end at the name of the model.
        if "name" in case.path_parameters and len(str(case.path_parameters["name"])) % 2:
            case.path_parameters.update({"name": "churn", "number": "2"})
        answer = case.call(headers=headers)
        case.validate_response(answer, checks=CHECKS)
        answers[operation.method, answer.status_code] += 1

    for found in description.get_all_operations():
        asked(found.ok())
    return answers


def test_nobody_gets_an_answer(description: schemathesis.BaseSchema) -> None:
    answers = ask(description, {})
    assert {status for _, status in answers} <= {401, 403}  # it makes up tokens of its own as well
    assert answers.total() > 200


def test_a_viewer_gets_answers_and_changes_nothing(
    description: schemathesis.BaseSchema, manager: SimpleAuthManager
) -> None:
    answers = ask(description, {"Authorization": f"Bearer {token(manager, 'VIEWER')}"})
    assert {status for method, status in answers if method == "get"} == {200, 400, 404}
    assert {status for method, status in answers if method == "post"} <= {400, 403, 404}


def test_an_admin_gets_answers_that_are_as_described(
    description: schemathesis.BaseSchema, manager: SimpleAuthManager
) -> None:
    answers = ask(description, {"Authorization": f"Bearer {token(manager, 'ADMIN')}"})
    assert {status for method, status in answers if method == "get"} == {200, 400, 404}
    assert {status for method, status in answers if method == "post"} >= {200, 400, 404}


@pytest.mark.fault
@pytest.mark.timeout(3600)
def test_50_000_questions_are_answered_as_described(
    description: schemathesis.BaseSchema, manager: SimpleAuthManager, capsys: pytest.CaptureFixture[str]
) -> None:
    logins = [{}, *({"Authorization": f"Bearer {token(manager, role)}"} for role in ("VIEWER", "ADMIN"))]
    each = math.ceil(50_000 / len(logins) / len(list(description.get_all_operations())))
    answers = sum((ask(description, login, each) for login in logins), Counter())
    assert answers.total() > 49_000  # an operation without parameters has few questions
    with capsys.disabled():
        print(f"{answers.total():,} questions to the API: no status 500, each answer as described")
