"""How deep JSON is nested, told before a parser takes it: Arrow's builders recurse, and a deep value would take the worker down."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

MAX_DEPTH = 64
"""Of a value in a data file. A stored column holds no nested values at all; this deep they are at least told by name."""

MAX_LINE = 16 * 1024 * 1024
"""Bytes of a line of JSON; Arrow refuses a longer one than its block."""

_CHUNK = 4 * 1024 * 1024
_NO_STRUCTURE = bytes(set(range(256)) - set(b'"[]{}\n'))


def check_nesting(text: Any) -> None:
    """Read JSON lines to their end.

    The common file, whose objects are flat, goes by in a few passes of C: of it nothing is left to look at.

    :param text: a binary stream.
    :raises ValueError: when a value is nested deeper than :data:`MAX_DEPTH`, or a line is longer than :data:`MAX_LINE`.
    """
    depth = 0
    for lines in _whole_lines(text):
        bare = lines.replace(b"\\\\", b"").replace(b'\\"', b"").translate(None, _NO_STRUCTURE)
        left = bare.replace(b'""', b"").replace(b"{}", b"").replace(b"[]", b"")
        depth = _depth_after(left, depth)


def _whole_lines(text: Any) -> Iterator[bytes]:
    rest = b""
    while chunk := text.read(_CHUNK):
        end = chunk.rfind(b"\n") + 1
        if end:
            yield rest + chunk[:end]
            rest = chunk[end:]
        else:
            rest += chunk
        if len(rest) > MAX_LINE:
            raise ValueError(f"a line is longer than {MAX_LINE} bytes")
    yield rest


def _depth_after(marks: bytes, depth: int) -> int:
    """Follow the brackets outside of texts. No text goes on after its line, and nothing closes what was never open."""
    if not marks.strip(b"\n"):
        return depth
    for line in marks.split(b"\n"):
        for brackets in line.split(b'"')[::2]:
            for bracket in brackets:
                depth = depth + 1 if bracket in b"[{" else max(depth - 1, 0)
                if depth > MAX_DEPTH:
                    raise ValueError(f"a value is nested more than {MAX_DEPTH} deep")
    return depth
