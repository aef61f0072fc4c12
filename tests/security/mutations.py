"""Ways in which JSON goes wrong: of the bytes as a whole, of one field, and at random."""

from __future__ import annotations

import gzip
import json
import pickle
from collections.abc import Callable, Iterator
from typing import Any

from hypothesis import strategies as st

GONE = object()
"""Stands for a field that is left out."""


def _with(name: str, value: str) -> Callable[[bytes], bytes]:
    """The record with one more field, as raw JSON text; one of a name that it has stands there twice."""
    return lambda data: data[:-1] + f',"{name}":{value}}}'.encode()


def _format(value: Any) -> Callable[[bytes], bytes]:
    return lambda data: changed(data, ("format",), value)


BYTES: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda data: b"",
    "one zero byte": lambda data: b"\0",
    "zero bytes of the same length": lambda data: bytes(len(data)),
    "a space": lambda data: b" ",
    "an empty list": lambda data: b"[]",
    "an empty object": lambda data: b"{}",
    "null": lambda data: b"null",
    "a text": lambda data: b'"text"',
    "a number": lambda data: b"7",
    "an opening brace": lambda data: b"{",
    "the first half": lambda data: data[: len(data) // 2],
    "without its last byte": lambda data: data[:-1],
    "itself twice": lambda data: data * 2,
    "in a list": lambda data: b"[" + data + b"]",
    "with an end after it": lambda data: data + b"x",
    "with a byte order mark": lambda data: b"\xef\xbb\xbf" + data,
    "in UTF-16": lambda data: data.decode().encode("utf-16"),
    "with half a character": lambda data: data[:-1] + b',"x":"\xc3"}',
    "with half a surrogate pair": _with("x", '"\\ud800"'),
    "with NaN": _with("x", "NaN"),
    "with Infinity": _with("x", "Infinity"),
    "with minus Infinity": _with("x", "-Infinity"),
    "with a number beyond all floats": _with("x", "1e999"),
    "with a number of 5,000 digits": _with("x", "9" * 5000),
    "with the kind twice": _with("kind", '"dataset"'),
    "with nested lists": _with("x", "[" * 100_000 + "]" * 100_000),
    "with nested objects": _with("x", '{"a":' * 100_000 + "1" + "}" * 100_000),
    "with a text of 10 MB": lambda data: data[:-1] + b',"x":"' + b"a" * 10_000_000 + b'"}',
    "of a later format": _format(2),
    "of format 0": _format(0),
    "of format 1.5": _format(1.5),
    "of format true": _format(True),
    "of a format in words": _format("1"),
    "without a format": _format(GONE),
    "a pickle": lambda data: pickle.dumps({"format": 1}),
    "gzipped": gzip.compress,
    "a Parquet file": lambda data: b"PAR1" + data + b"PAR1",
}
"""What may lie in the place of any record; every reader must refuse every one of them."""

VALUES: dict[str, Any] = {
    "missing": GONE,
    "null": None,
    "a flag": True,
    "a negative number": -1,
    "a number of 400 digits": 10**400,
    "a text that is nothing": "../../etc/passwd",
    "a list in a list": [[[]]],
    "an object of nothing": {"": {}},
}
"""What may stand in a field instead of its value."""


def changed(data: bytes, path: tuple[str | int, ...], value: Any) -> bytes:
    """The record with another value at a path, or with nothing there."""
    record = json.loads(data)
    inner = record
    for step in path[:-1]:
        inner = inner[step]
    if value is GONE:
        del inner[path[-1]]
    else:
        inner[path[-1]] = value
    return json.dumps(record, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode(errors="replace")


def paths(value: Any, at: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """The paths of all values in a value."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in items:
        yield (*at, key)
        yield from paths(child, (*at, key))


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**30), 10**30) | st.floats() | st.text(max_size=8) | st.just("0" * 64),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@st.composite
def mutated(draw: st.DrawFn, data: bytes) -> bytes:
    """The record with one to three changes of values, or of stretches of bytes."""
    for _ in range(draw(st.integers(1, 3))):
        try:
            known = list(paths(json.loads(data)))
        except (ValueError, RecursionError):
            known = []
        if known and draw(st.booleans()):
            data = changed(data, draw(st.sampled_from(known)), draw(st.just(GONE) | _JSON))
        else:
            start = draw(st.integers(0, len(data)))
            data = data[:start] + draw(st.binary(max_size=12)) + data[start + draw(st.integers(0, 40)) :]
    return data
