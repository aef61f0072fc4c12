"""Data files that are not what they should be: refused by name, nothing stored, and the ledger knows what became of the file."""

from __future__ import annotations

import gzip
import os
import random
import resource
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stoker.core import memory
from stoker.engines.canonical import MAX_COLUMNS
from stoker.engines.landing import LandedFile, list_landed
from stoker.engines.nesting import MAX_DEPTH
from stoker.engines.snapshots import snapshot
from stoker.errors import DataError, DataTooLarge, SchemaMismatch, UnreadableData, UnsuitableData
from stoker.loop.ledger import REFUSED, Ledger
from stoker.store.memory import MemoryStore
from tests.security.damaged_files import CSV, GOOD, JSON, parquet, read_damaged

SEED = 20261121
DAMAGED = 20_000

Case = tuple[str, bytes, type[DataError], str]
_BROKEN = UnreadableData, "must be a whole and valid"


def _unbroken_text(data: bytes) -> Any:
    """A column of texts that are no UTF-8: Arrow lets one make it, and Parquet files hold it."""
    ends = (0).to_bytes(4, "little") + len(data).to_bytes(4, "little")
    return pa.StringArray.from_buffers(1, pa.py_buffer(ends), pa.py_buffer(data))


_HUGE = pa.table({"a": pa.array([2**64 - 1], pa.uint64())})
_LATE = pa.table({"a": pa.array([2**62], pa.timestamp("ms"))})


def _wide(count: int) -> bytes:
    return b",".join(b"c%d" % number for number in range(count)) + b"\n" + b",".join([b"1"] * count) + b"\n"


