"""Files in a landing place: which are there, which are finished, which are new."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.support.s3_server import BUCKET, client, s3_server

from stoker.engines.landing import LandedFile, Stability, finished, list_landed, name_of, partition_of, pending
from stoker.engines.sources import list_sources
from stoker.errors import ConfigurationError, SourceNotFound, StoreUnavailable
from stoker.loop.ledger import REFUSED, TAKEN, Ledger
from stoker.store.memory import MemoryStore

NOW = datetime(2013, 6, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def s3() -> Iterator[Any]:
    with s3_server() as endpoint:
        yield client(endpoint)


def land(folder: Path, name: str, content: str = "x", age: float = 3600) -> Path:
    """A file that was written so many seconds before :data:`NOW`."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    os.utime(path, (NOW.timestamp() - age,) * 2)
    return path


def names(files: list[LandedFile], source: Path | str) -> list[str]:
    return [name_of(file, str(source)) for file in files]


def test_files_are_listed_in_the_order_of_their_addresses(tmp_path):
    for name in ("b.csv", "a.csv", "z ü.csv"):
        land(tmp_path, name)
    found = list_landed(str(tmp_path))
    assert names(found, tmp_path) == ["a.csv", "b.csv", "z ü.csv"]
    assert found == list_landed(tmp_path.as_uri())
    assert (found[0].size, found[0].modified) == (1, NOW - timedelta(hours=1))


@pytest.mark.parametrize(
    "name",
    [
        ".hidden",
        "a.csv.tmp",
        "a.part",
        "a.csv.partial",
        "_SUCCESS",
        "_temporary/a.csv",
        ".staging/a.csv",
        "deep/er/a.csv",
    ],
)
def test_unfinished_and_deeper_names_are_left_out(tmp_path, name):
    land(tmp_path, name)
    assert list_landed(str(tmp_path)) == []
    assert list_landed(str(tmp_path), "*/*") == []


def test_a_pattern_goes_as_deep_as_its_slashes(tmp_path):
    for name in ("a.csv", "2013/a.csv", "2013/a.txt", "2013/01/a.csv"):
        land(tmp_path, name)
    assert names(list_landed(str(tmp_path), "*.csv"), tmp_path) == ["a.csv"]
    assert names(list_landed(str(tmp_path), "*/*.csv"), tmp_path) == ["2013/a.csv"]


def test_folders_pipes_and_names_that_are_no_text_are_no_files(tmp_path):
    land(tmp_path, os.fsdecode(b"\xff.csv"))
    (tmp_path / "folder.csv").mkdir()
    os.mkfifo(tmp_path / "pipe.csv")
    (tmp_path / "dangling.csv").symlink_to(tmp_path / "nowhere")
    assert list_landed(str(tmp_path)) == []


def test_a_marker_completes_its_own_folder_only(tmp_path):
    for name in ("1/a.csv", "1/_SUCCESS", "2/a.csv", "3/_SUCCESS", "_SUCCESS"):
        land(tmp_path, name)
    assert names(list_landed(str(tmp_path), "*/*", success_marker="_SUCCESS"), tmp_path) == ["1/a.csv"]


@pytest.mark.parametrize("name", ["a b.csv", "100%.csv", "a[1].csv", "ü.csv"])
def test_a_landed_file_is_the_source_file_that_a_snapshot_reads(tmp_path, name):
    land(tmp_path, name)
    (landed,) = list_landed(str(tmp_path))
    (source,) = list_sources(landed.uri)
    assert (landed.uri, landed.size, landed.version) == (source.uri, source.size, source.version)


def test_a_landed_object_is_the_source_file_that_a_snapshot_reads(s3):
    s3.put_object(Bucket=BUCKET, Key="same/a b.csv", Body=b"x")
    (landed,) = list_landed(f"s3://{BUCKET}/same", "*", lambda: s3)
    (source,) = list_sources(f"s3://{BUCKET}/same/a b.csv", s3_client_factory=lambda: s3)
    assert (landed.uri, landed.size, landed.version) == (source.uri, source.size, source.version)


def test_a_prefix_is_listed_page_by_page(s3):
    for number in range(7):
        s3.put_object(Bucket=BUCKET, Key=f"paged/{number}.csv", Body=b"x")
    for other in ("paged/", "paged/_SUCCESS", "paged/deeper/a.csv", "paged-not/a.csv", "paged/a.tmp"):
        s3.put_object(Bucket=BUCKET, Key=other, Body=b"")
    paged = SmallPages(s3)
    for source in (f"s3://{BUCKET}/paged", f"s3://{BUCKET}/paged/"):
        found = list_landed(source, "*", lambda: paged)
        assert names(found, source) == [f"{number}.csv" for number in range(7)]
        assert found[0].modified.tzinfo is UTC
    assert names(list_landed(f"s3://{BUCKET}/paged", "*/*", lambda: s3), f"s3://{BUCKET}/paged") == ["deeper/a.csv"]


