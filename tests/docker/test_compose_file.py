"""The services of docker/compose.yaml: valid, complete, without a secret, and without a privilege."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

DOCKER = Path(__file__).resolve().parents[2] / "docker"
TEXT = (DOCKER / "compose.yaml").read_text()
SERVICES: dict[str, dict[str, Any]] = yaml.safe_load(TEXT)["services"]
AIRFLOW = {name: service for name, service in SERVICES.items() if service["image"] == "stoker"}
ROLES = {name: service for name, service in AIRFLOW.items() if name != "init"}
SERVERS = {name: service for name, service in SERVICES.items() if name not in AIRFLOW}


def test_the_file_follows_the_compose_specification() -> None:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", "compose.yaml"]
    done = subprocess.run(command, cwd=DOCKER, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_there_are_two_schedulers_two_workers_and_one_of_each_other_role() -> None:
    commands = sorted(" ".join(service["command"][:3]).removeprefix("airflow ") for service in ROLES.values())
    assert [command.split(" --")[0] for command in commands] == [
        "api-server",
        "celery worker",
        "celery worker",
        "dag-processor",
        "scheduler",
        "scheduler",
        "triggerer",
    ]


def test_every_airflow_command_exists_with_its_options() -> None:
    from airflow.cli.cli_parser import get_parser

    parser = get_parser()
    checks = [service["healthcheck"]["test"][1] for service in ROLES.values()]
    # The worker's comes with the Celery provider, which only the image has: make docker-check starts it.
    commands = [service["command"] for service in ROLES.values() if "celery" not in service["command"]]
    commands += [check.split() for check in checks if check.startswith("airflow ")]
    commands += [line.split() for line in re.findall(r"^ +(airflow .*)$", (DOCKER / "entrypoint.sh").read_text(), re.M)]
    assert len(commands) >= 10
    for command in commands:
        assert callable(parser.parse_args(command[1:]).func), command


@pytest.mark.parametrize("name", ["airflow scheduler --two", "airflow schedule", "airflow db check-migration"])
def test_a_command_that_does_not_exist_would_be_found(name: str) -> None:
    from airflow.cli.cli_parser import get_parser

    with pytest.raises(SystemExit):
        get_parser().parse_args(name.split()[1:])


def test_every_configuration_option_is_one_of_airflow() -> None:
    from airflow.configuration import conf

    names = {name for service in AIRFLOW.values() for name in service["environment"] if name.startswith("AIRFLOW__")}
    options = {tuple(name.removeprefix("AIRFLOW__").lower().split("__")) for name in names}
    known = {
        (section, option) for section, about in conf.configuration_description.items() for option in about["options"]
    }
    # The Celery provider describes its own, where it is installed.
    assert options - known <= {("celery", "broker_url"), ("celery", "result_backend")}


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_a_service_has_a_health_check_limits_and_a_restart_policy_and_no_privilege(name: str) -> None:
    service = SERVICES[name]
    assert set(service["deploy"]["resources"]["limits"]) == {"cpus", "memory"}
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not service.keys() & {"privileged", "cap_add", "network_mode", "pid", "devices"}
    if name == "init":
        assert service["restart"] == "on-failure:3"
    else:
        assert service["restart"] == "unless-stopped"
        assert {"test", "interval", "timeout", "retries", "start_period"} <= set(service["healthcheck"])


@pytest.mark.parametrize("name", sorted(AIRFLOW))
def test_an_airflow_role_can_write_only_where_it_must(name: str) -> None:
    service = AIRFLOW[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    written = {volume.split(":")[1] for volume in service["volumes"]} | {
        mount.split(":")[0] for mount in service["tmpfs"]
    }
    assert written <= {"/opt/airflow/logs", "/opt/airflow/auth", "/tmp"}


def test_a_role_waits_for_the_database_and_only_init_changes_it() -> None:
    waited = {name: service["condition"] for name, service in AIRFLOW["init"]["depends_on"].items()}
    assert waited == dict.fromkeys(SERVERS, "service_healthy")
    for service in ROLES.values():
        assert service["depends_on"] == {"init": {"condition": "service_completed_successfully"}}
        assert "migrate" not in service["command"]


def test_only_the_pages_can_be_reached_and_only_from_this_machine() -> None:
    ports = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert ports == {"api-server": ["127.0.0.1:${PORT:-8080}:8080"]}


def test_an_image_is_pinned_to_a_version() -> None:
    for service in SERVERS.values():
        assert re.search(r":(RELEASE\.)?\d[\w.-]+", service["image"]), service["image"]


def test_every_secret_comes_from_the_environment_and_has_no_default() -> None:
    used = set(re.findall(r"\$\{(\w+)", TEXT))
    assert used == set(_names())
    assert set(re.findall(r"\$\{(\w+):-", TEXT)) == {"PORT"}
    for name in used - {"PORT"}:
        assert f"${{{name}:?see docker/.env.example}}" in TEXT, name
    for service in SERVICES.values():
        for name, value in service["environment"].items():
            if re.search("PASSWORD|SECRET|KEY|AUTH$|CONN|URL|BACKEND", name):
                assert "$" in value or "FILE" in name or name in _WITHOUT_SECRET, name


_WITHOUT_SECRET = {"AIRFLOW_CONN_STOKER_DEFAULT", "AIRFLOW__CORE__EXECUTION_API_SERVER_URL"}


def _names() -> list[str]:
    return re.findall(r"^(\w+)=", (DOCKER / ".env.example").read_text(), re.M)