_BOTH = pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["a", "a"])
CASES: dict[str, Case] = {
    **{
        f"{name} cut at {tenth} tenths": (name, data[: len(data) * tenth // 10], *_BROKEN)
        for name, data in GOOD.items()
        if name != "x.csv"  # what is left of it may be whole rows; then nobody can tell
        for tenth in range(1, 10)
    },
    **{
        f"{name} with the bytes of {other}": (name, GOOD[other], *_BROKEN)
        for name in GOOD
        for other in GOOD
        if other != name and (name, other) not in {("x.csv", "x.jsonl"), ("x.csv.gz", "x.jsonl.gz")}
    },
    **{f"{name} of one zero byte": (name, b"\0", *_BROKEN) for name in GOOD},
    **{f"{name} of zero bytes": (name, bytes(len(data)), *_BROKEN) for name, data in GOOD.items()},
    **{f"{name} of random bytes": (name, random.Random(SEED).randbytes(5000), *_BROKEN) for name in GOOD},
    **{f"{name} with more after its end": (name, data + b"{and,", *_BROKEN) for name, data in GOOD.items()},
    **{f"{name} that is a pickle": (name, b"\x80\x04]\x94.", *_BROKEN) for name in GOOD},
    **{f"{name} in UTF-16": (name, "n,t\n1,2\n".encode("utf-16"), *_BROKEN) for name in GOOD},
    **{f"{name} that is empty": (name, b"", UnreadableData, "empty") for name in GOOD},
    "CSV cut in a row": ("x.csv", CSV + b"201,w", *_BROKEN),
    "CSV of empty lines": ("x.csv", b"\n\n\n", *_BROKEN),
    "CSV with a heading alone": ("x.csv", b"a,b\n", UnsuitableData, "at least one row"),
    "CSV with a name twice": ("x.csv", b"a,a\n1,2\n", SchemaMismatch, "'a' .twice"),
    "CSV with two columns without a name": ("x.csv", b",\n1,2\n", SchemaMismatch, "twice"),
    "CSV with a row that is too short": ("x.csv", b"a,b\n1\n", *_BROKEN),
    "CSV with a row that is too long": ("x.csv", b"a,b\n1,2,3\n", *_BROKEN),
    "CSV with Latin text": ("x.csv", b"a\n\xe9\n", UnreadableData, "UTF-8"),
    "CSV with a Latin heading": ("x.csv", b"\xe9\n1\n", UnreadableData, "utf-8"),
    "CSV with a quote that nothing closes": ("x.csv", b'a,b\n"x,1\n2,3\n', *_BROKEN),
    "CSV with a quote that nothing closes within a block": ("x.csv", b'a,b\n"' + b"x,1\n" * 300_000, *_BROKEN),
    "CSV with a line of 20 MB": ("x.csv", b"a,b\n" + b"x" * 20_000_000 + b",1\n", *_BROKEN),
    "CSV with a heading of 20 MB": ("x.csv", b"x" * 20_000_000 + b",b\n1,1\n", *_BROKEN),
    "CSV with a column too many": ("x.csv", _wide(MAX_COLUMNS + 1), SchemaMismatch, f"at most {MAX_COLUMNS} columns"),
    "JSON with a line of 40 MB": ("x.jsonl", b'{"a":"' + b"x" * 40_000_000 + b'"}\n', *_BROKEN),
    "JSON with objects one in another": ("x.jsonl", b'{"a":' * 1000, UnreadableData, f"more than {MAX_DEPTH} deep"),
    "JSON with lists one in another": ("x.jsonl", b'{"a":' + b"[" * 100_000, UnreadableData, "deep"),
    "JSON with lists line by line": ("x.jsonl", b'{"a":' + b"[\n" * 100_000, UnreadableData, "deep"),
    "JSON with lists after a broken line": ("x.jsonl", b'"\n}}}}\n' + b"[" * 100_000, UnreadableData, "deep"),
    "JSON with lists in a gzip": ("x.jsonl.gz", gzip.compress(b'{"a":' + b"[" * 100_000), UnreadableData, "deep"),
    "JSON with an object in a field": ("x.jsonl", b'{"a":{"b":1}}\n', SchemaMismatch, "struct"),
    "JSON with a list in a field": ("x.jsonl", b'{"a":[1]}\n', SchemaMismatch, "list"),
    "JSON with a field twice": ("x.jsonl", b'{"a":1,"a":2}\n', *_BROKEN),
    "JSON with a field of two types": ("x.jsonl", b'{"a":1}\n{"a":"x"}\n', *_BROKEN),
    "JSON that is a list": ("x.jsonl", b"[1,2]\n", *_BROKEN),
    "JSON that is a number": ("x.jsonl", b"7\n", *_BROKEN),
    "JSON of empty lines": ("x.jsonl", b"\n\n", UnsuitableData, "at least one row"),
    "JSON with a number beyond all floats": ("x.jsonl", b'{"a":1e999}\n', *_BROKEN),
    "JSON with half a surrogate pair": ("x.jsonl", b'{"a":"\\ud800"}\n', *_BROKEN),
    "JSON with Latin text": ("x.jsonl", b'{"a":"\xe9"}\n', UnreadableData, "UTF8"),
    "JSON with a Latin name": ("x.jsonl", b'{"\xe9":1}\n', UnreadableData, "utf-8"),
    "gzip with a wrong checksum": ("x.csv.gz", GOOD["x.csv.gz"][:-8] + bytes(4) + GOOD["x.csv.gz"][-4:], *_BROKEN),
    "gzip in a gzip": ("x.csv.gz", gzip.compress(GOOD["x.csv.gz"]), *_BROKEN),
    "Parquet with a name twice": ("x.parquet", parquet(_BOTH), SchemaMismatch, "twice"),
    "Parquet with lists": ("x.parquet", parquet(pa.table({"a": [[1]]})), SchemaMismatch, "list"),
    "Parquet with objects": ("x.parquet", parquet(pa.table({"a": [{"b": 1}]})), SchemaMismatch, "struct"),
    "Parquet with bytes": ("x.parquet", parquet(pa.table({"a": [b"\xff"]})), SchemaMismatch, "binary"),
    "Parquet with text that is none": ("x.parquet", parquet(pa.table({"a": _unbroken_text(b"\xff")})), UnreadableData, "UTF8"),
    "Parquet with a number beyond int64": ("x.parquet", parquet(_HUGE), UnsuitableData, "int64"),
    "Parquet with a time beyond all years": ("x.parquet", parquet(_LATE), UnsuitableData, "timestamp"),
    "Parquet without columns": ("x.parquet", parquet(pa.table({})), UnsuitableData, "at least one row"),
    "Parquet without rows": ("x.parquet", parquet(pa.table({"a": pa.array([], pa.int64())})), UnsuitableData, "at least one row"),
}  # fmt: skip


def _landed(folder: Path, name: str, content: bytes) -> list[LandedFile]:
    folder.mkdir(exist_ok=True)
    (folder / name).write_bytes(content)
    return list_landed(str(folder))


def _take(store: MemoryStore, files: list[LandedFile]) -> Any:
    claimed = [{key: value for key, value in asdict(file).items() if key != "modified"} for file in files]
    return snapshot(store, source=[file.uri for file in files], dataset="d", partition="p", landed=claimed)


@pytest.mark.parametrize("case", CASES)
def test_a_malformed_file_is_refused_by_name_and_leaves_only_its_mark(tmp_path: Path, case: str) -> None:
    name, content, error, fragment = CASES[case]
    store = MemoryStore()
    files = _landed(tmp_path / "landing", name, content)
    with pytest.raises(error, match=fragment) as refused:
        _take(store, files)
    assert type(refused.value) is error
    assert name in refused.value.message
    assert len(refused.value.message) < 2000
    ledger = Ledger(store, "d")
    assert ledger.pending(files) == []
    assert f"{error.__name__}: {refused.value.message}" == ledger.mark(REFUSED, files[0])["reason"]
    assert [key for key in store.keys("") if not key.startswith("landings/")] == []


UNDERSTOOD: dict[str, tuple[str, bytes, str]] = {
    "CSV with a byte order mark": ("x.csv", b"\xef\xbb\xbf" + CSV, "x.csv"),
    "CSV with the line ends of Windows": ("x.csv", CSV.replace(b"\n", b"\r\n"), "x.csv"),
    "CSV without a line end at its end": ("x.csv", CSV[:-1], "x.csv"),
    "CSV with all fields in quotes": ("x.csv", b'"' + CSV[:-1].replace(b",", b'","').replace(b"\n", b'"\n"') + b'"\n', "x.csv"),
    "JSON with a byte order mark": ("x.jsonl", b"\xef\xbb\xbf" + JSON, "x.jsonl"),
    "JSON with empty lines": ("x.jsonl", JSON.replace(b"\n", b"\n\n"), "x.jsonl"),
    "JSON with fields in another order": ("x.jsonl", JSON.replace(b'{"n":0,"text":"w0"', b'{"text":"w0","n":0'), "x.jsonl"),
    "a gzip of two members": ("x.csv.gz", gzip.compress(CSV[:100]) + gzip.compress(CSV[100:]), "x.csv"),
}  # fmt: skip


@pytest.mark.parametrize("case", UNDERSTOOD)
def test_what_looks_odd_and_is_whole_gives_the_same_rows(tmp_path: Path, case: str) -> None:
    name, content, like = UNDERSTOOD[case]
    ids = [
        _take(MemoryStore(), _landed(tmp_path / folder, as_name, data)).summary["data_id"]
        for folder, as_name, data in (("odd", name, content), ("plain", like, GOOD[like]))
    ]
    assert ids[0] == ids[1]


def test_brackets_inside_of_texts_are_no_nesting(tmp_path: Path) -> None:
    content = b'{"a":"' + b"[{" * 1000 + b'"}\n{"a":"\\"' + b"[" * 1000 + b'\\\\"}\n'
    assert _take(MemoryStore(), _landed(tmp_path / "landing", "x.jsonl", content)).summary["rows"] == 2


def test_a_line_break_in_a_quoted_field_belongs_to_the_field(tmp_path: Path) -> None:
    content = b"a,b\n" + b'"x\ny",1\n' * 200_000  # more than one block of the reader
    assert _take(MemoryStore(), _landed(tmp_path / "landing", "x.csv", content)).summary["rows"] == 200_000


def _resident() -> int:
    """Bytes that this process holds."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


@pytest.mark.parametrize("name", ["x.csv.gz", "x.jsonl.gz"])
def test_a_gzip_that_would_burst_is_refused_unopened_and_stays_pending(tmp_path: Path, name: str) -> None:
    line = b'{"a":"1234567"}\n' if "json" in name else b"a\n1\n"
    store = MemoryStore()
    files = _landed(tmp_path / "landing", name, gzip.compress(line * 6_000_000, 1))
    assert files[0].size < 2_000_000
    with memory.limited(_resident() + 60_000_000), pytest.raises(DataTooLarge, match=name):
        _take(store, files)
    assert list(store.keys("")) == []
    assert Ledger(store, "d").pending(files) == files


def test_one_bad_file_among_good_ones_is_named_and_none_is_taken(tmp_path: Path) -> None:
    store = MemoryStore()
    for number in range(3):
        files = _landed(tmp_path / "landing", f"{number}.csv", b"a,a\n1,2\n" if number == 1 else b"a,b\n1,2\n")
    with pytest.raises(SchemaMismatch, match=r"/1\.csv: .*twice"):
        _take(store, files)
    assert [key for key in store.keys("") if not key.startswith("landings/")] == []


def test_a_table_with_as_many_columns_as_may_be_is_compared_with_its_contract_in_bounds(tmp_path: Path) -> None:
    store = MemoryStore()
    _take(store, _landed(tmp_path / "before", "x.csv", b"a\n1\n"))
    files = _landed(tmp_path / "after", "x.csv", _wide(MAX_COLUMNS))
    claimed = [{key: value for key, value in asdict(file).items() if key != "modified"} for file in files]
    with pytest.raises(SchemaMismatch, match=f"{MAX_COLUMNS + 1} differ: .* more") as refused:
        snapshot(store, source=files[0].uri, dataset="d", partition="q", landed=claimed)
    assert len(refused.value.details["differences"]) == MAX_COLUMNS + 1
    assert len(refused.value.message) < 4000


def test_files_that_were_damaged_at_random_are_refused_by_name_or_understood() -> None:
    assert read_damaged(150, SEED) > 50


@pytest.mark.fault
def test_a_table_of_a_hundred_thousand_columns_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SchemaMismatch, match=r"x\.csv.*this one has 100000"):
        _take(MemoryStore(), _landed(tmp_path / "landing", "x.csv", _wide(100_000)))


@pytest.mark.fault
def test_twenty_thousand_damaged_files_are_refused_by_name_or_understood(capsys: pytest.CaptureFixture[str]) -> None:
    done = _alone("-m", "tests.security.damaged_files", str(DAMAGED), str(SEED))
    assert done.returncode == 0, done.stderr[-2000:]
    with capsys.disabled():
        print(
            f"\n{len(CASES)} malformed data files by hand, {DAMAGED} damaged at random (seed {SEED}): {done.stdout.strip()} refused by "
            "name, no other error, no crash"
        )


@pytest.mark.fault
def test_the_battery_goes_red_for_a_reader_that_does_not_look_at_the_depth(tmp_path: Path) -> None:
    (tmp_path / "x.jsonl").write_bytes(b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}\n")
    done = _alone("-c", f"import pyarrow.json; pyarrow.json.read_json({str(tmp_path / 'x.jsonl')!r})")
    assert done.returncode < 0


def test_the_battery_goes_red_for_a_reader_that_does_not_follow_quotes(tmp_path: Path) -> None:
    import pyarrow.csv

    (tmp_path / "x.csv").write_bytes(CASES["CSV with a quote that nothing closes within a block"][1])
    assert 0 < pyarrow.csv.read_csv(tmp_path / "x.csv").num_rows < 300_000


def test_the_battery_goes_red_for_a_reader_that_believes_texts(tmp_path: Path) -> None:
    (tmp_path / "x.parquet").write_bytes(CASES["Parquet with text that is none"][1])
    with pytest.raises(UnicodeDecodeError):
        pq.read_table(tmp_path / "x.parquet")["a"].to_pylist()


def _alone(*arguments: str) -> subprocess.CompletedProcess[str]:
    paths = os.pathsep.join([str(Path("plugins").absolute()), str(Path.cwd())])
    return subprocess.run(
        [sys.executable, *arguments],
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        check=False,
    )
