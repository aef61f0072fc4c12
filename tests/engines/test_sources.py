"""Finding and fetching files on disk and in S3."""

from __future__ import annotations

import os

import boto3
import pytest
from moto import mock_aws

from stoker.engines.sources import fetched, list_sources, read_sources
from stoker.errors import (
    ConfigurationError,
    SchemaMismatch,
    SourceNotFound,
    StoreUnavailable,
    UnreadableData,
)


@pytest.fixture
def folder(tmp_path):
    for name in ("b.csv", "a.csv", "c.txt", ".hidden.csv", "odd [1].csv", "deep/d.csv"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("n\n1\n")
    return tmp_path


@pytest.fixture
def s3(monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    with mock_aws():
        client = boto3.client("s3", region_name="us-east-1")
        client.create_bucket(Bucket="lake")
        for key in ("flights/2013-01.csv", "flights/2013-02.csv", "flights/old/2013-01.csv", "flights/readme.txt"):
            client.put_object(Bucket="lake", Key=key, Body=b"n\n1\n")
        yield client


def names(files):
    return [file.uri.rsplit("/", 1)[-1] for file in files]


def test_a_glob_finds_files_in_order_and_no_hidden_ones(folder):
    assert names(list_sources(f"{folder}/?.csv")) == ["a.csv", "b.csv"]
    assert names(list_sources(f"{folder}/**/*.csv")) == ["a.csv", "b.csv", "d.csv", "odd%20%5B1%5D.csv"]


def test_paths_and_file_addresses_are_alike_and_each_file_counts_once(folder):
    path = folder / "odd [1].csv"
    files = list_sources([str(path), path.as_uri(), f"{folder}/odd*.csv"])
    assert names(files) == ["odd%20%5B1%5D.csv"]
    assert files[0].size == 4
    with fetched(files[0]) as found:
        assert found == path


@pytest.mark.parametrize("source", ["nothing.csv", "*.nothing", ["a.csv", "nothing.csv"], [], "deep"])
def test_a_source_without_a_file_is_refused(folder, monkeypatch, source):
    monkeypatch.chdir(folder)
    with pytest.raises(SourceNotFound):
        list_sources(source)


@pytest.mark.parametrize("address", ["gs://lake/a.csv", "https://example.org/a.csv", "file://host/a.csv"])
def test_other_schemes_are_refused(address):
    with pytest.raises(ConfigurationError, match=r"a local path, a file:/// or an s3:// address"):
        list_sources(address)


def test_a_file_that_is_replaced_while_it_is_read_is_read_again_later(folder):
    (file,) = list_sources(str(folder / "a.csv"))

    def read():
        with fetched(file) as path:
            path.write_text("n\n1\n2\n")
            raise UnreadableData("what the half-written file gave")

    with pytest.raises(StoreUnavailable, match="must not change while it is read") as caught:
        read()
    assert caught.value.retryable


def test_a_file_of_the_same_size_and_time_is_still_another_file(folder):
    (file,) = list_sources(str(folder / "a.csv"))
    status = (folder / "a.csv").stat()
    (folder / "new").write_text("n\n2\n")
    os.utime(folder / "new", ns=(status.st_atime_ns, status.st_mtime_ns))
    with pytest.raises(StoreUnavailable), fetched(file) as path:
        (folder / "new").rename(path)


def test_a_file_that_is_gone_is_told(folder):
    (file,) = list_sources(str(folder / "a.csv"))
    (folder / "a.csv").unlink()
    with pytest.raises(SourceNotFound, match="it is gone"):
        read_sources([file])


def test_several_files_become_one_table(folder):
    (folder / "b.csv").write_text("n\n0.5\n")
    table, naive = read_sources(list_sources(f"{folder}/?.csv"))
    assert (table.to_pydict(), naive) == ({"n": [1.0, 0.5]}, [])


def test_files_with_other_columns_are_refused(folder):
    (folder / "b.csv").write_text("m\n1\n")
    with pytest.raises(SchemaMismatch, match=r"b\.csv: column 'n' is missing"):
        read_sources(list_sources(f"{folder}/?.csv"))


def test_times_without_a_zone_are_told(folder):
    (folder / "a.csv").write_text("t,z\n2013-01-01 05:00:00,2013-01-01T05:00:00Z\n")
    table, naive = read_sources(list_sources(str(folder / "a.csv")))
    assert naive == ["t"]
    assert table.column("t").equals(table.column("z"))


def test_s3_addresses_and_globs_are_found(s3):
    assert names(list_sources("s3://lake/flights/2013-02.csv", s3_client_factory=lambda: s3)) == ["2013-02.csv"]
    files = list_sources("s3://lake/flights/*.csv", s3_client_factory=lambda: s3)
    assert [file.uri for file in files] == ["s3://lake/flights/2013-01.csv", "s3://lake/flights/2013-02.csv"]
    assert read_sources(files, s3_client_factory=lambda: s3)[0].num_rows == 2


@pytest.mark.parametrize(
    "address", ["s3://lake/nothing.csv", "s3://lake/flights/*.parquet", "s3://no-such-bucket/a.csv"]
)
def test_an_s3_source_without_a_file_is_refused(s3, address):
    with pytest.raises(SourceNotFound):
        list_sources(address, s3_client_factory=lambda: s3)


def test_an_s3_object_that_was_replaced_is_read_again_later(s3):
    files = list_sources("s3://lake/flights/2013-01.csv", s3_client_factory=lambda: s3)
    s3.put_object(Bucket="lake", Key="flights/2013-01.csv", Body=b"n\n2\n")
    with pytest.raises(StoreUnavailable, match="must not change"):
        read_sources(files, s3_client_factory=lambda: s3)


def test_an_s3_object_that_is_gone_is_told(s3):
    files = list_sources("s3://lake/flights/2013-01.csv", s3_client_factory=lambda: s3)
    s3.delete_object(Bucket="lake", Key="flights/2013-01.csv")
    with pytest.raises(SourceNotFound, match="must exist"):
        read_sources(files, s3_client_factory=lambda: s3)


def test_an_s3_endpoint_that_does_not_answer_is_asked_again_later():
    client = boto3.client(
        "s3",
        region_name="us-east-1",
        endpoint_url="http://127.0.0.1:9",
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=boto3.session.Config(retries={"max_attempts": 0}),
    )
    with pytest.raises(StoreUnavailable):
        list_sources("s3://lake/a.csv", s3_client_factory=lambda: client)
