"""Settings from plain values."""

from __future__ import annotations

from typing import Any

import pytest

from stoker.errors import ConfigurationError
from stoker.settings import Settings


def test_only_the_store_is_needed() -> None:
    settings = Settings.from_mapping({"store": "memory://x"})
    assert settings == Settings("memory://x")
    assert (settings.aws_conn_id, settings.trusted_types, settings.max_threads) == ("aws_default", (), 2)


def test_empty_values_leave_the_default() -> None:
    given = {"store": "memory://x", "aws_conn_id": "", "max_threads": None, "trusted_types": ""}
    assert Settings.from_mapping(given) == Settings("memory://x")


@pytest.mark.parametrize("given", ["a.B c.D", "a.B, c.D", ["a.B", "c.D"], "  a.B\nc.D "])
def test_trusted_types_are_names_in_any_of_the_usual_forms(given: Any) -> None:
    assert Settings.from_mapping({"store": "memory://x", "trusted_types": given}).trusted_types == ("a.B", "c.D")


@pytest.mark.parametrize(("given", "threads"), [(3, 3), ("4", 4)])
def test_threads_are_a_number_or_its_text(given: Any, threads: int) -> None:
    assert Settings.from_mapping({"store": "memory://x", "max_threads": given}).max_threads == threads


@pytest.mark.parametrize("value", [0, -1, "x", "1.5", 2.5, "²", "٣", True, [2]])
def test_other_threads_are_refused(value: Any) -> None:
    with pytest.raises(ConfigurationError, match="max_threads"):
        Settings.from_mapping({"store": "memory://x", "max_threads": value})


@pytest.mark.parametrize("value", [[1], {"a": 1}.values(), 7, True])
def test_trusted_types_that_are_no_names_are_refused(value: Any) -> None:
    with pytest.raises(ConfigurationError, match="trusted_types"):
        Settings.from_mapping({"store": "memory://x", "trusted_types": value})


@pytest.mark.parametrize("given", [{}, {"store": ""}, {"store": None}, {"store": 7}])
def test_a_missing_store_is_refused_with_what_to_do(given: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="store_uri"):
        Settings.from_mapping(given)


def test_unknown_settings_are_named_but_not_their_values() -> None:
    with pytest.raises(ConfigurationError, match="passwort") as refused:
        Settings.from_mapping({"store": "memory://x", "passwort": "hunter2"})
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize("name", ["aws_conn_id", "expected_bucket_owner"])
@pytest.mark.parametrize("value", [7, ["x"]])
def test_texts_that_are_none_are_refused(name: str, value: Any) -> None:
    with pytest.raises(ConfigurationError, match=name):
        Settings.from_mapping({"store": "memory://x", name: value})


@pytest.mark.parametrize(("given", "size"), [("8GB", 8 * 10**9), (512, 512)])
def test_a_memory_limit_is_a_size(given: Any, size: int) -> None:
    assert Settings.from_mapping({"store": "memory://x", "memory_limit": given}).memory_limit == size
    assert Settings.from_mapping({"store": "memory://x", "memory_limit": ""}).memory_limit is None


def test_another_memory_limit_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="memory_limit must be a size"):
        Settings.from_mapping({"store": "memory://x", "memory_limit": "much"})


def test_a_misspelt_setting_is_told_what_was_meant() -> None:
    with pytest.raises(ConfigurationError, match=r"max_thread \(do you mean max_threads\?\)"):
        Settings.from_mapping({"store": "memory://x", "max_thread": 3})
