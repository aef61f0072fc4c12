"""docker/entrypoint.sh, with programs that only say that they were called."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "docker" / "entrypoint.sh"


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """A folder with the programs of the image: each writes its command line to ``calls``, and fails if it is told to."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("airflow", "python", "stoker"):
        program = folder / name
        program.write_text(
            f'#!/bin/sh\necho "{name} $*" >> {tmp_path}/calls\ncase "{name} $*" in $FAIL) exit 7;; esac\n'
        )
        program.chmod(0o755)
    return folder


def run(programs: Path, *words: str, fail: str = "never") -> tuple[int, list[str]]:
    env = {"PATH": f"{programs}:{os.environ['PATH']}", "FAIL": fail}
    done = subprocess.run([SCRIPT, *words], env=env)
    return done.returncode, (programs.parent / "calls").read_text().splitlines()


def test_init_migrates_makes_the_bucket_and_proves_the_store(programs: Path) -> None:
    code, calls = run(programs, "init")
    assert code == 0
    assert [call.split(" --")[0] for call in calls] == [
        "airflow db check",
        "airflow db migrate",
        "python /opt/airflow/create_bucket.py",
        "stoker doctor",
    ]


@pytest.mark.parametrize("role", ["api-server --workers 2", "scheduler", "dag-processor", "triggerer"])
def test_a_role_waits_for_the_database_and_its_migration(programs: Path, role: str) -> None:
    code, calls = run(programs, "airflow", *role.split())
    assert code == 0
    assert [call.split(" --")[0] for call in calls[:2]] == ["airflow db check", "airflow db check-migrations"]
    assert calls[2:] == [f"airflow {role}"]


@pytest.mark.parametrize("words", [["airflow", "celery", "worker"], ["stoker", "doctor"], ["python", "-V"]])
def test_what_needs_no_database_waits_for_none(programs: Path, words: list[str]) -> None:
    assert run(programs, *words) == (0, [" ".join(words)])


def test_nothing_starts_over_a_database_that_does_not_answer(programs: Path) -> None:
    code, calls = run(programs, "airflow", "scheduler", fail="airflow db check *")
    assert code == 7
    assert len(calls) == 1


def test_init_fails_with_an_unsound_store(programs: Path) -> None:
    code, calls = run(programs, "init", fail="stoker *")
    assert code == 7
    assert calls[-1] == "stoker doctor"


def test_the_exit_code_is_that_of_the_role(programs: Path) -> None:
    assert run(programs, "airflow", "triggerer", fail="airflow triggerer*")[0] == 7
