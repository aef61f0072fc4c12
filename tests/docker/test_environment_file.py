"""docker/.env: made by one command, never twice the same, and fit for what each secret is for."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from cryptography.fernet import Fernet

PROJECT = Path(__file__).resolve().parents[2]


def made() -> dict[str, str]:
    command = [sys.executable, "-I", "-S", str(PROJECT / "docker/make_env.py")]  # -S: nothing but Python itself
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return dict(re.findall(r"^(\w+)=(.*)$", done.stdout, re.M))


def test_two_runs_share_no_secret() -> None:
    first, second = made(), made()
    assert {name for name in first if first[name] == second[name]} == {"PORT"}


def test_each_secret_is_long_enough_and_can_stand_in_a_url() -> None:
    secrets = made()
    Fernet(secrets.pop("FERNET_KEY"))
    assert len(secrets["JWT_SECRET"]) >= 64
    del secrets["PORT"]
    assert all(re.fullmatch(r"[0-9a-f]{48,}", secret) for secret in secrets.values()), secrets.keys()


def test_the_repository_holds_no_secret() -> None:
    example = (PROJECT / "docker/.env.example").read_text()
    assert set(re.findall(r"^\w+=(.+)$", example, re.M)) == {"8080"}
    assert ".env\n" in (PROJECT / ".gitignore").read_text()
