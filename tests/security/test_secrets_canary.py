"""No secret leaves the connection that holds it: canaries in every field, real runs, sound and failing, and a look at all that is left.

Airflow masks the passwords it knows in the logs of tasks. The errors are looked at before that too, and everything else is never masked:
the whole database file of Airflow (XCom, rendered templates, serialised DAGs and triggers), the whole store, the pages and the commands.
"""

from __future__ import annotations

import base64
import json
import os
import re
import sqlite3
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.sql.hooks.sql import DbApiHook
from airflow.sdk import dag, task
from click.testing import CliRunner
from fastapi.testclient import TestClient

from stoker import LoopSpec, SnapshotDatasetOperator, continuous_training_dags
from stoker.cli.app import app as commands
from stoker.errors import StokerError
from stoker.hooks.registry import StokerHook
from stoker.hooks.webhook_secrets import webhook_secrets
from stoker.store.retries import Patience
from stoker.ui.app import create_app
from tests.dags.conftest import PROJECT, land, register, run_dag, states
from tests.support.s3_server import BUCKET, client, s3_server

MARK = "9wL4vP7qZ"[::-1]  # backwards, for Airflow keeps the source of each DAG's file in its database
_ENCODED = [base64.b64encode(b"x" * shift + MARK.encode())[4 if shift else 0 : -4] for shift in range(3)]


def canary(field: str) -> str:
    return f"{MARK}-{field}-0123456789abcdef"


@pytest.fixture(scope="module", autouse=True)
def airflow_database() -> None:
    from airflow.utils import db

    db.initdb()


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with s3_server() as address:
        yield address


@contextmanager
def refusing() -> Iterator[str]:
    """A server that refuses every request, and says back all that it was told, as some do to help with signatures."""

    class Refusal(BaseHTTPRequestHandler):
        def _refuse(self) -> None:
            told = "".join(f"{name}: {value}\n" for name, value in self.headers.items())
            body = f"<Error><Code>SignatureDoesNotMatch</Code><Message>No.</Message><StringToSign>{told}</StringToSign></Error>"
            self.send_response(403)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body.encode())

        do_GET = do_PUT = do_HEAD = do_DELETE = do_POST = _refuse  # noqa: N815 - the names that the library calls

        def log_message(self, *_: object) -> None:
            pass

    running = ThreadingHTTPServer(("127.0.0.1", 0), Refusal)
    thread = threading.Thread(target=running.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{running.server_port}"
    finally:
        running.shutdown()
        thread.join()
        running.server_close()


@pytest.fixture
def connect(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[str], None]:
    """Connections with a canary in every field that can hold a secret, to the S3 server at an address."""
    with sqlite3.connect(tmp_path / "warehouse.db") as database:
        database.execute("create table customers (id integer, spent real)")
        database.executemany("insert into customers values (?, ?)", [(n, n / 2) for n in range(50)])

    class Warehouse(DbApiHook):  # the drivers of databases come with providers that are not installed here
        conn_name_attr = "warehouse_conn_id"

        def get_conn(self) -> sqlite3.Connection:
            return sqlite3.connect(self.get_connection("warehouse").host)

    monkeypatch.setattr(StokerHook, "get_hook", lambda *_, **__: Warehouse())

    def to(address: str) -> None:
        connections = {
            "AWS_DEFAULT": {
                "conn_type": "aws",
                "login": canary("access-key"),
                "password": canary("secret-key"),
                "extra": {
                    "endpoint_url": address,
                    "region_name": "us-east-1",
                    "aws_session_token": canary("session-token"),
                },
            },
            "STOKER_DEFAULT": {
                "conn_type": "stoker",
                "login": canary("stoker-login"),
                "password": canary("stoker-password"),
                "extra": {"store": f"s3://{BUCKET}/canary", "max_threads": 1},
            },
            "WAREHOUSE": {
                "conn_type": "warehouse",
                "host": str(tmp_path / "warehouse.db"),
                "login": canary("sql-login"),
                "password": canary("sql-password"),
            },
            "ALERTS": {"conn_type": "generic", "password": canary("webhook-secret")},
        }
        for name, fields in connections.items():
            monkeypatch.setenv(f"AIRFLOW_CONN_{name}", json.dumps(fields))

    monkeypatch.setenv("AIRFLOW__STOKER__WEBHOOK_CONN_ID", "alerts")
    monkeypatch.setenv("AIRFLOW__API_AUTH__JWT_SECRET", canary("jwt-secret") * 4)
    monkeypatch.setenv("AIRFLOW__API__SECRET_KEY", canary("secret-key"))
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", canary("aws-environment"))
    monkeypatch.setenv("_AIRFLOW_PROCESS_CONTEXT", "server")
    return to


Found = dict[str, bytes]


def hits(found: Found) -> set[str]:
    """The places where a canary is, plain or in base64."""
    signs = [MARK.lower().encode(), *(sign.lower() for sign in _ENCODED)]
    return {place for place, text in found.items() if any(sign in text.lower() for sign in signs)}


def left_behind(capfd: pytest.CaptureFixture[str]) -> Found:
    """What Airflow keeps and what was printed: its database, its log files, the output of the tasks."""
    home = Path(os.environ["AIRFLOW_HOME"])
    files = [*home.glob("airflow.db*"), *(path for path in home.glob("logs/**/*") if path.is_file())]
    out, err = capfd.readouterr()
    assert any(path.name == "airflow.db" for path in files)
    return {"output": (out + err).encode()} | {str(path.relative_to(home)): path.read_bytes() for path in files}


def in_store(address: str) -> Found:
    s3 = client(address)
    keys = [
        entry["Key"]
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET)
        for entry in page.get("Contents", [])
    ]
    objects = {key: s3.get_object(Bucket=BUCKET, Key=key) for key in keys}
    return {
        key: key.encode() + repr(found["Metadata"]).encode() + found["Body"].read() for key, found in objects.items()
    }


