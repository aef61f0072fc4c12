from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from click.testing import CliRunner

from stoker.cli.app import app
from stoker.core.clock import random_id
from stoker.registry.registry import Registry
from stoker.store.opening import open_store


@dataclass(frozen=True)
class Answer:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def error(self) -> dict[str, Any]:
        return json.loads(self.err)["error"]


Call = Callable[..., Answer]


@pytest.fixture(params=["memory", "local"])
def uri(request: pytest.FixtureRequest, tmp_path: Any) -> str:
    return f"memory://{random_id()}" if request.param == "memory" else (tmp_path / "a store").as_uri()


@pytest.fixture
def registry(uri: str) -> Registry:
    return Registry(open_store(uri))


@pytest.fixture
def call(uri: str, monkeypatch: pytest.MonkeyPatch) -> Call:
    """Run ``stoker`` on the store of the test."""
    monkeypatch.setenv("STOKER_STORE", uri)
    monkeypatch.setenv("COLUMNS", "80")

    def run(*arguments: str) -> Answer:
        result = CliRunner().invoke(app, list(arguments), prog_name="stoker")
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Answer(result.exit_code, result.stdout, result.stderr)

    return run
