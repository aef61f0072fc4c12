from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stoker.core import wire
from stoker.errors import TamperedRecord, UnknownFormat

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(st.dictionaries(st.text(min_size=1).filter(lambda key: key != "format"), json_values, max_size=5))
def test_what_is_written_is_read_back(record: dict[str, object]) -> None:
    full = {**record, "format": 1}
    assert wire.parse(wire.canonical(full), "it") == full


def test_the_order_of_keys_does_not_matter_to_the_digest() -> None:
    assert wire.digest({"a": 1, "b": [1, 2]}) == wire.digest({"b": [1, 2], "a": 1})


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_numbers_that_json_does_not_have_are_not_written(value: float) -> None:
    with pytest.raises(ValueError, match="JSON"):
        wire.canonical({"x": value})


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'"text"',
        b'{"format":1,"a":NaN}',
        b'{"format":1,"a":Infinity}',
        b'{"format":1,"a":1,"a":2}',
        b'{"format":1,"a":"\\ud800"}',
        b'{"format":1,"a":"\xed\xa0\x80"}',
        b'{"format":1} trailing',
        b"\xff\xfe",
        b'{"format":"1"}',
        b'{"format":true}',
        b'{"format":0}',
        b"{}",
        b'{"format":1,"a":' + b"[" * 100 + b"]" * 100 + b"}",
        b'{"format":1,"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    ],
)
def test_what_stoker_did_not_write_is_refused_by_name(data: bytes) -> None:
    with pytest.raises(TamperedRecord, match="The manifest"):
        wire.parse(data, "The manifest")


def test_a_huge_record_is_refused_unread() -> None:
    with pytest.raises(TamperedRecord, match="at most"):
        wire.parse(b" " * (wire.MAX_RECORD_BYTES + 1), "It")


def test_a_newer_format_says_what_to_do() -> None:
    with pytest.raises(UnknownFormat, match="Upgrade Stoker"):
        wire.parse(b'{"format":2}', "It")


@given(st.binary(max_size=200))
def test_random_bytes_give_our_errors_only(data: bytes) -> None:
    with pytest.raises((TamperedRecord, UnknownFormat), match="It"):
        wire.parse(data, "It")
