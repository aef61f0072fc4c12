"""The doctor finds what is wrong with Airflow's configuration; each fault is planted, and is the only finding."""

from __future__ import annotations

import json
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from airflow.api.common import airflow_health

import stoker
from stoker.cli import doctor_airflow
from stoker.cli.doctor import examine
from stoker.cli.invocation import Invocation
from stoker.hooks.registry import StokerHook

RUNS = {"status": "healthy"}


def health(**changed: Any) -> dict[str, Any]:
    return {"metadatabase": RUNS, "scheduler": RUNS, "triggerer": RUNS, "dag_processor": RUNS, **changed}


@pytest.fixture(autouse=True)
def healthy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("_AIRFLOW_PROCESS_CONTEXT", "client")
    monkeypatch.delenv("STOKER_STORE", raising=False)
    monkeypatch.setenv("AIRFLOW__CORE__PLUGINS_FOLDER", str(tmp_path / "plugins"))
    monkeypatch.setenv("AIRFLOW__CORE__EXECUTOR", "LocalExecutor")
    monkeypatch.setenv("AIRFLOW__STOKER__STORE_URI", f"file://{tmp_path}/store")
    monkeypatch.setattr(airflow_health, "get_airflow_health", health)


def findings() -> dict[str, tuple[str, str]]:
    hook = StokerHook()
    return {
        check.check: (check.result, check.finding)
        for check in doctor_airflow.examine_airflow(hook, hook.get_conn())
        if check.result != "ok"
    }


def connect(monkeypatch: pytest.MonkeyPatch, conn_id: str = "stoker_default", **given: Any) -> None:
    monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", json.dumps({"conn_type": "stoker", **given}))


def test_a_healthy_installation_gives_no_warning() -> None:
    assert findings() == {}


def test_the_whole_doctor_asks_airflow_too() -> None:
    checks = {check.check: check.result for check in examine(Invocation())}
    assert checks["triggerer"] == checks["shared store"] == checks["temporary files"] == "ok"


@pytest.mark.parametrize("name", ["os.system", "builtins.eval", "subprocess.Popen", "pickle.loads"])
def test_a_trusted_type_that_runs_programs_fails(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__STOKER__TRUSTED_TYPES", f"mypkg.Clip {name}")
    assert list(findings()) == ["trusted types"]
    assert name in findings()["trusted types"][1]


def test_types_of_ones_own_are_trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__STOKER__TRUSTED_TYPES", "mypkg.Clip ossify.Cut builtins.object")
    assert findings() == {}


def test_a_connection_and_a_configuration_that_disagree_are_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    connect(monkeypatch, extra={"store": "memory://elsewhere"})
    assert list(findings()) == ["one store"]
    assert "memory://elsewhere" in findings()["one store"][1]


@pytest.mark.parametrize("executor", ["CeleryExecutor", "KubernetesExecutor", "LocalExecutor,CeleryExecutor"])
def test_a_folder_for_workers_on_several_machines_fails(executor: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__CORE__EXECUTOR", executor)
    real = metadata.version
    monkeypatch.setattr(metadata, "version", lambda name: "5.6.0" if name == "celery" else real(name))
    assert list(findings()) == ["shared store"]
    assert findings()["shared store"][0] == "fail"
    assert "s3://" in findings()["shared store"][1]


def test_a_celery_that_was_not_tested_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__CORE__EXECUTOR", "CeleryExecutor")
    monkeypatch.setenv("AIRFLOW__STOKER__STORE_URI", "memory://shared")
    real = metadata.version
    monkeypatch.setattr(metadata, "version", lambda name: "5.7.0" if name == "celery" else real(name))
    assert list(findings()) == ["celery"]


def test_a_celery_that_is_missing_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__CORE__EXECUTOR", "CeleryExecutor")
    monkeypatch.setenv("AIRFLOW__STOKER__STORE_URI", "memory://shared")

    def version(name: str) -> str:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", version)
    assert findings()["celery"][0] == "fail"


@pytest.mark.parametrize(("version", "result"), [(stoker.__version__, "warn"), ("0.0.9", "fail")])
def test_two_copies_are_found(version: str, result: str, tmp_path: Path) -> None:
    copy = tmp_path / "plugins" / "stoker"
    copy.mkdir(parents=True)
    (copy / "__init__.py").write_text(f'__version__ = "{version}"\n')
    assert findings()["one copy"][0] == result
    assert str(copy) in findings()["one copy"][1]


def test_a_copy_that_is_the_one_that_runs_is_none(tmp_path: Path) -> None:
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins" / "stoker").symlink_to(Path(stoker.__file__).parent)
    assert findings() == {}


def test_a_webhook_without_its_connection_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__STOKER__WEBHOOK_CONN_ID", "alerts")
    assert list(findings()) == ["webhook"]


def test_a_short_secret_fails_and_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__STOKER__WEBHOOK_CONN_ID", "alerts")
    connect(monkeypatch, "alerts", password="canary")
    assert findings()["webhook"][0] == "fail"
    assert "canary" not in findings()["webhook"][1]


@pytest.mark.parametrize(
    ("part", "command"), [("triggerer", "airflow triggerer"), ("dag_processor", "airflow dag-processor")]
)
@pytest.mark.parametrize("status", ["unhealthy", None])
def test_a_part_of_airflow_that_does_not_run_is_a_warning(
    part: str, command: str, status: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(airflow_health, "get_airflow_health", lambda: health(**{part: {"status": status}}))
    assert list(findings()) == [part]
    assert command in findings()[part][1]


def test_parts_are_not_judged_where_there_is_no_database(monkeypatch: pytest.MonkeyPatch) -> None:
    broken = {"status": "unhealthy"}
    monkeypatch.setattr(airflow_health, "get_airflow_health", lambda: health(metadatabase=broken, triggerer=broken))
    assert findings() == {}


def test_a_setting_that_is_misspelt_fails_with_what_was_meant(monkeypatch: pytest.MonkeyPatch) -> None:
    connect(monkeypatch, extra={"trusted_type": "mypkg.Clip"})
    checks = {check.check: check for check in examine(Invocation())}
    assert checks["settings"].result == "fail"
    assert "trusted_type (do you mean trusted_types?)" in checks["settings"].finding
