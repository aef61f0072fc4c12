"""The promotion task: one move of an alias, once."""

from __future__ import annotations

import pytest
from airflow.sdk.api.datamodels._generated import DagRunType
from airflow.sdk.exceptions import AirflowSkipException

from stoker.errors import StoreUnavailable
from tests.operators.conftest import Lived, Loop, faulty, refused, twice
from tests.support.faulty_store import Fault, Killed


def test_the_champion_moves_and_previous_follows(old: Loop, lived: Lived) -> None:
    moved = old.promote(lived.february["version"])
    assert (moved["kind"], moved["summary"]["version"], moved["summary"]["previous"]) == ("alias", 2, 1)
    assert old.registry.aliases("late") == {"champion": 2, "previous": 1}


@pytest.mark.parametrize("version", [2, "2"])
def test_a_version_may_be_given_by_its_number(old: Loop, version: int | str) -> None:
    assert old.promote(version)["summary"]["version"] == 2


def test_a_retry_moves_nothing_twice(old: Loop, lived: Lived) -> None:
    twice(old, lambda: old.promote(lived.february["version"]))
    assert old.registry.state("late").seq == 4


def test_another_run_finds_the_champion_in_place(old: Loop, lived: Lived) -> None:
    old.promote(lived.february["version"])
    old.run_id = "manual__again"
    assert old.promote(lived.february["version"])["summary"]["changed"] is False
    assert old.registry.state("late").seq == 4


def test_a_backfill_does_not_promote_unless_it_may(old: Loop, lived: Lived) -> None:
    old.run_type = DagRunType.BACKFILL
    before = old.pointers()
    with pytest.raises(AirflowSkipException, match="allow_backfill"):
        old.promote(lived.february["version"])
    assert old.pointers() == before
    assert old.promote(lived.february["version"], allow_backfill=True)["summary"]["version"] == 2


def test_an_alias_may_be_expected_to_be_unset(old: Loop, lived: Lived) -> None:
    with refused(old, "PromotionConflict: .*must point at nothing; it points at version 1"):
        old.promote(lived.february["version"], expected_version="none")
    assert old.promote(lived.february["version"], alias="shadow", expected_version=None)["summary"]["version"] == 2


@pytest.mark.parametrize("fault", [Fault.KILL_BEFORE, Fault.KILL_AFTER])
def test_a_killed_promotion_is_made_once_by_its_retry(old: Loop, lived: Lived, fault: Fault) -> None:
    with faulty({1: fault}), pytest.raises(Killed):
        old.promote(lived.february["version"])
    old.promote(lived.february["version"])
    assert old.registry.aliases("late") == {"champion": 2, "previous": 1}
    assert old.registry.state("late").seq == 4


def test_a_promotion_that_did_not_land_is_left_to_airflows_retries(old: Loop, lived: Lived) -> None:
    before = old.pointers()
    with faulty({1: Fault.BEFORE}), pytest.raises(StoreUnavailable):
        old.promote(lived.february["version"])
    assert old.pointers() == before


@pytest.mark.parametrize("fault", [Fault.AFTER, Fault.LOST])
def test_a_promotion_whose_reply_was_lost_finds_out(old: Loop, lived: Lived, fault: Fault) -> None:
    with faulty({1: fault}):
        assert old.promote(lived.february["version"])["summary"]["changed"] is True
    assert old.registry.state("late").seq == 4
