from __future__ import annotations

import pytest

from stoker.errors import UsageError
from stoker.store.checks import HOSTILE_KEYS
from stoker.store.keys import MAX_KEY_LENGTH, check_key, check_prefix, is_key


@pytest.mark.parametrize(
    "key", ["a", "a/b", "models/m/log/00000000000000000001.json", ".probe/x", "region=eu.2013-03", "a" * 200]
)
def test_a_plain_key_passes_unchanged(key: str) -> None:
    assert check_key(key) == key


@pytest.mark.parametrize("key", [*HOSTILE_KEYS, None, 7, b"a", "a" * 201, "/".join(["a" * 200] * 5)])
def test_any_other_key_is_refused(key: object) -> None:
    with pytest.raises(UsageError, match="A key must be"):
        check_key(key)  # type: ignore[arg-type]


@pytest.mark.parametrize("prefix", ["", "a", "a/", "a/b", "a/.", "a/.."])
def test_a_prefix_may_end_anywhere_in_a_key(prefix: str) -> None:
    assert check_prefix(prefix) == prefix


@pytest.mark.parametrize("prefix", ["/", "a//", "../", "./a", "\0", "a\\"])
def test_a_prefix_that_begins_no_key_is_refused(prefix: str) -> None:
    with pytest.raises(UsageError):
        check_prefix(prefix)


def test_the_longest_key_passes() -> None:
    longest = "/".join(["a" * 99] * 9)
    assert len(longest) == MAX_KEY_LENGTH - 1
    assert is_key(longest)
    assert not is_key(f"{longest}bc")
