"""The page of limits says what the code says, and leaves out none of its size limits."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "limits.md").read_text()
ROWS = re.findall(r"^\| ([^|]+) \| ([^|]+) \| `(stoker\.[^`]+)` \| ([^|]+) \|$", PAGE, re.MULTILINE)

_UNITS = {"KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "MB": 10**6, "GB": 10**9, "%": 0.01, "s": 1, "min": 60}

# How much is shown, not how much is taken: nothing is refused for them.
SHOWN = {"examples", "golden", "drift_figures", "importances", "figures", "baselines", "plans"}
SHOWN_NAMES = {"MAX_TOLD", "MAX_FAULTS"}


def value_of(shown: str) -> float:
    number, _, unit = shown.replace(",", "").partition(" ")
    return float(number) * _UNITS.get(unit, 1)


def constant(path: str) -> Any:
    """A constant by its dotted path, or the default of a parameter: ``module.function(parameter)``."""
    path, _, parameter = path.rstrip(")").partition("(")
    module, _, name = path.rpartition(".")
    found = getattr(importlib.import_module(module), name)
    if parameter:
        found = inspect.signature(found).parameters[parameter].default
    return found.total_seconds() if isinstance(found, timedelta) else found


@pytest.mark.parametrize(("limit", "shown", "path", "outcome"), ROWS)
def test_a_limit_is_the_one_in_the_code(limit: str, shown: str, path: str, outcome: str) -> None:
    assert value_of(shown) == pytest.approx(constant(path)), limit
    assert outcome.strip()


def test_every_size_limit_of_the_code_is_on_the_page() -> None:
    listed = {path for _, _, path, _ in ROWS}
    missing = []
    for file in sorted((ROOT / "plugins" / "stoker").rglob("*.py")):
        module = ".".join(file.relative_to(ROOT / "plugins").with_suffix("").parts)
        for node in ast.parse(file.read_text()).body:
            targets = [node.target] if isinstance(node, ast.AnnAssign) else getattr(node, "targets", [])
            names = [target.id for target in targets if isinstance(target, ast.Name) and target.id.startswith("MAX_")]
            missing += [
                f"{module}.{name}" for name in names if f"{module}.{name}" not in listed and name not in SHOWN_NAMES
            ]
    assert [path for path in missing if path.split(".")[-2] not in SHOWN] == []


def test_there_are_rows() -> None:
    assert len(ROWS) > 30
