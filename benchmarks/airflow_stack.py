"""A real Airflow on this machine, with a home of its own and free ports: started, asked, stopped."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Any

import psutil
import yaml

USER = PASSWORD = "admin"  # noqa: S105 - of a throw-away Airflow that only this machine reaches
_STOP_SECONDS = 10
_LOG_LINES = 40


class AirflowStack:
    """Scheduler, API server, DAG processor and triggerer on SQLite, as ``airflow standalone`` runs them.

    :param root: the project, whose ``dags/``, ``plugins/`` and ``airflow_settings.yaml`` are used.
    :param home: ``AIRFLOW_HOME``; created when missing.
    :param environment: variables that win over everything else.
    """

    def __init__(self, root: Path, home: Path, environment: dict[str, str] | None = None) -> None:
        self.home = home
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.settings = read_settings(root / "airflow_settings.yaml")
        self.environment = {
            **os.environ,
            **self._configuration(root),
            **self.settings.environment(),
            **(environment or {}),
        }
        self.environment.pop("PYTHONDONTWRITEBYTECODE", None)  # it would make every task compile its imports anew
        self.log = home / "airflow.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._token = ""

    def __enter__(self) -> AirflowStack:
        self.home.mkdir(parents=True, exist_ok=True)
        (self.home / "passwords.json").write_text(json.dumps({USER: PASSWORD}))
        airflow = Path(sys.executable).with_name("airflow")
        with self.log.open("wb") as log:
            # A session of its own, so that Ctrl-C reaches this program first, and stopping reaches all of Airflow.
            self._process = subprocess.Popen(
                [str(airflow), "standalone"],
                env=self.environment,
                cwd=self.home,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Ask Airflow to stop, and end whatever is left of it."""
        process, self._process = self._process, None
        if process is None:
            return
        # Airflow's parts and tasks lead process groups of their own, so they are remembered one by one.
        family: list[psutil.Process] = []
        with contextlib.suppress(psutil.NoSuchProcess):
            parent = psutil.Process(process.pid)
            family = [parent, *parent.children(recursive=True)]
        process.send_signal(signal.SIGINT)
        _, alive = psutil.wait_procs(family, timeout=_STOP_SECONDS)
        for straggler in alive:  # a task in mid-training does not stop for a signal
            with contextlib.suppress(psutil.NoSuchProcess):
                straggler.kill()
        psutil.wait_procs(alive, timeout=_STOP_SECONDS)
        process.wait()

    def wait_until_ready(self, seconds: float = 180) -> None:
        """Wait until every component reports to be healthy and pools are made.

        :raises RuntimeError: when it does not happen in time, or Airflow ended; with the end of its log.
        """
        deadline = time.monotonic() + seconds
        while not self._healthy():
            if self._ended():
                raise RuntimeError(f"Airflow ended while it started:\n{self.log_tail()}")
            if time.monotonic() > deadline:
                raise RuntimeError(f"Airflow must be ready within {seconds:.0f} s; it is not:\n{self.log_tail()}")
            time.sleep(1)
        self._token = self.request("POST", "/auth/token", {"username": USER, "password": PASSWORD})["access_token"]
        for pool in self.settings.pools:
            self.request("POST", "/api/v2/pools", pool)

    def unpause(self, dag_id: str, seconds: float = 120) -> None:
        """Wait until a DAG has been parsed, and switch it on.

        :raises RuntimeError: when it does not appear; with Airflow's import errors.
        """
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            try:
                self.request("PATCH", f"/api/v2/dags/{dag_id}?update_mask=is_paused", {"is_paused": False})
                return
            except urllib.error.HTTPError as error:
                if error.code != 404:
                    raise
            time.sleep(1)
        errors = self.request("GET", "/api/v2/importErrors")
        raise RuntimeError(f"The DAG {dag_id} must appear within {seconds:.0f} s; import errors: {json.dumps(errors)}")

    def wait_until_watching(self, watchers: int, seconds: float = 120) -> None:
        """Wait until the triggerer runs this many watchers of ours.

        :raises RuntimeError: when it does not; with the end of Airflow's log.
        """
        deadline = time.monotonic() + seconds
        while self.log.read_text(errors="replace").count(" Watching ") < watchers:
            if time.monotonic() > deadline:
                raise RuntimeError(f"{watchers} watchers must run within {seconds:.0f} s:\n{self.log_tail()}")
            time.sleep(0.5)

    def request(self, method: str, path: str, body: Any = None) -> Any:
        """Call Airflow's REST API and return the JSON that it answers."""
        request = urllib.request.Request(
            self.url + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={
                "Content-Type": "application/json",
                **({"Authorization": f"Bearer {self._token}"} if self._token else {}),
            },
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    def log_tail(self) -> str:
        """The last lines that Airflow printed."""
        lines = self.log.read_text(errors="replace").splitlines() if self.log.exists() else []
        return "\n".join(lines[-_LOG_LINES:])

    def _ended(self) -> bool:
        return self._process is None or self._process.poll() is not None

    def _healthy(self) -> bool:
        try:
            health = self.request("GET", "/api/v2/monitor/health")
        except (OSError, ValueError):
            return False
        parts = ("metadatabase", "scheduler", "triggerer", "dag_processor")
        return all((health.get(part) or {}).get("status") == "healthy" for part in parts)

    def _configuration(self, root: Path) -> dict[str, str]:
        secret = os.urandom(64).hex()
        return {
            "AIRFLOW_HOME": str(self.home),
            # "airflow standalone" starts its parts by the bare name "airflow".
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
            "AIRFLOW__CORE__DAGS_FOLDER": str(root / "dags"),
            "AIRFLOW__CORE__PLUGINS_FOLDER": str(root / "plugins"),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__PARALLELISM": "4",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": f"{USER}:admin",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(self.home / "passwords.json"),
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{self.url}/execution/",
            "AIRFLOW__API__HOST": "127.0.0.1",
            "AIRFLOW__API__PORT": str(self.port),
            "AIRFLOW__API__BASE_URL": self.url,
            "AIRFLOW__API__SECRET_KEY": secret,
            "AIRFLOW__API_AUTH__JWT_SECRET": secret,
            "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(free_port()),
            "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(free_port()),
            "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "5",
            # A task's slot is given back at the next heartbeat; the default of 5 s would be most of a short task's time.
            "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "1",
            "DO_NOT_TRACK": "1",
        }


class LocalSettings:
    """What an ``airflow_settings.yaml`` declares."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.connections: list[dict[str, Any]] = document.get("connections") or []
        self.variables: list[dict[str, Any]] = document.get("variables") or []
        self.pools = [
            {"name": pool["pool_name"], "slots": pool["pool_slot"], "description": pool.get("pool_description")}
            for pool in document.get("pools") or []
        ]

    def environment(self) -> dict[str, str]:
        """Connections and variables in the form in which Airflow reads them from the environment."""
        connections = {f"AIRFLOW_CONN_{c['conn_id'].upper()}": json.dumps(_connection(c)) for c in self.connections}
        variables = {f"AIRFLOW_VAR_{v['variable_name'].upper()}": str(v["variable_value"]) for v in self.variables}
        return {**connections, **variables}


def read_settings(path: Path) -> LocalSettings:
    """Read an ``airflow_settings.yaml`` in the Astro form."""
    return LocalSettings((yaml.safe_load(path.read_text()) or {}).get("airflow") or {})


def free_port() -> int:
    """A port on this machine that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _connection(entry: dict[str, Any]) -> dict[str, Any]:
    names = {
        "conn_type": "conn_type",
        "conn_host": "host",
        "conn_schema": "schema",
        "conn_login": "login",
        "conn_port": "port",
    }
    given = {ours: entry[theirs] for theirs, ours in names.items() if entry.get(theirs) not in (None, "")}
    return {**given, "extra": entry.get("conn_extra") or {}}
