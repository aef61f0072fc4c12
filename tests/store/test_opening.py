from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.support.s3_server import BUCKET

from stoker.core.clock import random_id
from stoker.errors import ConfigurationError
from stoker.store.local_files import LocalStore
from stoker.store.opening import open_store
from stoker.store.s3_objects import S3Store


def test_a_folder_opens_by_its_path_or_its_address(tmp_path: Path) -> None:
    root = tmp_path / "new" / "a store"
    by_path = open_store(str(root))
    by_address = open_store(root.as_uri())
    by_path.create("key", b"ours")
    assert isinstance(by_path, LocalStore)
    assert by_address.read("key") == b"ours"
    assert open_store(by_path.uri).uri == by_path.uri == root.as_uri()


def test_a_bucket_opens_with_the_client_that_is_given(s3_client: Any) -> None:
    prefix = random_id()
    store = open_store(f"s3://{BUCKET}/{prefix}", s3_client_factory=lambda: s3_client)
    store.create("key", b"ours")
    assert isinstance(store, S3Store)
    assert s3_client.get_object(Bucket=BUCKET, Key=f"{prefix}/key")["Body"].read() == b"ours"


def test_a_name_in_memory_means_the_same_store_each_time() -> None:
    name = random_id()
    open_store(f"memory://{name}").create("key", b"ours")
    assert open_store(f"memory://{name}").read("key") == b"ours"
    assert not open_store(f"memory://{name}2").exists("key")


@pytest.mark.parametrize("uri", ["gs://bucket", "http://host/x", "relative/path", "", "C:/store", "file", "s3:/bucket"])
def test_another_scheme_is_refused_with_those_that_are_supported(uri: str) -> None:
    with pytest.raises(ConfigurationError, match=r"file:///folder.*s3://bucket/prefix.*memory://name"):
        open_store(uri)


@pytest.mark.parametrize(
    "uri",
    [
        "s3://AKIA:secret@bucket/prefix",
        "s3://bucket/prefix?region=secret",
        "s3://bucket/prefix#secret",
        "file:///secret/../etc",
        "file:///secret/%2e%2e/etc",
        "/secret/../etc",
        "file:///secret\n",
        "file:///secret%00",
        "s3://bucket/secret\\x",
    ],
)
def test_a_hostile_address_is_refused_and_not_repeated(uri: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        open_store(uri)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("uri", ["file://host/path", "file://path", "s3://", "s3:///prefix"])
def test_an_address_that_names_no_place_is_refused(uri: str) -> None:
    with pytest.raises(ConfigurationError):
        open_store(uri)
