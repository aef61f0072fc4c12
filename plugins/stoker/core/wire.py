"""The form in which records are stored: canonical JSON and SHA-256.

``FORMAT`` is the one integer that says how everything in a store is laid out. To change the layout: raise it, keep
the old reader in ``core/old/``, freeze a small store of the old format under ``tests/format/``, and say in the changelog
what happens to existing stores.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NoReturn

from stoker.errors import ConfigurationError, TamperedRecord, UnknownFormat

FORMAT = 1

MAX_RECORD_BYTES = 8 * 1024 * 1024
"""Records larger than this are refused unread: none of ours comes near it."""

MAX_DEPTH = 64


def canonical(value: Any) -> bytes:
    """The one JSON text of a value: sorted keys, no spaces, UTF-8.

    :raises ValueError: for NaN and infinities, which JSON does not have.
    :raises TypeError: for anything that is not JSON.
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def sha256(data: bytes) -> str:
    """The SHA-256 of the bytes, as 64 hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


def digest(value: Any) -> str:
    """The SHA-256 of a value's canonical JSON."""
    return sha256(canonical(value))


def walk(value: Any) -> Iterator[Any]:
    """A value of JSON, and every value in it. The keys of objects are no values."""
    yield value
    for child in _children(value):
        yield from walk(child)


def strict_json(data: bytes) -> Any:
    """Read JSON that means the same to every reader: UTF-8 without a byte order mark, which json would take, and UTF-16 too.

    :raises ValueError: when it is broken, too deep, or holds a key twice or a number that is not finite.
    """
    try:
        value = json.loads(data.decode(), object_pairs_hook=_unique_keys, parse_constant=_refuse_constant)
        _check_values(value, MAX_DEPTH)
    except RecursionError as error:
        raise ValueError(f"it is nested deeper than {MAX_DEPTH}") from error
    return value


def strict_json_file(path: str, what: str) -> Any:
    """Read a file of strict JSON that a person named.

    :param what: what the file is, as the beginning of a sentence.
    :raises ConfigurationError: when it cannot be read, or is none.
    """
    try:
        return strict_json(Path(path).read_bytes())
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{what} must be readable JSON; {path!r} gave: {error}.") from error


def parse(data: bytes, what: str) -> dict[str, Any]:
    """Read a stored record strictly.

    :param data: the stored bytes.
    :param what: the name of the record, for the error message.
    :raises TamperedRecord: when it is not a JSON object that this project could have written: broken, too large, too
        deep, with NaN, half a character or a key twice.
    :raises UnknownFormat: when its ``format`` is newer than :data:`FORMAT`.
    """
    if len(data) > MAX_RECORD_BYTES:
        raise TamperedRecord(f"{what} must be at most {MAX_RECORD_BYTES} bytes; it has {len(data)}.", record=what)
    try:
        value = strict_json(data)
        if b"\\u" in data:  # an escape lets half a character pass, which no answer could carry
            canonical(value)
    except ValueError as error:
        raise TamperedRecord(f"{what} must be one JSON object as Stoker writes it; {error}.", record=what) from error
    if not isinstance(value, dict):
        raise TamperedRecord(f"{what} must be a JSON object; it is a {type(value).__name__}.", record=what)
    check_format(value, what)
    return value


def check_format(record: dict[str, Any], what: str) -> None:
    """Refuse a record of a format that this version cannot know.

    :raises UnknownFormat: when the record is newer.
    :raises TamperedRecord: when it has no valid format number.
    """
    found = record.get("format")
    if not isinstance(found, int) or isinstance(found, bool) or found < 1:
        raise TamperedRecord(f"{what} must carry a format number from 1; it carries {found!r}.", record=what)
    if found > FORMAT:
        raise UnknownFormat(
            f"{what} has format {found}; this Stoker knows formats up to {FORMAT}. Upgrade Stoker to read it.",
            record=what,
        )


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise ValueError("a key stands in it twice")
    return result


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} stands in it")


def _check_values(value: Any, left: int) -> None:
    if left == 0:
        raise ValueError(f"it is nested deeper than {MAX_DEPTH}")
    if isinstance(value, float) and not math.isfinite(value):  # 1e999 is good JSON, and infinite to Python
        raise ValueError("a number stands in it that is too large")
    for child in _children(value):
        _check_values(child, left - 1)


def _children(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list | tuple) else ()
