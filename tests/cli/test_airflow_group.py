"""``airflow stoker …`` through Airflow's own parser."""

from __future__ import annotations

import json

import pytest
from airflow.cli.cli_parser import get_parser

from stoker.cli import airflow_group
from stoker.cli.app import app
from stoker.registry.registry import Registry
from tests.cli.conftest import Call
from tests.support.registrations import register

pytestmark = pytest.mark.usefixtures("call")  # which points STOKER_STORE at the store of the test


def airflow(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    """Parse and run as ``airflow`` does, and return exit code, stdout and stderr."""

    def run() -> None:
        parsed = get_parser().parse_args(["stoker", *arguments])
        parsed.func(parsed)

    with pytest.raises(SystemExit) as end:
        run()
    return (int(end.value.code or 0), *capsys.readouterr())


def test_every_command_is_offered() -> None:
    (group,) = airflow_group.get_cli_commands()
    assert group.name == "stoker"
    assert {command.name for command in group.subcommands} == set(app.commands)


def test_options_reach_the_command_also_when_one_stands_first(
    capsys: pytest.CaptureFixture[str], registry: Registry
) -> None:
    register(registry)
    code, out, _ = airflow(capsys, "models", "--json")
    assert code == 0
    assert [row["model"] for row in json.loads(out)["models"]] == ["churn"]
    _, elsewhere, _ = airflow(capsys, "models", "--store", "memory://elsewhere", "--json")
    assert json.loads(elsewhere) == {"models": []}


def test_a_promotion_works_and_keeps_its_exit_codes(capsys: pytest.CaptureFixture[str], registry: Registry) -> None:
    register(registry)
    promotion = ("promote", "churn", "1", "--expect", "none", "--reason", "it is -- better")
    assert airflow(capsys, *promotion)[0] == 0
    assert registry.resolve("churn").number == 1
    register(registry)
    assert airflow(capsys, "promote", "--expect=none", "churn", "2", "--reason", "x")[0] == 3
    assert airflow(capsys, "show", "nobody", "1")[0] == 2


def test_commands_of_commands_and_their_help_work(capsys: pytest.CaptureFixture[str], registry: Registry) -> None:
    register(registry)
    assert airflow(capsys, "audit", "verify", "churn")[0] == 0
    code, out, _ = airflow(capsys, "audit", "verify", "--help")
    assert code == 0
    assert "airflow stoker audit verify" in out


def test_a_command_that_is_none_is_refused(capsys: pytest.CaptureFixture[str], call: Call) -> None:
    assert airflow(capsys, "nonsense")[0] == 2
