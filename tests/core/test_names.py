from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stoker.core import names
from stoker.errors import InvalidName
from tests.support.hostile import HOSTILE_NAMES


@pytest.mark.parametrize("name", ["a", "churn", "flights_late", "churn-eu-2", "a" * 63])
def test_plain_names_are_taken(name: str) -> None:
    assert names.check_name(name, "model") == name


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_a_hostile_name_is_refused_everywhere(name: str) -> None:
    for check in (lambda n: names.check_name(n, "model"), names.check_alias, names.parse_version):
        with pytest.raises(InvalidName):
            check(name)


@pytest.mark.parametrize("value", [None, 7, b"churn", ["churn"]])
def test_something_that_is_no_text_is_no_name(value: object) -> None:
    with pytest.raises(InvalidName):
        names.check_name(value, "model")  # type: ignore[arg-type]


def test_a_refused_name_is_shown_without_breaking_the_line() -> None:
    with pytest.raises(InvalidName) as refused:
        names.check_name("a\nb\x1b[31m" * 100, "model")
    assert "\n" not in str(refused.value)
    assert "\x1b" not in str(refused.value)
    assert len(str(refused.value)) < 400


@pytest.mark.parametrize("alias", ["latest", "v7", "v1"])
def test_an_alias_that_would_mislead_is_refused(alias: str) -> None:
    with pytest.raises(InvalidName):
        names.check_alias(alias)


@pytest.mark.parametrize("alias", ["champion", "challenger", "shadow", "previous", "eu-champion"])
def test_the_usual_aliases_are_taken(alias: str) -> None:
    assert names.check_alias(alias) == alias


@pytest.mark.parametrize("partition", ["2013-03", "2013-03-01", "region=eu.2013-03", "0", "a"])
def test_partitions_may_begin_with_a_digit(partition: str) -> None:
    assert names.check_partition(partition) == partition


@pytest.mark.parametrize("partition", ["", "..", "a..b", ".a", "a.", "a/b", "A", "a b", "x" * 128, "a\n", None])
def test_a_partition_that_could_leave_its_folder_is_refused(partition: str) -> None:
    with pytest.raises(InvalidName):
        names.check_partition(partition)


@pytest.mark.parametrize(("text", "number"), [("7", 7), (7, 7), ("123", 123)])
def test_versions_are_read_from_text(text: str | int, number: int) -> None:
    assert names.parse_version(text) == number


@pytest.mark.parametrize("text", ["0", "-1", "1e3", "１", " 7", "7\n", "07", "", "v7", 0, -1, True, 1.5, None])
def test_what_is_no_plain_number_is_no_version(text: object) -> None:
    with pytest.raises(InvalidName):
        names.parse_version(text)  # type: ignore[arg-type]


@given(st.text(max_size=80))
def test_any_name_that_passes_is_safe_as_a_path_and_an_address(name: str) -> None:
    try:
        names.check_name(name, "model")
    except InvalidName:
        return
    assert name.isascii()
    assert name == name.strip().lower()
    assert not set(name) & set("/\\.%?#:*[]~$`{}&\"' \0\n")
