"""The memory behind the views."""

from __future__ import annotations

import pytest

from stoker.ui.views.memory import Memory


def test_a_value_is_made_once() -> None:
    made: list[int] = []
    memory: Memory[int] = Memory(2)
    for _ in range(3):
        assert memory.get("key", lambda: made.append(1) or len(made)) == 1


def test_what_was_not_used_longest_is_forgotten_first() -> None:
    memory: Memory[str] = Memory(2)
    for key in ("a", "b", "a", "c"):
        memory.get(key, lambda key=key: key)
    assert memory.get("a", lambda: "new") == "a"
    assert memory.get("b", lambda: "new") == "new"


def test_another_stamp_makes_the_value_anew() -> None:
    memory: Memory[str] = Memory(2)
    assert memory.get("key", lambda: "old", stamp=1) == "old"
    assert memory.get("key", lambda: "new", stamp=2) == "new"
    assert memory.get("key", lambda: "newer", stamp=2) == "new"


def test_a_failure_is_not_remembered() -> None:
    memory: Memory[str] = Memory(2)
    with pytest.raises(ZeroDivisionError):
        memory.get("key", lambda: str(1 / 0))
    assert memory.get("key", lambda: "value") == "value"
