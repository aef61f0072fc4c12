"""Where the packages come from, and under which licence."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from types import ModuleType

import pytest

PROJECT = Path(__file__).resolve().parents[2]
# Licences that let a work be used, changed and passed on beside one under Apache-2.0, without touching the work's own.
FREE = {
    "0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "CC0-1.0", "CNRI-Python", "ISC", "MIT", "MIT-0", "MPL-2.0", "PSF-2.0", "TCL",
    "Unlicense", "Zlib",
}  # fmt: skip
LOOKED_AT = {
    "psycopg2-binary": "LGPL-3.0-or-later",  # a library that is loaded, unchanged, by the extra celery only
    "text-unidecode": "Artistic-1.0-Perl OR GPL-2.0-or-later",  # taken under the first; Airflow brings it
}


@pytest.fixture(scope="module")
def licences() -> ModuleType:
    spec = importlib.util.spec_from_file_location("licences", PROJECT / "docs" / "licences.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_list_holds_every_package_of_the_lock_in_its_version(licences: ModuleType) -> None:
    listed = {name: version for name, (version, _) in licences.listed().items()}
    assert listed == licences.locked(), "Run: make licences"
    assert len(listed) > 150


def test_every_licence_was_found_fit(licences: ModuleType) -> None:
    unfit = {name: licence for name, (_, licence) in licences.listed().items() if not _fit(name, licence)}
    assert not unfit


def _fit(name: str, licence: str) -> bool:
    return LOOKED_AT.get(name) == licence or (bool(licence) and set(re.split(" AND | OR ", licence)) <= FREE)


@pytest.mark.parametrize(
    "licence", ["", "unknown", "GPL-3.0-only", "AGPL-3.0-only", "MIT AND GPL-2.0-only", "Proprietary"]
)
def test_another_licence_would_be_found(licence: str) -> None:
    assert not _fit("some-package", licence)


def test_a_licence_that_was_looked_at_holds_for_its_package_only() -> None:
    assert not _fit("another", LOOKED_AT["psycopg2-binary"])


def test_every_package_comes_from_an_index_with_a_hash() -> None:
    for package in tomllib.loads((PROJECT / "uv.lock").read_text())["package"]:
        if package["name"] == "airflow-provider-stoker":
            assert package["source"] == {"editable": "."}
            continue
        assert set(package["source"]) == {"registry"}, package["name"]
        files = [*package.get("wheels", []), *filter(None, [package.get("sdist")])]
        assert files, package["name"]
        assert all(file["hash"].startswith("sha256:") for file in files), package["name"]


def test_the_builder_of_the_image_is_pinned_with_hashes() -> None:
    lines = (PROJECT / "docker" / "uv.txt").read_text().replace("\\\n", "").splitlines()
    assert len(lines) == 1
    assert re.match(r"uv==[\d.]+ .*--hash=sha256:[0-9a-f]{64}", lines[0])


def _uv(*words: str, **kwargs: object) -> subprocess.CompletedProcess[str]:
    beside = Path(sys.executable).with_name("uv")
    return subprocess.run([beside if beside.exists() else "uv", *words], cwd=PROJECT, check=True, text=True, **kwargs)


@pytest.mark.fault
def test_the_requirements_install_with_hashes_into_an_empty_environment(tmp_path: Path, capsys) -> None:
    requirements, home = tmp_path / "requirements.txt", tmp_path / "venv"
    export = ["--quiet", "--locked", "--no-dev", "--all-extras", "--no-emit-project"]
    _uv("export", *export, "--output-file", str(requirements))
    _uv("venv", "--quiet", "--python", sys.executable, str(home))
    python = str(home / "bin" / "python")
    _uv("pip", "install", "--quiet", "--python", python, "--require-hashes", "--requirements", str(requirements))
    _uv("pip", "check", "--quiet", "--python", python)
    line = "import stoker, stoker.factory; from airflow.version import version; print(version)"
    environ = {**os.environ, "PYTHONPATH": str(PROJECT / "plugins"), "AIRFLOW_HOME": str(tmp_path)}
    done = subprocess.run([python, "-c", line], env=environ, check=True, capture_output=True, text=True)
    assert done.stdout.startswith("3.3.")
    with capsys.disabled():
        print(f"\n{requirements.read_text().count('==')} packages installed with hashes into an empty environment")


@pytest.mark.fault
def test_a_package_with_another_hash_is_refused(tmp_path: Path) -> None:
    line = (PROJECT / "docker" / "uv.txt").read_text().split(" ", 1)[0]
    wrong = tmp_path / "wrong.txt"
    wrong.write_text(f"{line} --hash=sha256:{'0' * 64}\n")
    with pytest.raises(subprocess.CalledProcessError):
        _uv("pip", "install", "--quiet", "--target", str(tmp_path / "to"), "--require-hashes", "-r", str(wrong))
