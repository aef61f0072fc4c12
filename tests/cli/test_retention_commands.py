from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from stoker.cli.app import app
from stoker.registry.registry import Registry
from stoker.store.local_files import LocalStore
from tests.support.registrations import register


@pytest.fixture
def address(tmp_path: Path) -> str:
    store = LocalStore(tmp_path / "store")
    for _ in range(12):
        register(Registry(store))
    return store.uri


def _policy(tmp_path: Path, text: str) -> str:
    path = tmp_path / "policy.yaml"
    path.write_text(text)
    return str(path)


def _run(*arguments: str, code: int = 0) -> str:
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == code, result.output
    return result.stdout if code == 0 else result.output


def test_a_plan_says_why_versions_stay(address: str) -> None:
    shown = " ".join(_run("--store", address, "retention", "plan").split())
    assert "10: it is among the newest" in shown
    assert "2: it is young" in shown
    assert "0 objects of 0 bytes are needed by nothing" in shown


def test_a_plan_follows_the_policy_file(address: str, tmp_path: Path) -> None:
    policy = _policy(tmp_path, "retention: {newest_versions: 3, version_age: 0h}\n")
    found = json.loads(_run("--store", address, "retention", "plan", "--policy", policy, "--json"))
    assert found["models"][0]["archive"] == list(range(1, 10))
    assert found["unneeded"] == 9


def test_a_grace_of_less_than_a_day_is_refused(address: str, tmp_path: Path) -> None:
    policy = _policy(tmp_path, "retention: {grace: 1h}\n")
    assert "at least 24 hours" in _run("--store", address, "retention", "plan", "--policy", policy, code=2)


def test_a_sweep_wants_to_be_confirmed(address: str) -> None:
    assert "pass --yes" in _run("--store", address, "retention", "sweep", code=2)


def test_a_sweep_archives_and_condemns_and_says_when_what_goes(address: str, tmp_path: Path) -> None:
    policy = _policy(tmp_path, "retention: {newest_versions: 3, version_age: 0h}\n")
    swept = json.loads(_run("--store", address, "retention", "sweep", "--yes", "--policy", policy, "--json"))
    assert swept["archived"] == {"churn": list(range(1, 10))}
    assert (swept["removed"], swept["condemned"] > 0, bool(swept["due"])) == (0, True, True)
    assert "condemned; a sweep from" in _run("--store", address, "retention", "sweep", "--yes", "--policy", policy)
    assert "archived" in _run("--store", address, "versions", "churn")
    assert "given up by retention" in _run("--store", address, "show", "churn", "1")
    assert "archived v1-v9" in " ".join(_run("--store", address, "audit", "log", "churn").split())
