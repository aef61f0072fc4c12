"""The reference DAG with its store in a real S3 server."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from stoker.registry.audit import verify
from stoker.registry.registry import Registry
from stoker.store.s3_objects import S3Store
from tests.cluster.conftest import BUCKET
from tests.cluster.rgw import SECRET_KEY, Cluster, client
from tests.dags.conftest import returned, states

pytestmark = pytest.mark.cluster

STEPS = ("plan", "snapshot", "validate", "train", "evaluate", "register", "promote")


def test_a_month_of_flights_becomes_a_champion_in_the_bucket(
    cluster: Cluster, run: Callable[..., Any], store_uri: str, figure: Callable[[str], None]
) -> None:
    import flights_training

    done = run(flights_training.flights_training(), month="2013-01")
    assert states(done) == dict.fromkeys(STEPS, "success")
    assert returned(done, "promote")["uri"].startswith(f"{store_uri}/models/flights_late/log/")
    assert SECRET_KEY not in json.dumps([returned(done, task) for task in STEPS])
    store = S3Store(client(cluster.endpoint), BUCKET, store_uri.rsplit("/", 1)[-1])
    assert Registry(store).resolve("flights_late").number == 1
    assert verify(store, "flights_late").clean
    figure(f"flights DAG, one month: {len(STEPS)} of {len(STEPS)} tasks succeeded; version 1 is champion; audit clean")
