"""Many clients promote on S3, which loses replies or is killed meanwhile; every answer is checked exactly."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from benchmarks.gateway import Gateway, gateway

from stoker.core.clock import random_id
from stoker.registry.registry import Registry
from stoker.store.contests import Limits
from stoker.store.retries import Patience
from stoker.store.s3_objects import S3Store
from tests.faults.create_races import race
from tests.faults.promotions import Client, compete, judge, prepare
from tests.faults.test_promotions_local import progress
from tests.support.fault_proxy import LOST_REPLY, LOST_REQUEST, FaultProxy, fault_proxy, says
from tests.support.s3_server import BUCKET, client, s3_server

FAULTS = (LOST_REPLY, LOST_REQUEST, says(503, "SlowDown"), says(500, "InternalError", applies=True))
KILLS = 4


@pytest.fixture(scope="module")
def rgw(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with gateway(tmp_path_factory.mktemp("rgw")) as running:
        running.client().create_bucket(Bucket=BUCKET)
        yield running


@pytest.mark.parametrize("keyed", [True, False])
def test_promotions_whose_replies_get_lost_are_linearizable(keyed: bool) -> None:
    """Each store gives up early, and one outcome at least is unknown to its caller."""
    with s3_server() as endpoint, fault_proxy(endpoint) as proxy:
        prefix = random_id()
        direct = S3Store(client(endpoint), BUCKET, prefix)
        prepare(Registry(direct))
        shared = client(proxy.endpoint, read_timeout=2)
        once, twice = (Patience(tries=tries, sleep=lambda _: None, jitter=lambda: 0.0) for tries in (1, 2))
        hasty = Registry(S3Store(shared, BUCKET, prefix, patience=once), limits=Limits(tries=3))
        lonely = Client(hasty, "lonely", keyed=keyed)
        lonely.look()
        proxy.before = lambda method: _lose_reply_and_look(proxy) if method == "PUT" else None
        lonely.promote()
        clients = [
            Client(Registry(S3Store(shared, BUCKET, prefix, patience=twice)), f"thread-{n}", keyed=keyed)
            for n in range(3)
        ]
        asked = iter(range(1_000_000))
        proxy.before = lambda method: (
            proxy.then(method, FAULTS[number // 5 % len(FAULTS)]) if (number := next(asked)) % 5 == 0 else None
        )
        with ThreadPoolExecutor(len(clients)) as pool:
            told = list(pool.map(lambda one: one.promote_until(2, lambda: None), clients))
        verdict = judge(direct, [call for calls in [lonely.calls, *told] for call in calls])
        assert verdict.acknowledged >= 6
        assert keyed or (verdict.unknown and verdict.landed)


def _lose_reply_and_look(proxy: FaultProxy) -> None:
    """The write lands, its reply is lost, and so is the look at what lies there."""
    proxy.then("PUT", LOST_REPLY)
    proxy.then("GET", LOST_REQUEST)


@pytest.mark.fault
@pytest.mark.timeout(1800)
def test_1_600_promotions_survive_a_gateway_that_is_killed(
    rgw: Gateway, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    prefix, clients, promotions = random_id(), 32, 50
    kills = 0

    def disturb(acknowledged: int, seconds: float) -> None:
        nonlocal kills
        progress(acknowledged, seconds)
        if kills < KILLS and acknowledged > clients * promotions * (kills + 1) // (KILLS + 1):
            kills += 1
            rgw.kill()
            time.sleep(1)
            rgw.start()

    with capsys.disabled():
        verdict = compete(
            tmp_path,
            lambda: S3Store(rgw.client(), BUCKET, prefix),
            clients=clients,
            promotions=promotions,
            keyed=True,
            pause=4.0,
            meanwhile=disturb,
        )
        print(f"\n{clients} writers x {promotions} promotions on Ceph, gateway killed {kills} times: {verdict}")
    assert kills == KILLS


@pytest.mark.fault
@pytest.mark.timeout(1800)
def test_one_of_32_writers_wins_1_000_times_on_ceph(rgw: Gateway, capsys: pytest.CaptureFixture[str]) -> None:
    shared, prefix, rounds = rgw.client(), random_id(), 1_000

    def tell(turn: int) -> None:
        if turn % 100 == 0:
            print(f"{turn} races", flush=True)

    with capsys.disabled():
        assert race([S3Store(shared, BUCKET, prefix) for _ in range(32)], rounds, tell) == []
        print(f"\n{rounds:,} races of 32 writers on Ceph: one winner each")
