"""The page of versions lists what `make matrix` installs, and the package asks for no others."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from benchmarks.matrix import ROWS, SHOWN, Row, outcome_of
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "versions.md").read_text()
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
LOCKED = {one["name"]: one.get("version") for one in tomllib.loads((ROOT / "uv.lock").read_text())["package"]}
RANGES = {one.name: one.specifier for one in map(Requirement, PROJECT["dependencies"])}

ROW = r"^\| {name} \| {python} \|((?: [0-9.]+ \|){{{count}}})$"


def versions(row: Row) -> dict[str, str]:
    """What the page says that a row installs."""
    (found,) = re.findall(ROW.format(name=row.name, python=row.python, count=len(SHOWN)), PAGE, re.MULTILINE)
    return dict(zip(SHOWN, found.replace("|", "").split(), strict=True))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_a_row_of_the_page_is_what_the_matrix_installs(row: Row) -> None:
    for package, version in versions(row).items():
        asked = SpecifierSet(row.pins.get(package, f"=={LOCKED[package]}"))
        assert version in asked, f"{package} {version} is not {asked}"


def test_the_page_has_no_other_rows() -> None:
    table = PAGE.partition("| row |")[2].partition("\n\n")[0]
    assert re.findall(r"^\| ([\w.-]+) \|", table, re.MULTILINE) == [row.name for row in ROWS]


@pytest.mark.parametrize("row", [row for row in ROWS if row.name != "pandas3"], ids=lambda row: row.name)
def test_the_package_may_be_installed_with_every_row(row: Row) -> None:
    assert row.python in SpecifierSet(PROJECT["requires-python"])
    for package, version in versions(row).items():
        assert version in RANGES[package], f"{package} {version} is not in {RANGES[package]}"


def test_the_package_asks_for_nothing_older_than_the_oldest_row() -> None:
    (oldest,) = (row for row in ROWS if row.name == "oldest")
    for package, version in oldest.pins.items():
        if package in RANGES and version.startswith("=="):
            assert f">={version[2:]}" in {str(one) for one in RANGES[package]}, package
    assert f">={oldest.python}," in f"{PROJECT['requires-python']},"


def test_a_row_tells_what_pytest_said_also_when_a_library_warns_after_it() -> None:
    assert (
        outcome_of("...\n12 passed, 3 warnings in 4.56s\n[warning ] deprecated in 3.0\n")
        == "12 passed, 3 warnings in 4.56s"
    )
    assert outcome_of("FAILED a\n== 1 failed, 2 passed in 4.5s ==\n") == "1 failed, 2 passed in 4.5s"
    assert outcome_of("no module named pytest\n") == "no module named pytest"
