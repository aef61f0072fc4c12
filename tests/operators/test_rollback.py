"""The rollback task: back to the version before, and the bad one blocked."""

from __future__ import annotations

import pytest

from tests.operators.conftest import Lived, Loop, refused, twice


@pytest.fixture
def bad(old: Loop, lived: Lived) -> Loop:
    """February took over, and proved bad."""
    old.promote(lived.february["version"])
    return old


def test_the_champion_goes_back_and_stays_there(bad: Loop, lived: Lived) -> None:
    moved = twice(bad, lambda: bad.rollback())
    assert (moved["kind"], moved["summary"]["version"], moved["summary"]["previous"]) == ("alias", 1, 2)
    assert bad.registry.aliases("late")["champion"] == 1
    bad.run_id = "manual__next"
    with refused(bad, "VersionBlocked"):
        bad.promote(lived.february["version"])


@pytest.mark.parametrize("version", ["1", ""])
def test_where_to_go_may_be_given_or_left_open(bad: Loop, version: str) -> None:
    assert bad.rollback(version=version)["summary"]["version"] == 1


def test_where_to_go_may_be_a_reference(bad: Loop, lived: Lived) -> None:
    assert bad.rollback(version=lived.january["version"])["summary"]["version"] == 1


def test_a_champion_that_is_another_already_is_not_rolled_back(bad: Loop) -> None:
    with refused(bad, "PromotionConflict: .*must point at version 1; it points at version 2"):
        bad.rollback(expected_version=1)
