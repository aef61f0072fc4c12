"""The store and the registry on a real S3 server, which is killed on the way."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from benchmarks.gateway import KEY, SECRET, Gateway, gateway

from stoker.core.clock import random_id
from stoker.errors import PromotionConflict, TransportError
from stoker.registry.audit import verify
from stoker.registry.registry import Registry
from stoker.store.base import ObjectStore
from stoker.store.checks import conformance_checks
from stoker.store.probe import probe_conditional_writes
from stoker.store.s3_objects import S3Store
from tests.dags.conftest import airflow_database, landing, returned, run, states, store_uri  # noqa: F401 - fixtures
from tests.faults.create_races import race
from tests.registry.cases import MODEL, promote, register

BUCKET = "stoker"
pytestmark = pytest.mark.cluster


@pytest.fixture(scope="module")
def rgw(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with gateway(tmp_path_factory.mktemp("rgw")) as running:
        running.client().create_bucket(Bucket=BUCKET)
        yield running


@pytest.fixture
def store(rgw: Gateway) -> S3Store:
    return S3Store(rgw.client(), BUCKET, random_id())


@pytest.mark.parametrize("check", conformance_checks(), ids=lambda check: check.__name__)
def test_a_real_s3_server_keeps_every_promise(store: S3Store, check: Callable[[ObjectStore], None]) -> None:
    check(store)


def test_the_probe_trusts_it(store: S3Store) -> None:
    probe_conditional_writes(store)


def test_of_32_writers_one_wins_each_key(store: S3Store, capsys: pytest.CaptureFixture[str]) -> None:
    rounds = 30
    assert race([store] * 32, rounds) == []
    with capsys.disabled():
        print(f"\n{rounds} races of 32 writers: one winner each")


def _promote_for_long(rgw: Gateway, store: S3Store, number: int, until: float, won: list[int]) -> None:
    """Promote again and again, over a client of one's own, and note what was acknowledged."""
    registry = Registry(S3Store(rgw.client(), BUCKET, store.uri.rsplit("/", 1)[-1]))
    turn = 0
    while time.monotonic() < until:
        turn += 1
        try:
            move = promote(registry, 1 + (number + turn) % 8, idempotency_key=f"{number}-{turn}")
        except (PromotionConflict, TransportError):
            continue
        if move.changed:
            won.append(move.seq)


def test_no_acknowledged_promotion_is_lost_while_the_gateway_is_killed(
    rgw: Gateway, store: S3Store, capsys: pytest.CaptureFixture[str]
) -> None:
    registry = Registry(store)
    for number in range(8):
        register(registry, number)
    won: list[list[int]] = [[] for _ in range(16)]
    until = time.monotonic() + 40
    writers = [
        threading.Thread(target=_promote_for_long, args=(rgw, store, number, until, won[number]))
        for number in range(16)
    ]
    for writer in writers:
        writer.start()
    kills = 0
    while time.monotonic() < until - 12:
        time.sleep(8)
        rgw.kill()
        kills += 1
        time.sleep(1)
        rgw.start()
    for writer in writers:
        writer.join()
    acknowledged = [seq for log in won for seq in log]
    head = registry.state(MODEL).seq
    with capsys.disabled():
        print(f"\n{len(acknowledged)} promotions by 16 writers, gateway killed {kills} times, log at {head}")
    assert kills >= 2
    assert len(acknowledged) == len(set(acknowledged)) > 20
    assert set(acknowledged) <= set(range(9, head + 1))
    report = verify(store, MODEL)
    assert report.problems == ()
    assert report.entries == head


def test_the_flights_dag_runs_unchanged_on_it(
    rgw: Gateway,
    run: Callable[..., Any],  # noqa: F811 - the fixture
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import flights_training

    extra = {
        "endpoint_url": rgw.endpoint,
        "region_name": "us-east-1",
        "config_kwargs": {"s3": {"addressing_style": "path"}},
    }
    aws = {"conn_type": "aws", "login": KEY, "password": SECRET, "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", json.dumps(aws))
    where = {"conn_type": "stoker", "extra": {"store": f"s3://{BUCKET}/flights"}}
    monkeypatch.setenv("AIRFLOW_CONN_STOKER_DEFAULT", json.dumps(where))
    done = run(flights_training.flights_training(), month="2013-01")
    assert set(states(done).values()) == {"success"}
    assert returned(done, "promote")["uri"].startswith(f"s3://{BUCKET}/flights/models/flights_late/log/")