def said() -> Found:
    """The answers of the pages, of the webhook, and of the commands."""
    return {**_pages(), **_commands()}


def _pages() -> Found:
    application = create_app(lambda: StokerHook().registry, get_secrets=webhook_secrets)
    paths = [route.path for route in _routes(application) if "GET" in (getattr(route, "methods", None) or ())]
    assert len(paths) > 10
    found = {}
    with TestClient(application, raise_server_exceptions=False) as browser:
        for path in paths:
            path = re.sub(r"\{(version|number|left|right|seq)[^}]*\}", "1", path)
            answer = browser.get(re.sub(r"\{[^}]*\}", "quickstart", path))
            found[f"GET {path}"] = repr(answer.headers).encode() + answer.content
        for secret in ("wrong", canary("webhook-secret")):
            answer = browser.post(
                "/webhooks/generic/quickstart", headers={"Authorization": f"Bearer {secret}"}, json=[]
            )
            found[f"POST {secret[:5]}"] = repr(answer.headers).encode() + answer.content
    return found


def _routes(application: Any) -> Iterator[Any]:
    for route in application.routes:
        inner = getattr(getattr(route, "original_router", None), "routes", None)
        yield from inner if inner else [route]


def _commands(*lines: list[str]) -> Found:
    found = {}
    for line in lines or _LINES:
        answer = CliRunner().invoke(commands, line)
        trace = "".join(traceback.format_exception(answer.exception)) if answer.exception else ""
        found[f"stoker {' '.join(line)}"] = (answer.output + trace).encode()
    return found


_LINES = (
    ["doctor"],
    ["doctor", "--json"],
    ["models"],
    ["show", "quickstart"],
    ["audit", "verify", "quickstart"],
    ["why", "quickstart"],
)


def raised(action: Callable[[], object]) -> Found:
    """The error of a call with all that belongs to it: message, details, the errors behind it, and how it travels to another process."""
    with pytest.raises(StokerError) as caught:
        action()
    error = caught.value
    chain = "".join(traceback.format_exception(error))
    return {
        f"raised {type(error).__name__}": f"{error!r} {error} {error.details!r} {error.__reduce__()!r} {chain}".encode()
    }


def asking(query: str) -> Any:
    @dag(schedule=None)
    def canaries_ask() -> None:
        SnapshotDatasetOperator(task_id="snapshot", source=query, dataset="customers", sql_conn_id="warehouse")

    return canaries_ask()


