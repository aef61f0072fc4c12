from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from stoker.core.records import Actor
from stoker.errors import (
    ApprovalRefused,
    ConflictError,
    InvalidName,
    NotFound,
    PromotionConflict,
    StokerError,
    UsageError,
    VersionBlocked,
)
from stoker.registry.changes import Block, Change, Move, Register, Rollback, SetAlias, Unblock, plan_moves
from stoker.registry.reviews import Approve, AskApproval, Reject
from stoker.registry.state import AliasTarget, ModelState, Review

DIGEST = "0" * 64
NOW = datetime(2026, 11, 21, tzinfo=UTC)
BOB = Actor("bob", "ui")
STATE = ModelState(
    "churn",
    seq=9,
    versions=4,
    aliases={"champion": AliasTarget(3, 9), "previous": AliasTarget(2, 9), "shadow": AliasTarget(1, 5)},
    blocked=frozenset({4}),
    reviews={2: Review(2, "waiting", DIGEST, "ada", "python", NOW, True, None, 8)},
)
HOME = plan_moves(STATE, "champion", 2)


def test_a_plan_for_the_champion_takes_previous_along_and_links_to_the_moves_before() -> None:
    assert (Move("champion", 2, 3, 9), Move("previous", 3, 2, 9)) == HOME
    assert plan_moves(STATE, "shadow", 2) == (Move("shadow", 2, 1, 5),)
    assert plan_moves(STATE, "new", 2) == (Move("new", 2, None, 0),)


@pytest.mark.parametrize(
    "change",
    [
        Register(5, DIGEST, DIGEST),
        Register(5, DIGEST, DIGEST, (Move("shadow", 5, 1, 5),)),
        SetAlias(HOME),
        SetAlias(HOME, expects=3),
        Rollback(HOME, blocks=3),
        Block(3),
        Unblock(4),
        AskApproval(1, DIGEST, BOB, NOW, NOW, four_eyes=True),
        AskApproval(2, DIGEST, BOB, NOW + timedelta(1), NOW, four_eyes=True),
        Approve(2, DIGEST, BOB, NOW),
        Reject(2, DIGEST, BOB, NOW + timedelta(1)),
    ],
)
def test_a_change_whose_requirement_holds_is_taken(change: Change) -> None:
    change.check(STATE)
    assert change.apply(STATE).to_record() != STATE.to_record()


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (Register(4, DIGEST, DIGEST), ConflictError),
        (Register(6, DIGEST, DIGEST), ConflictError),
        (Register(5, DIGEST, DIGEST, (Move("shadow", 5, None, 0),)), PromotionConflict),
        (Register(5, DIGEST, DIGEST, (Move("shadow", 1, 1, 5),)), UsageError),
        (Register(5, DIGEST, DIGEST, (Move("champion", 5, 3, 9),)), UsageError),
        (Register(5, DIGEST, DIGEST, (Move("previous", 5, 2, 9),)), UsageError),
        (SetAlias(HOME, expects=2), PromotionConflict),
        (SetAlias(HOME, expects=None), PromotionConflict),
        (SetAlias((Move("champion", 2, 1, 9), HOME[1])), PromotionConflict),
        (SetAlias((Move("champion", 2, 3, 8), HOME[1])), PromotionConflict),
        (SetAlias(HOME[:1]), UsageError),
        (SetAlias((HOME[0], Move("shadow", 2, 1, 5))), UsageError),
        (SetAlias((Move("previous", 1, 2, 9),)), UsageError),
        (SetAlias((Move("shadow", 5, 1, 5),)), NotFound),
        (SetAlias((Move("shadow", 0, 1, 5),)), NotFound),
        (SetAlias((Move("shadow", 4, 1, 5),)), VersionBlocked),
        (Rollback(HOME, blocks=1), UsageError),
        (Rollback(plan_moves(STATE, "champion", 3), blocks=3), UsageError),
        (Block(5), NotFound),
        (Block(4), ConflictError),
        (Unblock(3), ConflictError),
        (AskApproval(2, DIGEST, BOB, NOW, NOW, four_eyes=True), ConflictError),
        (AskApproval(4, DIGEST, BOB, NOW, NOW, four_eyes=True), VersionBlocked),
        (AskApproval(5, DIGEST, BOB, NOW, NOW, four_eyes=True), NotFound),
        (Approve(1, DIGEST, BOB, NOW), NotFound),
        (Approve(2, "1" * 64, BOB, NOW), ConflictError),
        (Approve(2, DIGEST, Actor("ADA", "ui"), NOW), ApprovalRefused),
        (Approve(2, DIGEST, BOB, NOW + timedelta(1)), ApprovalRefused),
        (Reject(4, DIGEST, BOB, NOW), VersionBlocked),
    ],
)
def test_a_change_whose_requirement_is_broken_is_refused(change: Change, error: type[StokerError]) -> None:
    with pytest.raises(error):
        change.check(STATE)


@pytest.mark.parametrize("alias", ["latest", "v7", "Champion"])
def test_an_alias_in_the_log_keeps_to_the_rules(alias: str) -> None:
    with pytest.raises(InvalidName):
        SetAlias((Move(alias, 2, None, 0),)).check(STATE)
