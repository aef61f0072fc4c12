"""Reading data files, good and broken."""

from __future__ import annotations

import gzip
import resource

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stoker.engines.file_formats import estimate_file, read_file
from stoker.errors import StoreUnavailable, UnreadableData

CSV = b"code,n\n" + b"".join(b"%03d,%d\n" % (number, number) for number in range(1000))
JSON = b'{"n": 1, "code": "a"}\n{"n": 2, "code": null}\n'


@pytest.fixture
def reading(tmp_path):
    def read(name, content, text_columns=()):
        path = tmp_path / name
        path.write_bytes(content)
        return read_file(path, name, text_columns)

    return read


@pytest.fixture
def parquet(tmp_path):
    pq.write_table(pa.table({"n": range(1000)}), tmp_path / "good.parquet")
    return (tmp_path / "good.parquet").read_bytes()


def test_text_that_looks_like_numbers_stays_text_where_it_is_known_to_be(reading):
    assert reading("a.csv", CSV, ["code"]).column("code")[7].as_py() == "007"
    assert reading("a.csv", CSV).column("code")[7].as_py() == 7


def test_missing_values_of_csv_are_missing_but_a_code_is_a_code(reading):
    table = reading("a.csv", b"n,code\n1,NA\nNA,\n,x\n")
    assert table.to_pydict() == {"n": [1, None, None], "code": ["NA", None, "x"]}


def test_json_lines_are_read_plain_and_gzipped(reading):
    assert reading("a.jsonl", JSON).equals(reading("a.jsonl.gz", gzip.compress(JSON)))


def test_a_name_in_capitals_is_the_same_format(reading):
    assert reading("A.CSV", CSV).num_rows == 1000


@pytest.mark.parametrize("name", ["a.parquet", "a.csv", "a.csv.gz", "a.jsonl", "a.jsonl.gz"])
def test_an_empty_file_is_refused_by_name(reading, name):
    with pytest.raises(UnreadableData, match=rf"'{name}' is empty \(0 bytes\)"):
        reading(name, b"")


@pytest.mark.parametrize("name", ["a.parquet", "a.csv", "a.csv.gz", "a.jsonl", "a.jsonl.gz"])
@pytest.mark.parametrize("read", [read_file, estimate_file])
def test_a_file_that_could_not_be_opened_is_not_said_to_be_broken(tmp_path, read, name):
    (tmp_path / name).write_bytes(b"anything")
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, limits[1]))
    try:
        with pytest.raises(StoreUnavailable, match=f"'{name}' must let it be read.*Too many open files"):
            read(tmp_path / name, name)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)


@pytest.mark.parametrize("name", ["a.xlsx", "a", "a.csv.zip", "a.pkl"])
def test_another_format_is_refused(reading, name):
    with pytest.raises(UnreadableData, match=r"must end in \.parquet, \.csv"):
        reading(name, b"x")


@pytest.mark.parametrize(
    ("name", "content", "found"),
    [
        ("cut.csv", CSV + b"1000", "Expected 2 columns, got 1"),
        ("cut.csv.gz", gzip.compress(CSV)[:-20], "Truncated compressed stream"),
        ("plain.csv.gz", CSV, "zlib"),
        ("latin.csv", b"code\n\xe9\n", "not UTF-8"),
        ("heading.csv", b"\xe9,b\n1,2\n", "utf-8"),
        ("cut.jsonl", JSON + b'{"n": 3, "co', "JSON parse error"),
        ("mixed.jsonl", JSON + b'{"n": "three"}', "changed from number to string"),
        ("text.parquet", CSV, "magic bytes not found"),
    ],
)
def test_broken_files_are_refused_with_what_was_found(reading, name, content, found):
    with pytest.raises(UnreadableData, match=rf"'{name}' must be a whole and valid .*{found}"):
        reading(name, content)


def test_a_truncated_parquet_file_is_refused(reading, parquet):
    with pytest.raises(UnreadableData, match=r"cut\.parquet"):
        reading("cut.parquet", parquet[:-10])


def test_a_damaged_parquet_file_is_refused(reading, parquet):
    with pytest.raises(UnreadableData, match=r"damaged\.parquet"):
        reading("damaged.parquet", parquet[:100] + bytes(50) + parquet[150:])
