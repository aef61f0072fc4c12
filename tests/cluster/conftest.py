from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from stoker.core.clock import random_id
from stoker.store.s3_objects import S3Store
from tests.cluster.rgw import Cluster, client, missing, rgw

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


@pytest.fixture(scope="session")
def figure() -> Iterator[Callable[[str], None]]:
    """Takes the figures that tests reach, and prints them at the end."""
    reached: list[str] = []
    yield reached.append
    print("\n\nReached on Ceph RGW:\n" + "\n".join(f"  {line}" for line in reached))
