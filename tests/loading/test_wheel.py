"""What is in the wheel, and what Airflow finds once it is installed."""

from __future__ import annotations

import zipfile
from pathlib import Path

from stoker import __version__
from tests.loading.conftest import ROOT, Report

PROVIDER = """
from airflow.providers_manager import ProvidersManager
from airflow.configuration import conf
manager = ProvidersManager()
hook = manager.hooks["stoker"]
report({
    "version": manager.providers["airflow-provider-stoker"].version,
    "hook": [hook.hook_class_name, hook.hook_name],
    "fields": sorted(manager.connection_form_widgets),
    "hidden": sorted(manager.field_behaviours["stoker"]["hidden_fields"]),
    "max_threads": conf.get("stoker", "max_threads"),
    "overridden": conf.get("stoker", "aws_conn_id"),
    "links": manager.extra_links_class_names,
})
"""

COMMAND = """
import contextlib, io, json, sys
from airflow.__main__ import main
sys.argv = ["airflow", "stoker", "models", "--json"]
out = io.StringIO()
with contextlib.redirect_stdout(out):
    try:
        main()
    except SystemExit as end:
        code = end.code
report({"code": code, "out": json.loads(out.getvalue())})
"""


def test_the_wheel_holds_the_package_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        entry_points = archive.read(f"airflow_provider_stoker-{__version__}.dist-info/entry_points.txt").decode()
    package = ROOT / "plugins" / "stoker"
    expected = {
        f"stoker/{path.relative_to(package)}"
        for path in package.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert {name for name in names if name.startswith("stoker/")} == expected
    assert {"stoker/py.typed", "stoker/ui/templates/base.html", "stoker/ui/static/stoker.css"} <= names
    assert {name.split("/")[0] for name in names} == {"stoker", f"airflow_provider_stoker-{__version__}.dist-info"}
    for line in (
        "stoker = stoker.plugin:StokerPlugin",
        "provider_info = stoker.provider:get_provider_info",
        "stoker = stoker.cli.app:main",
    ):
        assert line in entry_points


def test_airflow_finds_connection_type_settings_and_links(report: Report, installed: Path) -> None:
    found = report(PROVIDER, installed, hide_checkout=True, AIRFLOW__STOKER__AWS_CONN_ID="mine")
    assert found["version"] == __version__
    assert found["hook"] == ["stoker.hooks.registry.StokerHook", "Stoker"]
    fields = {field for field in found["fields"] if field.startswith("extra__stoker__")}
    names = {"store", "aws_conn_id", "expected_bucket_owner", "trusted_types", "max_threads", "memory_limit"}
    assert fields == {f"extra__stoker__{name}" for name in names}
    assert "password" in found["hidden"]
    assert (found["max_threads"], found["overridden"]) == ("2", "mine")
    assert "stoker.links.VerdictLink" in found["links"]


def test_airflow_runs_our_commands_over_its_own_settings(report: Report, installed: Path, tmp_path: Path) -> None:
    store = (tmp_path / "store").as_uri()
    answer = report(COMMAND, installed, hide_checkout=True, AIRFLOW__STOKER__STORE_URI=store)
    assert answer == {"code": 0, "out": {"models": []}}
    assert (tmp_path / "store").is_dir()