class SmallPages:
    """A client that gives three objects a page."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def get_paginator(self, name: str) -> Any:
        paginator = self._client.get_paginator(name)
        paginate = paginator.paginate
        paginator.paginate = lambda **given: paginate(**given, PaginationConfig={"PageSize": 3})
        return paginator


@pytest.mark.parametrize("source", ["ftp://host/x", "file://host/x", "s3:/bucket"])
def test_an_address_of_another_kind_is_refused(source):
    with pytest.raises((ConfigurationError, SourceNotFound)):
        list_landed(source)


def test_a_place_that_does_not_exist_is_an_error(tmp_path, s3):
    with pytest.raises(SourceNotFound, match="must exist"):
        list_landed(str(tmp_path / "nowhere"))
    with pytest.raises(SourceNotFound, match="NoSuchBucket"):
        list_landed("s3://no-such-bucket/x", "*", lambda: s3)


def test_a_server_that_does_not_answer_is_worth_another_try():
    unreachable = client("http://127.0.0.1:9", connect_timeout=1)
    with pytest.raises(StoreUnavailable):
        list_landed("s3://bucket/x", "*", lambda: unreachable)


def test_a_file_that_grows_does_not_count(tmp_path):
    watch = Stability(10)
    for second in range(0, 30, 3):
        land(tmp_path, "a.csv", "x" * second, age=-second)
        assert watch.settled(list_landed(str(tmp_path)), NOW + timedelta(seconds=second)) == []
    still = list_landed(str(tmp_path))
    assert watch.settled(still, NOW + timedelta(seconds=36)) == []
    assert watch.settled(still, NOW + timedelta(seconds=37)) == still


def test_an_old_file_counts_at_once(tmp_path):
    land(tmp_path, "a.csv", age=10)
    files = list_landed(str(tmp_path))
    assert Stability(10).settled(files, NOW) == files
    assert Stability(10.5).settled(files, NOW) == []


def test_a_file_from_the_future_counts_when_it_has_been_watched(tmp_path):
    land(tmp_path, "a.csv", age=-1e6)
    watch, files = Stability(10), list_landed(str(tmp_path))
    assert [bool(watch.settled(files, NOW + timedelta(seconds=second))) for second in (0, 9, 10)] == [
        False,
        False,
        True,
    ]


def test_a_file_that_went_and_came_back_is_watched_anew():
    file = LandedFile("file:///a", 1, "v", NOW)
    watch = Stability(10)
    for second, files in ((0, [file]), (9, []), (10, [file])):
        assert watch.settled(files, NOW - timedelta(seconds=20 - second)) == []


def test_a_look_without_memory_goes_by_the_time_of_the_last_write(tmp_path):
    land(tmp_path, "old.csv", age=10)
    land(tmp_path, "young.csv", age=9)
    land(tmp_path, "ahead.csv", age=-9)
    found = finished(str(tmp_path), now=NOW, stable_seconds=10)
    assert names(found, tmp_path) == ["old.csv"]


@pytest.mark.parametrize(
    ("name", "regex", "partition"),
    [
        ("flights-2013-03.parquet", r"\d{4}-\d{2}", "2013-03"),
        ("flights-2013-03.parquet", r"flights-(.+)\.parquet", "2013-03"),
        ("eu/flights-2013-03.parquet", r"(eu|us)/.*(?P<partition>\d{4}-\d{2})", "2013-03"),
        ("month=2013-03/part-0.parquet", r"month=([^/]+)/", "2013-03"),
        ("readme.txt", r"\d{4}-\d{2}", None),
        ("flights-Q1.parquet", r"flights-(.+)\.parquet", None),
        ("flights-.parquet", r"flights-(.*)\.parquet", None),
        ("x.csv", r"x(-\d+)?\.csv", None),
    ],
)
def test_a_name_tells_the_partition_or_none(name, regex, partition):
    assert partition_of(name, regex) == partition


def test_a_broken_expression_is_refused():
    with pytest.raises(ConfigurationError, match="regular expression"):
        partition_of("a", "(")


def ask(store: MemoryStore, source: Path, **given: Any) -> dict[str, list[str]]:
    found = pending(store, source=str(source), dataset="d", now=NOW, **{"partition": r"\d{4}-\d\d", **given})
    return {landed.partition: names(list(landed.files), source) for landed in found}


def test_a_partition_with_a_new_file_is_given_whole(tmp_path):
    store = MemoryStore()
    for name in ("2013-02.csv", "2013-01.csv", "2013-01-b.csv"):
        land(tmp_path, name)
    assert ask(store, tmp_path) == {"2013-01": ["2013-01-b.csv", "2013-01.csv"], "2013-02": ["2013-02.csv"]}
    for file in list_landed(str(tmp_path)):
        Ledger(store, "d").mark(TAKEN, file, snapshot="1" * 64)
    assert ask(store, tmp_path) == {}
    land(tmp_path, "2013-01-c.csv")
    assert ask(store, tmp_path) == {"2013-01": ["2013-01-b.csv", "2013-01-c.csv", "2013-01.csv"]}
    land(tmp_path, "2013-02.csv", "corrected")
    assert list(ask(store, tmp_path)) == ["2013-01", "2013-02"]


def test_partitions_come_in_text_order_and_unfinished_ones_later(tmp_path):
    for name, age in (("2013-02.csv", 60), ("2013-01.csv", 60), ("2012-12.csv", 1)):
        land(tmp_path, name, age=age)
    assert list(ask(MemoryStore(), tmp_path, stable_seconds=10)) == ["2013-01", "2013-02"]


def test_without_partitions_everything_is_one(tmp_path):
    for name in ("b.csv", "a.csv"):
        land(tmp_path, name)
    assert ask(MemoryStore(), tmp_path, partition=None) == {"": ["a.csv", "b.csv"]}


def test_a_refused_file_is_not_given_until_it_changes(tmp_path):
    store = MemoryStore()
    land(tmp_path, "2013-01.csv")
    Ledger(store, "d").mark(REFUSED, list_landed(str(tmp_path))[0], reason="half a file")
    assert ask(store, tmp_path) == {}
    land(tmp_path, "2013-01.csv", "whole")
    assert ask(store, tmp_path) == {"2013-01": ["2013-01.csv"]}


def test_a_file_without_a_partition_is_named_and_left_alone(tmp_path, caplog):
    for name in ("2013-01.csv", "readme.txt"):
        land(tmp_path, name)
    assert ask(MemoryStore(), tmp_path) == {"2013-01": ["2013-01.csv"]}
    assert "such as readme.txt" in caplog.text
