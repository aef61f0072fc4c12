"""Where a model was made: versions, the code's commit, and how many threads a task may use."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Any

import stoker

_PACKAGES = {"sklearn": "scikit-learn", "numpy": "numpy", "pandas": "pandas", "skops": "skops"}
_GIT_SECONDS = 10


def environment() -> dict[str, Any]:
    """The versions of Python and of the packages that decide what a model file means."""
    packages = {name: metadata.version(distribution) for name, distribution in _PACKAGES.items()}
    return {
        "python": platform.python_version(),
        "platform": platform.platform(terse=True),
        "packages": {**packages, "stoker": stoker.__version__},
    }


def differences(then: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """Sentences on what differs between two environments, as far as a model file cares."""
    pairs = [("Python", _minor(then["python"]), _minor(now["python"]))]
    pairs += [(name, then["packages"].get(name), now["packages"].get(name)) for name in ("sklearn", "numpy", "skops")]
    return [f"Trained with {name} {old}, loaded with {new}." for name, old, new in pairs if old != new]


def code_version(file: Path | None) -> dict[str, Any] | None:
    """The git commit that a source file belongs to, and whether the working tree differs from it.

    :returns: ``None`` outside a git checkout, or without git.
    """
    git = shutil.which("git")
    if git is None or file is None or not file.is_file():
        return None
    try:
        commit = _git(git, file.parent, "rev-parse", "HEAD")
        changed = _git(git, file.parent, "status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.SubprocessError):
        return None
    return {"commit": commit, "dirty": bool(changed)}


def thread_limit(asked: int | None = None) -> int:
    """How many threads the numeric libraries may use: what is asked for, else ``OMP_NUM_THREADS``, else the CPUs that this
    process may run on.
    """
    if asked is not None:
        return asked
    if hasattr(os, "sched_getaffinity"):
        available = len(os.sched_getaffinity(0))
    else:
        available = os.cpu_count() or 1
    setting = os.environ.get("OMP_NUM_THREADS", "")
    return min(available, int(setting)) if setting.isdecimal() and int(setting) else available


def _minor(version: str) -> str:
    return ".".join(version.split(".")[:2])


def _git(git: str, folder: Path, *arguments: str) -> str:
    done = subprocess.run(  # noqa: S603 - git itself, with fixed arguments
        [git, "-C", str(folder), *arguments], capture_output=True, text=True, timeout=_GIT_SECONDS, check=True
    )
    return done.stdout.strip()
