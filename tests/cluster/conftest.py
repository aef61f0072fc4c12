from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import pytest

from stoker.core.clock import random_id
from stoker.store.s3_objects import S3Store
from tests.cluster.rgw import ACCESS_KEY, SECRET_KEY, Cluster, client, missing, rgw
from tests.dags.conftest import airflow_database as airflow_database
from tests.dags.conftest import landing as landing
from tests.dags.conftest import run as run

BUCKET = "models"


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    if lacking := missing():
        pytest.fail(f"A cluster must be able to run here; {lacking}.")
    with rgw() as running:
        client(running.endpoint).create_bucket(Bucket=BUCKET)
        yield running


@pytest.fixture
def store(cluster: Cluster) -> S3Store:
    """An empty place in the bucket."""
    return S3Store(client(cluster.endpoint), BUCKET, random_id())


@pytest.fixture
def store_uri(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> str:
    """An empty place in the bucket, which Airflow reaches by its AWS connection."""
    extra = {
        "endpoint_url": cluster.endpoint,
        "region_name": "us-east-1",
        "config_kwargs": {"s3": {"addressing_style": "path"}},
    }
    connection = {"conn_type": "aws", "login": ACCESS_KEY, "password": SECRET_KEY, "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", json.dumps(connection))
    return f"s3://{BUCKET}/{random_id()}"


@pytest.fixture(scope="session")
def figure(request: pytest.FixtureRequest) -> Iterator[Callable[[str], None]]:
    """Takes the figures that tests reach, and prints them at the end."""
    reached: list[str] = []
    yield reached.append
    with request.config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
        print("\n\nReached on Ceph RGW:\n" + "\n".join(f"  {line}" for line in reached))