def learning(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    import quickstart

    land(folder, "2013-01", rows=4000)
    monkeypatch.setattr(quickstart, "FILE", str(folder / "flights-2013-01.parquet"))
    return quickstart.quickstart()


def watching() -> list[Any]:
    """DAGs with watchers and sensors, whose triggers Airflow stores."""
    spec = LoopSpec(
        name="canaries_fly",
        estimator="flights_estimator.flights_estimator",
        target="late",
        source=f"s3://{BUCKET}/landing/",
        pattern="flights-*.parquet",
        partition=r"flights-(\d{4}-\d{2})\.parquet",
        id_columns=["flight_id"],
        expectations=str(PROJECT / "include/expectations/flights.json"),
        policy=str(PROJECT / "include/policies/flights_loop.yaml"),
    )
    return list(continuous_training_dags(spec))


def test_nothing_is_left_of_the_secrets_after_a_run_that_succeeds(
    server: str, connect: Callable[[str], None], capfd: pytest.CaptureFixture[str]
) -> None:
    connect(server)
    assert set(states(run_dag(asking("select * from customers"))).values()) == {"success"}
    for graph in watching():
        register(graph)
    stored = in_store(server)
    assert len(stored) >= 3
    assert not hits(left_behind(capfd) | stored | _commands(["doctor"], ["models"]))


@pytest.mark.fault
def test_nothing_is_left_of_the_secrets_after_a_training(
    server: str,
    connect: Callable[[str], None],
    capfd: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    connect(server)
    assert set(states(run_dag(learning(tmp_path, monkeypatch))).values()) == {"success"}
    stored, answers = in_store(server), said()
    assert len(stored) > 20
    assert b"quickstart" in answers["GET /"]
    places = left_behind(capfd) | stored | answers
    assert not hits(places)
    with capfd.disabled():
        print(f"\nsecrets: {len(places)} places, {sum(map(len, places.values())):,} bytes, 0 canaries")


def test_nothing_is_told_of_the_secrets_when_the_store_refuses(
    connect: Callable[[str], None], capfd: pytest.CaptureFixture[str]
) -> None:
    with refusing() as address:
        connect(address)
        assert set(states(run_dag(asking("select * from customers"))).values()) == {"failed"}
        answers = said()
        left = left_behind(capfd)
        assert b"SignatureDoesNotMatch" in left["output"]
        assert b"fail" in answers["stoker doctor"]
        assert not hits(left | answers | raised(lambda: StokerHook().registry.models()))


def test_nothing_is_told_of_the_secrets_when_the_store_cannot_be_reached(
    connect: Callable[[str], None], capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stoker.store.s3_objects.Patience", partial(Patience, sleep=lambda _: None))
    connect("http://127.0.0.1:9")
    assert set(states(run_dag(asking("select * from customers"))).values()) == {"failed"}
    left = left_behind(capfd)
    assert b"EndpointConnectionError" in left["output"]
    assert not hits(left | _commands(["models"]) | raised(lambda: StokerHook().registry.models()))


def test_nothing_is_told_of_the_secrets_when_a_query_fails(
    server: str, connect: Callable[[str], None], capfd: pytest.CaptureFixture[str]
) -> None:
    connect(server)
    assert set(states(run_dag(asking("select * from nowhere"))).values()) == {"failed"}
    left = left_behind(capfd)
    assert b"no such table: nowhere" in left["output"]
    assert not hits(left)


@pytest.mark.parametrize(
    "extra",
    [
        {"store": f"s3://{BUCKET}/x", "aws_secret_access_key": canary("misplaced")},
        {"store": f"s3://AKIA:{canary('in-address')}@{BUCKET}/x"},
        {"store": f"s3://{BUCKET}/x?secret={canary('in-query')}"},
        {"store": f"https://user:{canary('in-address')}@example.com/x"},
    ],
    ids=["extra", "userinfo", "query", "other scheme"],
)
def test_a_secret_in_the_wrong_place_is_refused_without_repeating_it(
    extra: dict[str, str], server: str, connect: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    connect(server)
    fields = {"conn_type": "stoker", "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_STOKER_DEFAULT", json.dumps(fields))
    assert not hits(raised(lambda: StokerHook().registry.models()) | _commands(["doctor"]))


def test_a_broken_extra_is_refused_without_repeating_it(
    connect: Callable[[str], None], server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect(server)
    fields = {"conn_type": "stoker", "extra": f"{{{canary('broken')}"}
    monkeypatch.setenv("AIRFLOW_CONN_STOKER_DEFAULT", json.dumps(fields))
    assert not hits(raised(lambda: StokerHook().registry.models()) | _commands(["doctor"]))


def test_a_leak_would_be_found(server: str, connect: Callable[[str], None], capfd: pytest.CaptureFixture[str]) -> None:
    from airflow.sdk import BaseHook

    @task
    def leak() -> str:
        secret = BaseHook.get_connection("alerts").password
        StokerHook().get_conn().create("documents/leak", secret.encode())
        print(base64.b64encode(secret.encode()).decode())  # which Airflow's masking does not know
        return secret

    @dag(schedule=None)
    def canaries_leak() -> None:
        leak()

    connect(server)
    assert set(states(run_dag(canaries_leak())).values()) == {"success"}
    places = hits(left_behind(capfd) | in_store(server))
    assert {"output", "canary/documents/leak"} <= places
    assert any(place.startswith("airflow.db") for place in places)
    client(server).delete_object(Bucket=BUCKET, Key="canary/documents/leak")
