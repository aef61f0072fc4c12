from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]

HIDE_THE_CHECKOUT = '''
"""Takes this project's editable install out of a process: its path, and its metadata with the entry points."""
import sys
from importlib.metadata import MetadataPathFinder

finders = [MetadataPathFinder]
if sys.version_info < (3, 12):  # there Airflow asks the backport
    import importlib_metadata

    finders.append(importlib_metadata.MetadataPathFinder)
CHECKOUT = {checkout!r}
sys.path[:] = [path for path in sys.path if path != CHECKOUT]


def hide_from(finder):
    find = finder.find_distributions.__func__

    def find_others(cls, *arguments, **options):
        for found in find(cls, *arguments, **options):
            editable = "site-packages" in str(found._path)
            if not (editable and found.metadata["Name"] == "airflow-provider-stoker"):
                yield found

    finder.find_distributions = classmethod(find_others)


for finder in finders:
    hide_from(finder)
'''

Report = Callable[..., Any]


@pytest.fixture
def report(tmp_path: Path) -> Report:
    """Run a script in a process with an Airflow home of its own, and return what it hands to ``report()``."""

    def run(script: str, *path: Path, hide_checkout: bool = False, arguments: tuple[str, ...] = (), **env: str) -> Any:
        folders = [*map(str, path)]
        if hide_checkout:
            hiding = tmp_path / "hiding"
            hiding.mkdir(exist_ok=True)
            (hiding / "sitecustomize.py").write_text(HIDE_THE_CHECKOUT.format(checkout=str(ROOT / "plugins")))
            folders.append(str(hiding))
        answer = tmp_path / "answer.json"
        prelude = f"def report(value):\n    import json\n    text = json.dumps(value)\n    open({str(answer)!r}, 'w').write(text)\n"
        done = subprocess.run(
            [sys.executable, "-c", prelude + script, *arguments],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
            env={
                "PATH": os.environ["PATH"],
                "PYTHONPATH": os.pathsep.join(folders),
                "AIRFLOW_HOME": str(tmp_path / "airflow"),
                "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
                "AIRFLOW__CORE__PLUGINS_FOLDER": str(tmp_path / "plugins"),
                "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "dags"),
                **env,
            },
        )
        assert answer.exists(), done.stdout[-2000:] + done.stderr[-4000:]
        return json.loads(answer.read_text())

    return run


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real wheel of this checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    build = f"from hatchling.build import build_wheel; build_wheel({str(folder)!r})"
    subprocess.run([sys.executable, "-c", build], cwd=ROOT, check=True, capture_output=True)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture
def installed(wheel: Path, tmp_path: Path) -> Path:
    """The wheel, installed: an unpacked wheel on the path is all that an installer makes of a pure one."""
    folder = tmp_path / "site"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The deployment by folder: a copy of ``plugins/`` where Airflow looks for plugins."""
    target = tmp_path / "plugins"
    shutil.copytree(ROOT / "plugins", target, ignore=shutil.ignore_patterns("__pycache__"))
    return target
