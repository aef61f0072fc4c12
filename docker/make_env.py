"""Print fresh secrets for compose.yaml: ``python3 docker/make_env.py > docker/.env``. Needs nothing but Python.

The names are those of ``.env.example``. Run it once: another run makes other secrets, which open no database that is there.
"""

from __future__ import annotations

import base64
import secrets
from pathlib import Path

EXAMPLE = Path(__file__).with_name(".env.example")


def secret(name: str) -> str:
    """A fresh secret, long enough for what the name says it is for, of characters that a URL may hold."""
    if name == "FERNET_KEY":
        return base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()
    return secrets.token_hex(64 if name == "JWT_SECRET" else 24)  # HS512 wants 64 bytes


if __name__ == "__main__":
    for line in EXAMPLE.read_text().splitlines():
        name, assignment, value = line.partition("=")
        print(f"{name}={secret(name)}" if assignment and not value else line)
