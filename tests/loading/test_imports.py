"""What a DAG file pays for naming Stoker: no heavy library, no data, no network, and the same DAG every time."""

from __future__ import annotations

from typing import Any

from tests.loading.conftest import ROOT, Report

HEAVY = """
import sys
HEAVY = {
    "pandas", "numpy", "scipy", "sklearn", "great_expectations", "evidently", "boto3", "botocore", "duckdb", "pyarrow",
    "fastapi", "jinja2", "skops",
}
OURS = ("stoker.ui", "stoker.reports")
def heavy():
    return HEAVY & {name.split(".")[0] for name in sys.modules} | {name for name in sys.modules if name.startswith(OURS)}
touched = []
def watch(event, arguments):
    if event == "socket.connect":
        touched.append(f"connect {arguments[1]}")
    if event == "open" and isinstance(arguments[0], str):
        path = arguments[0]
        code = path.endswith((".py", ".pyc")) or ".pyc." in path or ".dist-info" in path or path in sys.path
        if not code and not path.startswith((sys.prefix, sys.base_prefix)):  # what libraries read of their own is theirs
            touched.append(f"open {path}")
"""

MODULES = """
import importlib, json, airflow.sdk
before = heavy()
sys.addaudithook(watch)
report({name: sorted((importlib.import_module(name), heavy() - before)[1]) for name in sys.argv[1:]} | {"touched": touched})
"""

PARSE = """
import hashlib, json, os
from airflow.dag_processing.dagbag import DagBag
from airflow.serialization.serialized_objects import DagSerialization
from pathlib import Path
empty = Path("empty.py").resolve()
empty.write_text("from airflow.sdk import DAG\\nDAG('empty', schedule=None)\\n")
bag = DagBag(dag_folder=str(empty))
assert not bag.import_errors, bag.import_errors
list(map(DagSerialization.to_dict, bag.dags.values()))
before = heavy()
sys.addaudithook(watch)
sys.path.insert(0, sys.argv[1])
def parse():
    bag = DagBag(dag_folder=sys.argv[1])
    assert not bag.import_errors, bag.import_errors
    return {dag_id: json.dumps(DagSerialization.to_dict(dag), sort_keys=True) for dag_id, dag in bag.dags.items()}
first = parse()
report({"heavy": sorted(heavy() - before), "touched": touched, "dags": first, "again": parse()})
"""


def dag_facing_modules() -> list[str]:
    package = ROOT / "plugins" / "stoker"
    rooms = ("operators", "sensors", "triggers", "hooks")
    within = sorted(f"stoker.{room}.{path.stem}" for room in rooms for path in (package / room).glob("[a-z]*.py"))
    return [
        "stoker",
        "stoker.assets",
        "stoker.links",
        "stoker.plugin",
        "stoker.provider",
        *within,
        "stoker_plugin",
    ]


def test_no_module_that_a_dag_reaches_brings_a_heavy_library_or_touches_anything(report: Report) -> None:
    modules = dag_facing_modules()
    assert {
        "stoker.operators.train",
        "stoker.sensors.alias",
        "stoker.triggers.new_data",
        "stoker.hooks.registry",
    } <= set(modules)
    found: dict[str, Any] = report(HEAVY + MODULES, arguments=tuple(modules))
    assert "\n".join(found.pop("touched")) == ""
    assert {name: brought for name, brought in found.items() if brought} == {}


def test_the_watch_notices_what_it_should(report: Report) -> None:
    script = HEAVY + "sys.addaudithook(watch)\nimport socket\nopen('data.csv', 'w').close()\n"
    script += "socket.socket().connect_ex(('127.0.0.1', 9))\nimport numpy\nreport([sorted(heavy()), touched])\n"
    heavy, touched = report(script)
    assert heavy == ["numpy"]
    assert any(line == "open data.csv" for line in touched)
    assert any(line.startswith("connect") for line in touched)


def test_parsing_our_dags_is_light_silent_and_repeatable(report: Report) -> None:
    folder = (str(ROOT / "dags"),)
    one = report(HEAVY + PARSE, arguments=folder, PYTHONHASHSEED="1")
    other = report(HEAVY + PARSE, arguments=folder, PYTHONHASHSEED="2")
    assert one["dags"]
    assert one["heavy"] == []
    assert "\n".join(one["touched"]) == ""
    assert one["dags"] == one["again"] == other["dags"]
