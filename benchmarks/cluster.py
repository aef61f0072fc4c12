"""Airflow as companies run it, on one machine: CeleryExecutor, PostgreSQL, Redis, an S3 server, and every part a host of its own.

Needs root and Debian's ``postgresql redis-server ceph-mon ceph-osd radosgw ceph-common``; see ``make cluster-test``.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import quote

from benchmarks.airflow_stack import PASSWORD, USER, AirflowStack
from benchmarks.gateway import KEY, SECRET, Gateway, gateway
from benchmarks.services import postgresql, redis
from stoker.store.s3_objects import S3Store

ROOT = Path(__file__).resolve().parents[1]
STORE, LANDING = "stoker", "landing"
"""The bucket of the store, and the one in which files land."""

_LOG_LINES = 15
# A host of its own for each part: a name, and a table of processes, of which the kernel kills all when the first one dies.
_HOST = ("unshare", "--uts", "--pid", "--fork", "--kill-child", "--mount-proc")
_NAMED = ("sh", "-c", 'hostname "$0" && exec "$@"')


class Cluster(AirflowStack):
    """Schedulers, an API server, a DAG processor, triggerers and Celery workers, each of which can be killed and started anew.

    The parts are called ``scheduler-1``, ``triggerer-1``, ``worker-1`` and so on, ``api-server`` and ``dag-processor``. Each worker
    has folders of its own for its home, its temporary files, its logs and its copy of the DAGs, under ``<home>/worker-<n>``.

    :param home: a short path, for everything that is written.
    :param dags: the folder whose DAGs are deployed, with ``include/`` beside it as in the project.
    :param environment: variables of every part that win over everything else.
    :param schedulers: how many.
    :param workers: how many.
    :param slots: how many tasks a worker runs at once.
    :param pinned: give each worker one processor, as a machine of its own would have.
    """

    def __init__(
        self,
        home: Path,
        *,
        dags: Path = ROOT / "dags",
        environment: Mapping[str, str] | None = None,
        schedulers: int = 2,
        workers: int = 2,
        slots: int = 2,
        pinned: bool = False,
    ) -> None:
        super().__init__(ROOT, home / "control", {})
        self.root = home
        self.dags = dags
        self.logs = home / "logs"
        self.log = self.logs / "triggerer-1.log"  # where watchers say that they watch
        self.workers = [f"worker-{number}" for number in range(1, workers + 1)]
        self.gateway: Gateway
        self._given = dict(environment or {})
        self._slots = slots
        self._pinned = pinned
        self._parts = [
            "api-server",
            *(f"scheduler-{number}" for number in range(1, schedulers + 1)),
            "dag-processor",
            "triggerer-1",
            *self.workers,
        ]
        self.running: dict[str, subprocess.Popen[bytes]] = {}
        self._began: dict[str, int] = {}
        self._services = ExitStack()

    def __enter__(self) -> Cluster:
        for folder in (self.home, self.logs, self.root / "s3"):
            folder.mkdir(parents=True)
        (self.home / "passwords.json").write_text(json.dumps({USER: PASSWORD}))
        # Whoever is told to end ends the cluster on the way out.
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
        with ExitStack() as services:
            services.callback(self._kill_all)
            database = services.enter_context(postgresql(self.logs))
            broker = services.enter_context(redis(self.logs))
            self.gateway = services.enter_context(gateway(self.root / "s3"))
            for bucket in (STORE, LANDING):
                self.gateway.client().create_bucket(Bucket=bucket)
            self.environment |= self._connected(database, broker) | self._given
            self._deploy(self.home)
            self._migrate()
            for part in self._parts:
                self.start(part)
            self._services = services.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Kill every part and end every server."""
        self._services.close()

    def start(self, part: str) -> None:
        """Start a part that does not run."""
        host = self.root / part
        is_worker = part in self.workers
        environment = self.environment
        if is_worker:
            if not host.exists():
                self._deploy(host)
            environment = {**environment, **_places(host), "HOME": str(host / "home"), "TMPDIR": str(host / "tmp")}
        else:
            environment = {**environment, **_places(self.home)}
        with (self.logs / f"{part}.log").open("ab") as log:
            self._began[part] = log.tell()
            self.running[part] = subprocess.Popen(
                [*_HOST, *_NAMED, part, *self._arguments(part)],
                env=environment,
                cwd=host if is_worker else self.home,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def kill(self, part: str) -> None:
        """SIGKILL a part with all that it started, as when its machine dies."""
        process = self.running.pop(part)
        process.send_signal(signal.SIGKILL)
        process.wait()

    def ready(self, worker: str) -> bool:
        """Whether a worker that was started takes tasks."""
        log = self.logs / f"{worker}.log"
        with log.open(errors="replace") as lines:
            lines.seek(self._began[worker])
            return f"{worker} ready." in lines.read()

    def store(self, prefix: str = "") -> S3Store:
        """The store, over a client of its own."""
        return S3Store(self.gateway.client(), STORE, prefix)

    def land(self, file: Path, prefix: str) -> None:
        """Put a file where files land."""
        self.gateway.client().upload_file(str(file), LANDING, f"{prefix}/{file.name}")

    def trigger(self, dag_id: str, conf: Mapping[str, Any] | None = None) -> str:
        """Start a run, and return its id."""
        body = {"logical_date": None, "conf": dict(conf or {})}
        return str(self.request("POST", f"/api/v2/dags/{dag_id}/dagRuns", body)["dag_run_id"])

    def runs(self, dag_id: str = "~") -> list[dict[str, Any]]:
        """The newest hundred runs of a DAG, or of all, the oldest first."""
        found = self.request("GET", f"/api/v2/dags/{dag_id}/dagRuns?limit=100&order_by=-id")["dag_runs"]
        return list(reversed(found))

    def emit(self, asset: str) -> None:
        """Emit an asset from outside."""
        found = self.request("GET", f"/api/v2/assets?name_pattern={quote(asset)}&limit=100")["assets"]
        body = {"asset_id": next(one["id"] for one in found if one["name"] == asset), "extra": {}}
        self.request("POST", "/api/v2/assets/events", body)

    def idle(self) -> bool:
        """Whether no run of any DAG goes on."""
        going = "/api/v2/dags/~/dagRuns?state=queued&state=running&limit=1"
        return bool(self.request("GET", going)["total_entries"] == 0)

    def task_instances(self, dag_id: str = "~", run_id: str = "~") -> list[dict[str, Any]]:
        """The task instances of a run, of a DAG, or of all, as Airflow tells them; ``hostname`` is the worker."""
        path = f"/api/v2/dags/{dag_id}/dagRuns/{quote(run_id)}/taskInstances?limit=100&offset="
        found: list[dict[str, Any]] = []
        while True:
            page = self.request("GET", f"{path}{len(found)}")
            found += page["task_instances"]
            if not page["task_instances"] or len(found) >= page["total_entries"]:
                return found

    def log_tail(self) -> str:
        """The last lines that each part printed."""
        tails = []
        for log in sorted(self.logs.glob("*.log")):
            lines = log.read_text(errors="replace").splitlines()[-_LOG_LINES:]
            tails.append("\n".join([f"--- {log.stem}", *lines]))
        return "\n".join(tails)

    def _arguments(self, part: str) -> list[str]:
        if part not in self.workers:
            return [_airflow(), part.rstrip("-0123456789")]
        cpu = str(self.workers.index(part) % (os.cpu_count() or 1))
        machine = ["taskset", "--cpu-list", cpu] if self._pinned else []
        quiet = ["--without-mingle", "--without-gossip", "--skip-serve-logs"]
        slots = ["--concurrency", str(self._slots)]
        return [*machine, _airflow(), "celery", "worker", "-H", f"{part}@%h", "-q", "default", *slots, *quiet]

    def _ended(self) -> bool:
        return any(process.poll() is not None for process in self.running.values())

    def _kill_all(self) -> None:
        for part in list(self.running):
            self.kill(part)

    def _migrate(self) -> None:
        with (self.logs / "migrate.log").open("wb") as log:
            subprocess.run(
                [_airflow(), "db", "migrate"],
                env={**self.environment, **_places(self.home)},
                stdout=log,
                stderr=log,
                check=True,
            )

    def _deploy(self, host: Path) -> None:
        """Give a host its folders and its copy of the DAGs; of the data nothing."""
        for folder in ("home", "tmp", "airflow"):
            (host / folder).mkdir(parents=True, exist_ok=True)
        ignored = shutil.ignore_patterns("__pycache__", "data")
        shutil.copytree(self.dags, host / "project/dags", ignore=ignored)
        include = self.dags.parent / "include"
        if include.exists():
            shutil.copytree(include, host / "project/include", ignore=ignored)

    def _connected(self, database: str, broker: str) -> dict[str, str]:
        extra = {
            "endpoint_url": self.gateway.endpoint,
            "region_name": "us-east-1",
            "config_kwargs": {"s3": {"addressing_style": "path"}},
        }
        aws = {"conn_type": "aws", "login": KEY, "password": SECRET, "extra": extra}
        stoker = {"conn_type": "stoker", "extra": {"store": f"s3://{STORE}", "max_threads": 1}}
        return {
            "AIRFLOW_CONN_AWS_DEFAULT": json.dumps(aws),
            "AIRFLOW_CONN_STOKER_DEFAULT": json.dumps(stoker),
            # The drivers are spelled out, for what SQLAlchemy takes by itself depends on its version.
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"postgresql+psycopg2://{database}",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_ASYNC": f"postgresql+asyncpg://{database}",
            "AIRFLOW__CELERY__RESULT_BACKEND": f"db+postgresql+psycopg2://{database}",
            "AIRFLOW__CELERY__BROKER_URL": broker,
            "AIRFLOW__CELERY__WORKER_PREFETCH_MULTIPLIER": "1",
            "AIRFLOW__CORE__EXECUTOR": "CeleryExecutor",
            "AIRFLOW__CORE__FERNET_KEY": base64.urlsafe_b64encode(os.urandom(32)).decode(),
            "AIRFLOW__CORE__HOSTNAME_CALLABLE": "socket.gethostname",
            "AIRFLOW__CORE__PARALLELISM": "16",
            "AIRFLOW__DAG_PROCESSOR__PARSING_PROCESSES": "1",
            "OMP_NUM_THREADS": "1",
        }


def _airflow() -> str:
    return str(Path(sys.executable).with_name("airflow"))


def _places(host: Path) -> dict[str, str]:
    return {"AIRFLOW_HOME": str(host / "airflow"), "AIRFLOW__CORE__DAGS_FOLDER": str(host / "project/dags")}
