from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stoker.errors import CorruptArtifact, InvalidName, TamperedRecord
from stoker.store import layout
from stoker.store.keys import check_key

DIGEST = "0123456789abcdef" * 4


def test_every_key_is_one_that_a_store_takes() -> None:
    for key in (
        layout.blob(DIGEST),
        layout.numbered(layout.partition("flights", "raw", "2013-03"), 1),
        layout.numbered(layout.training(DIGEST), 1),
        layout.numbered(layout.log("delays"), 1),
        layout.checkpoint("delays", 1),
        layout.version_manifest("delays", 1),
        layout.key_index("delays", DIGEST),
        layout.replay(1_700_000_000, DIGEST),
    ):
        assert check_key(key) == key


@given(st.integers(1, 10**19), st.integers(1, 10**19))
def test_numbered_keys_sort_as_their_numbers(left: int, right: int) -> None:
    keys = [layout.numbered("log/", number) for number in (left, right)]
    assert (keys[0] < keys[1]) is (left < right)
    assert [layout.number_of(key) for key in keys] == [left, right]


@given(st.integers(1, 10**19), st.integers(1, 10**19))
def test_checkpoints_sort_newest_first(left: int, right: int) -> None:
    keys = [layout.checkpoint("delays", seq) for seq in (left, right)]
    assert (keys[0] < keys[1]) is (left > right)
    assert [layout.checkpoint_seq(key) for key in keys] == [left, right]


@pytest.mark.parametrize("key", ["log/x.json", "log/", "log/1.txt"])
def test_a_key_without_a_number_has_none(key: str) -> None:
    with pytest.raises(TamperedRecord, match=key):
        layout.number_of(key)


@pytest.mark.parametrize("digest", ["", DIGEST.upper(), DIGEST[:-1], f"{DIGEST}0", "../" + DIGEST[3:], None, 7])
def test_what_is_no_digest_addresses_nothing(digest: object) -> None:
    for address in (layout.blob, layout.training, lambda value: layout.key_index("delays", value)):
        with pytest.raises(CorruptArtifact, match="64 hexadecimal digits"):
            address(digest)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["", "..", "a/b", "A", "con"])
def test_a_name_that_breaks_the_rule_addresses_nothing(name: str) -> None:
    for address in (
        layout.model,
        layout.log,
        lambda value: layout.partitions(value, "raw"),
        lambda value: layout.partition("d", value, "p"),
    ):
        with pytest.raises(InvalidName):
            address(name)


@given(st.integers(0, 10**12), st.integers(0, 10**12))
def test_used_signatures_sort_by_the_second_that_they_cover(left: int, right: int) -> None:
    keys = [layout.replay(second, DIGEST) for second in (left, right)]
    assert (keys[0] < keys[1]) is (left < right)
    assert [layout.replay_second(key) for key in keys] == [left, right]
