"""Airflow's real plugin loaders, over each form in which the project is deployed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.loading.conftest import Report

LOAD = """
import sys, types
from airflow import plugins_manager
plugins, errors = plugins_manager._get_plugins()
from airflow.sdk import plugins_manager as sdk
sdk_plugins, sdk_errors = sdk._get_plugins()
import stoker, secrets
folder = sys.argv[1]
files = {name: getattr(module, "__file__", None) or "" for name, module in list(sys.modules.items())}
apps, _ = plugins_manager.get_fastapi_plugins()
from airflow.api_fastapi.core_api.datamodels.plugins import PluginCollectionResponse, PluginResponse
infos = plugins_manager.get_plugin_info()
report({
    "names": sorted(plugin.name for plugin in plugins),
    "errors": errors,
    "sdk_names": sorted(plugin.name for plugin in sdk_plugins),
    "sdk_errors": sdk_errors,
    "home": stoker.__file__,
    "bare": sorted(name for name, file in files.items() if file.startswith(folder) and name.split(".")[0] != "stoker"),
    "stdlib": [types.__file__, secrets.__file__],
    "apps": sorted(app["url_prefix"] for app in apps),
    "valid": sorted(PluginResponse.model_validate(info).name for info in infos),
})
"""


@pytest.fixture
def neighbour(tmp_path: Path) -> Path:
    """Another package with a plugin, whose entry point comes after ours."""
    site = tmp_path / "neighbour"
    metadata = site / "zz_neighbour-1.0.dist-info"
    metadata.mkdir(parents=True)
    (site / "zz_neighbour.py").write_text(
        "from airflow.plugins_manager import AirflowPlugin\n\n\nclass Plugin(AirflowPlugin):\n    name = 'neighbour'\n"
    )
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: zz-neighbour\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[airflow.plugins]\nneighbour = zz_neighbour:Plugin\n")
    return site


def load(report: Report, tmp_path: Path, *path: Path) -> dict[str, Any]:
    (tmp_path / "plugins").mkdir(exist_ok=True)
    found: dict[str, Any] = report(LOAD, *path, hide_checkout=True, arguments=(str(tmp_path / "plugins"),))
    assert found["errors"] == found["sdk_errors"] == {}
    assert found["names"] == found["sdk_names"] == found["valid"]
    assert found["apps"] == ["/stoker"]
    assert not [file for file in found["stdlib"] if "stoker" in file or "plugins" in file]
    return found


def ours(names: list[str]) -> list[str]:
    """The plugins without those that Airflow's own providers bring."""
    return [name for name in names if name in {"stoker", "neighbour"}]


def test_the_folder_alone_gives_one_plugin_and_only_the_door_is_run(
    report: Report, tmp_path: Path, folder: Path
) -> None:
    found = load(report, tmp_path)
    assert ours(found["names"]) == ["stoker"]
    assert found["home"] == str(folder / "stoker" / "__init__.py")
    assert found["bare"] == ["stoker_plugin"]


def test_the_wheel_alone_gives_one_plugin(report: Report, tmp_path: Path, installed: Path, neighbour: Path) -> None:
    found = load(report, tmp_path, installed, neighbour)
    assert ours(found["names"]) == ["neighbour", "stoker"]
    assert found["home"] == str(installed / "stoker" / "__init__.py")


def test_folder_and_wheel_together_give_one_plugin_and_leave_the_others_alone(
    report: Report, tmp_path: Path, folder: Path, installed: Path, neighbour: Path
) -> None:
    found = load(report, tmp_path, installed, neighbour)
    assert ours(found["names"]) == ["neighbour", "stoker"]
    assert found["home"] == str(installed / "stoker" / "__init__.py")


def test_a_door_without_its_check_would_be_noticed(
    report: Report, tmp_path: Path, folder: Path, installed: Path, neighbour: Path
) -> None:
    (folder / "stoker_plugin.py").write_text("from stoker.plugin import StokerPlugin\n")
    found = report(LOAD, installed, neighbour, hide_checkout=True, arguments=(str(folder),))
    # Airflow 3.2 only logs it, but there too the second registration costs tasks the plugins that come after it.
    assert found["errors"] or found["sdk_names"] != found["names"]
