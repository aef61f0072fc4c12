"""Data files as they should be, and the program that damages them at random in a process of its own: a parser may die of them."""

from __future__ import annotations

import gzip
import io
import random
import sys
import tempfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from stoker.engines.snapshots import snapshot
from stoker.errors import StokerError
from stoker.store.memory import MemoryStore


def parquet(table: pa.Table) -> bytes:
    """A table as the bytes of a Parquet file."""
    buffer = io.BytesIO()
    pq.write_table(table, buffer)
    return buffer.getvalue()


CSV = b"n,text,share\n" + b"".join(b"%d,w%d,0.%d\n" % (number, number, number) for number in range(200))
JSON = b"".join(b'{"n":%d,"text":"w%d","share":0.%d}\n' % (number, number, number) for number in range(200))
GOOD: dict[str, bytes] = {
    "x.parquet": parquet(pa.table({"n": range(200), "text": [f"w{number}" for number in range(200)]})),
    "x.csv": CSV,
    "x.jsonl": JSON,
    "x.csv.gz": gzip.compress(CSV, mtime=0),
    "x.jsonl.gz": gzip.compress(JSON, mtime=0),
}
"""A good file of every format."""


def damage(data: bytes, generator: random.Random) -> bytes:
    """The bytes with one to four bits flipped, stretches overwritten, taken out or doubled, or the end cut off."""
    damaged = bytearray(data)
    for _ in range(generator.randint(1, 4)):
        at, length = generator.randrange(len(damaged)), generator.randint(1, 40)
        match generator.randrange(5):
            case 0:
                damaged[at] ^= 1 << generator.randrange(8)
            case 1:
                damaged[at : at + length] = generator.randbytes(length)
            case 2:
                del damaged[at : at + length]
            case 3:
                damaged[at:at] = damaged[at : at + length]
            case _:
                del damaged[max(at, 1) :]
        damaged = damaged or bytearray(b"\0")
    return bytes(damaged)


def _is_refused(path: Path) -> bool:
    store = MemoryStore()
    try:
        snapshot(store, source=str(path), dataset="d")
    except StokerError as error:
        said = str(error)
    else:
        return False
    assert path.name in said
    assert len(said) < 4000
    assert not list(store.keys(""))
    return True


def read_damaged(number: int, seed: int) -> int:
    """Take snapshots of so many damaged files, and say how many were refused; nothing but an error of ours may come of it."""
    refused = 0
    generator = random.Random(seed)
    with tempfile.TemporaryDirectory() as folder:
        for turn in range(number):
            name = generator.choice(list(GOOD))
            path = Path(folder, name)
            path.write_bytes(damage(GOOD[name], generator))
            print(f"turn {turn} of seed {seed}: {name}", file=sys.stderr)
            refused += _is_refused(path)
    return refused


if __name__ == "__main__":
    print(read_damaged(int(sys.argv[1]), int(sys.argv[2])))
