"""PostgreSQL and Redis on this machine for a while, each in a folder of its own and on a free port."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from benchmarks.airflow_stack import free_port

_DEBIAN = Path("/usr/lib/postgresql")
_START_SECONDS = 60


@contextmanager
def postgresql(folder: Path, database: str = "airflow") -> Iterator[str]:
    """A PostgreSQL server with one empty database.

    It refuses to run as root, so a root gives it a user and a data folder of its own.

    :param folder: for its log.
    :yields: ``user@host:port/database``, without a driver.
    """
    port = free_port()
    owner = "postgres" if os.geteuid() == 0 else None
    data = Path(tempfile.mkdtemp(prefix="stoker-postgresql-"))
    try:
        if owner:
            shutil.chown(data, owner)
        _run([_program("initdb"), "-D", str(data), "-U", database, "-A", "trust", "-N"], owner)
        # Processes are killed here, not the machine, so nothing is synced to the disk.
        options = ["-c", "fsync=off", "-c", "listen_addresses=127.0.0.1", "-c", "max_connections=200"]
        command = [_program("postgres"), "-D", str(data), "-k", str(data), "-p", str(port), *options]
        ready = [_program("pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(port)]
        with _server(command, folder / "postgresql.log", ready, owner):
            _run([_program("createdb"), "-h", "127.0.0.1", "-p", str(port), "-U", database, database], owner)
            yield f"{database}@127.0.0.1:{port}/{database}"
    finally:
        shutil.rmtree(data, ignore_errors=True)


@contextmanager
def redis(folder: Path) -> Iterator[str]:
    """A Redis server that keeps nothing.

    :param folder: for its log.
    :yields: its address.
    """
    port = str(free_port())
    command = ["redis-server", "--port", port, "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)]
    with _server(command, folder / "redis.log", ["redis-cli", "-p", port, "ping"], None):
        yield f"redis://127.0.0.1:{port}/0"


@contextmanager
def _server(command: Sequence[str], log: Path, ready: Sequence[str], owner: str | None) -> Iterator[None]:
    """A server for the length of the context, from when the command ``ready`` ends well."""
    with log.open("wb") as output:
        # A session of its own, so that Ctrl-C reaches this program first.
        process = subprocess.Popen(command, stdout=output, stderr=output, cwd="/", start_new_session=True, **_as(owner))
    try:
        _until(lambda: subprocess.run(ready, capture_output=True, check=False).returncode == 0, process, log)
        yield
    finally:
        process.send_signal(signal.SIGINT)  # PostgreSQL calls this fast: it waits for no client
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=10)
        process.kill()
        process.wait()


def _until(ready: Callable[[], bool], process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while not ready():
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"{log.stem} must start within {_START_SECONDS} s:\n{log.read_text(errors='replace')}")
        time.sleep(0.2)


def _program(name: str) -> str:
    """A program of PostgreSQL's; Debian keeps them off the PATH."""
    newest = sorted(_DEBIAN.glob(f"*/bin/{name}"), key=lambda path: int(path.parts[-3]))
    found = shutil.which(name) or (str(newest[-1]) if newest else None)
    if found is None:
        raise RuntimeError(f"{name} of PostgreSQL must be installed; it is not. Run: apt-get install postgresql")
    return found


def _run(command: Sequence[str], owner: str | None) -> None:
    subprocess.run(command, check=True, capture_output=True, cwd="/", **_as(owner))


def _as(owner: str | None) -> dict[str, Any]:
    return {"user": owner, "group": owner, "extra_groups": []} if owner else {}
