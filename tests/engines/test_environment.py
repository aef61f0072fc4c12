from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from stoker.engines.environment import code_version, differences, environment, thread_limit


def test_an_environment_does_not_differ_from_itself():
    here = environment()
    assert differences(here, here) == []
    assert set(here["packages"]) == {"sklearn", "numpy", "pandas", "skops", "stoker"}


def test_other_versions_are_told_and_patches_of_python_are_not():
    now = environment()
    then = {**now, "python": "3.9.1", "packages": {**now["packages"], "numpy": "1.0"}}
    assert len(differences(then, now)) == 2
    assert differences({**now, "python": f"{now['python'].rpartition('.')[0]}.99"}, now) == []


def test_the_commit_of_a_file_is_found_and_changes_make_it_dirty(tmp_path):
    def git(*arguments: str) -> None:
        subprocess.run(
            ["git", "-C", tmp_path, "-c", "user.name=t", "-c", "user.email=t@t", *arguments],
            check=True,
            capture_output=True,
        )

    file = tmp_path / "estimator.py"
    file.write_text("one")
    git("init")
    git("add", ".")
    git("commit", "-m", "one")
    clean = code_version(file)
    assert clean["dirty"] is False
    assert len(clean["commit"]) == 40
    file.write_text("two")
    assert code_version(file) == {"commit": clean["commit"], "dirty": True}


def test_outside_a_checkout_there_is_no_commit(tmp_path):
    (tmp_path / "estimator.py").touch()
    assert code_version(tmp_path / "estimator.py") is None
    assert code_version(Path("/no/such/file.py")) is None
    assert code_version(None) is None


@pytest.mark.parametrize(("setting", "limit"), [("1", 1), ("", None), ("many", None), ("0", None)])
def test_threads_follow_the_task_and_its_environment(monkeypatch, setting, limit):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    available = thread_limit()
    monkeypatch.setenv("OMP_NUM_THREADS", setting)
    assert thread_limit() == (limit or available)
    assert thread_limit(3) == 3
