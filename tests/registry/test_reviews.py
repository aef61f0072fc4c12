"""Approvals as entries of the log: who may decide what, and for how long it counts."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from stoker.core import wire
from stoker.core.records import Actor
from stoker.errors import (
    ApprovalRefused,
    ConflictError,
    CorruptArtifact,
    NotApproved,
    NotFound,
    StokerError,
    UsageError,
    VersionBlocked,
)
from stoker.registry.audit import verify
from stoker.registry.derived import EVERY
from stoker.registry.entries import write_entry
from stoker.registry.registry import Registry
from stoker.registry.reviews import AskApproval
from stoker.registry.state import AliasTarget, ModelState, Review
from stoker.store import layout
from stoker.store.base import ObjectStore
from stoker.store.memory import MemoryStore
from tests.registry.cases import ALICE, MODEL, SteppedClock, grow, promote, register, rollback

BOB, CAROL = Actor("bob", "ui"), Actor("carol", "ui")
SCHEDULE = Actor("airflow", "churn_train/scheduled__1/approve/-1")
DAY = timedelta(days=1)


@pytest.fixture
def digest(registry: Registry) -> str:
    """Version 1, which nobody was asked about yet."""
    return register(registry).digest


def ask(registry: Registry, version: int = 1, **more: Any) -> Review:
    usual = {"until": registry._clock() + DAY, "actor": ALICE, "reason": "passed"}
    return registry.ask_approval(MODEL, version, **{**usual, **more})


def approve(registry: Registry, evidence: str, version: int = 1, **more: Any) -> Review:
    return registry.approve(MODEL, version, **{"evidence": evidence, "actor": BOB, "reason": "fine", **more})


def reject(registry: Registry, evidence: str, version: int = 1, **more: Any) -> Review:
    return registry.reject(MODEL, version, **{"evidence": evidence, "actor": BOB, "reason": "leaks", **more})


def test_a_version_that_was_asked_about_and_approved_is_promoted(registry: Registry, digest: str) -> None:
    asked = ask(registry)
    assert (asked.status, asked.evidence, asked.asked_by, asked.asked_from) == ("waiting", digest, "alice", "python")
    approved = approve(registry, digest)
    assert (approved.status, approved.decided_by, approved.seq) == ("approved", "bob", 3)
    assert promote(registry, 1, require_approval=True).changed
    assert verify(registry.store, MODEL).clean


def test_the_log_tells_it_in_words(registry: Registry, digest: str) -> None:
    ask(registry)
    approve(registry, digest)
    register(registry, 2)
    ask(registry, 2, four_eyes=False)
    reject(registry, registry.version(MODEL, 2).digest, 2)
    described = [entry.change.describe() for entry in registry.history(MODEL, after=1)]
    assert described == [
        "asked for approval of v1 by somebody else until 2026-11-22 12:00 UTC",
        "approved v1",
        "registered v2",
        "asked for approval of v2 until 2026-11-22 12:00 UTC",
        "rejected v2",
    ]


def test_without_the_requirement_nobody_has_to_approve(registry: Registry, digest: str) -> None:
    assert promote(registry, 1).changed


@pytest.mark.parametrize("decided", [None, "ask", "reject"])
def test_what_nobody_approved_is_not_promoted(registry: Registry, digest: str, decided: str | None) -> None:
    if decided:
        ask(registry)
    if decided == "reject":
        reject(registry, digest)
    before = registry.state(MODEL)
    with pytest.raises(NotApproved, match="must be approved by a person") as refused:
        promote(registry, 1, require_approval=True)
    assert refused.value.details["reasons"]
    assert registry.state(MODEL) == before


def test_an_approval_does_not_stand_for_another_version(registry: Registry, digest: str) -> None:
    ask(registry)
    approve(registry, digest)
    register(registry, 2)
    with pytest.raises(NotApproved, match="nobody was asked"):
        promote(registry, 2, require_approval=True)
    ask(registry, 2)
    with pytest.raises(ConflictError, match="must be about evidence"):
        approve(registry, digest, 2)


def test_a_manifest_that_was_changed_after_the_approval_is_not_promoted(registry: Registry, digest: str) -> None:
    ask(registry)
    approve(registry, digest)
    store = registry.store
    forged = wire.parse(store.read(layout.blob(digest)), "the manifest")
    forged["manifest"]["evaluation"]["verdict"]["reasons"] = ["Look at this instead."]
    store.delete_swept(layout.blob(digest))
    store.create(layout.blob(digest), wire.canonical(forged))
    with pytest.raises(CorruptArtifact):
        promote(registry, 1, require_approval=True)
    assert not verify(store, MODEL).clean


def test_an_approval_of_other_content_is_no_approval(registry: Registry, digest: str) -> None:
    """As after a log whose registration was rewritten together with all that follows."""
    ask(registry)
    approve(registry, digest)
    state = registry.state(MODEL)
    head = registry._log._heads[MODEL]
    other = {1: replace(state.reviews[1], evidence="f" * 64)}
    registry._log._heads[MODEL] = replace(head, state=replace(state, reviews=other))
    with pytest.raises(NotApproved, match="what was approved is ffffffffffff"):
        promote(registry, 1, require_approval=True)


@pytest.mark.parametrize("user", ["alice", "Alice"])
def test_whoever_asked_may_not_approve(registry: Registry, digest: str, user: str) -> None:
    ask(registry)
    with pytest.raises(ApprovalRefused, match="somebody other than alice"):
        approve(registry, digest, actor=Actor(user, "cli"))
    assert registry.state(MODEL).reviews[1].status == "waiting"


def test_whoever_asked_may_approve_when_two_eyes_are_enough(registry: Registry, digest: str) -> None:
    ask(registry, four_eyes=False)
    assert approve(registry, digest, actor=ALICE).decided_by == "alice"


def test_any_person_may_approve_what_the_schedule_asked_but_not_the_schedule(registry: Registry, digest: str) -> None:
    ask(registry, actor=SCHEDULE)
    with pytest.raises(ApprovalRefused):
        approve(registry, digest, actor=SCHEDULE)
    assert approve(registry, digest, actor=ALICE).status == "approved"


def test_whoever_asked_may_reject(registry: Registry, digest: str) -> None:
    ask(registry)
    assert reject(registry, digest, actor=ALICE).status == "rejected"


def test_an_approval_that_comes_too_late_is_refused(registry: Registry, digest: str, clock: SteppedClock) -> None:
    ask(registry)
    clock.step(DAY.total_seconds() + 1)
    with pytest.raises(ApprovalRefused, match=r"must be approved by 2026-11-22 12:00 UTC; it is 2026-11-22 12:00"):
        approve(registry, digest)
    with pytest.raises(NotApproved, match="nobody answered until"):
        promote(registry, 1, require_approval=True)
    assert reject(registry, digest, actor=SCHEDULE).status == "rejected"


def test_an_approval_counts_by_the_time_of_its_entry(registry: Registry, digest: str, clock: SteppedClock) -> None:
    """Another writer's clock may be ahead, and entries never go back in time."""
    ask(registry)
    ahead = SteppedClock()
    ahead.step(2 * DAY.total_seconds())
    register(Registry(registry.store, clock=ahead), 2)
    with pytest.raises(ApprovalRefused):
        approve(registry, digest)
    assert registry.state(MODEL).seq == 3
    assert verify(registry.store, MODEL).clean


def test_an_approval_that_was_given_in_time_lasts(registry: Registry, digest: str, clock: SteppedClock) -> None:
    ask(registry)
    approve(registry, digest)
    clock.step(100 * DAY.total_seconds())
    assert promote(registry, 1, require_approval=True).changed


def test_asking_again_finds_the_review_that_waits_or_was_approved(registry: Registry, digest: str) -> None:
    first = ask(registry)
    assert ask(registry, actor=BOB, until=registry._clock() + 9 * DAY) == first
    approved = approve(registry, digest)
    assert ask(registry) == approved
    assert registry.state(MODEL).seq == 3


def test_asking_again_with_a_higher_demand_is_no_way_round_it(registry: Registry, digest: str) -> None:
    ask(registry, four_eyes=False)
    with pytest.raises(ConflictError, match="must not be waiting"):
        ask(registry)
    approve(registry, digest, actor=ALICE)
    assert ask(registry).status == "waiting"
    with pytest.raises(NotApproved):
        promote(registry, 1, require_approval=True)


def test_what_was_rejected_or_ran_out_may_be_asked_anew(registry: Registry, digest: str, clock: SteppedClock) -> None:
    ask(registry)
    reject(registry, digest)
    assert ask(registry).seq == 4
    clock.step(2 * DAY.total_seconds())
    assert ask(registry).seq == 5
    assert approve(registry, digest).status == "approved"


def test_a_decision_after_another_persons_is_told_what_was_decided(registry: Registry, digest: str) -> None:
    ask(registry)
    reject(registry, digest, actor=CAROL)
    for decide in (approve, reject):
        with pytest.raises(ConflictError, match="rejected by carol already") as refused:
            decide(registry, digest)
        assert refused.value.details["decided_by"] == "carol"


def test_the_same_decision_by_the_same_person_again_writes_nothing(registry: Registry, digest: str) -> None:
    ask(registry)
    assert approve(registry, digest) == approve(registry, digest)
    assert registry.state(MODEL).seq == 3


def test_a_call_repeated_with_its_key_gives_what_became_of_it(registry: Registry, digest: str) -> None:
    ask(registry, idempotency_key="ask")
    rejected = reject(registry, digest, idempotency_key="no")
    assert ask(registry, idempotency_key="ask") == rejected
    assert reject(registry, digest, idempotency_key="no") == rejected
    assert registry.state(MODEL).seq == 3


def test_a_key_is_good_for_one_change(registry: Registry, digest: str) -> None:
    ask(registry, idempotency_key="k")
    with pytest.raises(UsageError, match="one change only"):
        approve(registry, digest, idempotency_key="k")
    with pytest.raises(UsageError, match="one change only"):
        promote(registry, 1, idempotency_key="k")
    register(registry, 2)
    with pytest.raises(UsageError, match="one change only"):
        ask(registry, 2, idempotency_key="k")


def test_nobody_decides_what_nobody_asked(registry: Registry, digest: str) -> None:
    for decide in (approve, reject):
        with pytest.raises(NotFound, match="must have been asked for"):
            decide(registry, digest)
        with pytest.raises(NotFound):
            decide(registry, digest, 2)
    with pytest.raises(NotFound):
        ask(registry, 2)
    with pytest.raises(NotFound):
        Registry(registry.store).approve("other", 1, evidence=digest, actor=BOB, reason="")


@pytest.mark.parametrize("later", [timedelta(0), -DAY])
def test_a_review_ends_in_the_future(registry: Registry, digest: str, later: timedelta) -> None:
    with pytest.raises(UsageError, match="an end in the future"):
        ask(registry, until=registry._clock() + later)
    with pytest.raises(UsageError, match="with a time zone"):
        ask(registry, until=(registry._clock() + DAY).replace(tzinfo=None))


@pytest.mark.parametrize("approved", [False, True])
def test_blocking_ends_the_review_and_an_unblocked_version_is_asked_about_anew(
    registry: Registry, digest: str, approved: bool
) -> None:
    ask(registry, idempotency_key="ask")
    if approved:
        approve(registry, digest)
    registry.block(MODEL, 1, actor=ALICE, reason="leak")
    state = registry.state(MODEL)
    assert (state.reviews[1].status, state.reviews[1].seq) == ("void", state.seq)
    with pytest.raises(VersionBlocked):
        ask(registry)
    with pytest.raises(VersionBlocked):
        approve(registry, digest)
    with pytest.raises(ConflictError, match="it ended since"):
        ask(registry, idempotency_key="ask")
    registry.unblock(MODEL, 1, actor=ALICE, reason="no leak")
    with pytest.raises(NotApproved, match="was blocked after it was asked about"):
        promote(registry, 1, require_approval=True)
    with pytest.raises(NotFound, match="the version was blocked since it was"):
        approve(registry, digest)
    assert ask(registry).status == "waiting"
    assert verify(registry.store, MODEL).clean


def test_a_rollback_ends_the_review_of_the_version_that_proved_bad(registry: Registry, digest: str) -> None:
    promote(registry, 1)
    approved = register(registry, 2)
    ask(registry, 2)
    approve(registry, approved.digest, 2)
    promote(registry, 2, require_approval=True)
    rollback(registry)
    assert registry.state(MODEL).reviews[2].status == "void"


@pytest.mark.parametrize("turn", range(10))
def test_of_two_people_who_decide_at_once_one_decides(turn: int) -> None:
    store = MemoryStore()
    digest = register(Registry(store)).digest
    ask(Registry(store))
    answers: list[Review | StokerError] = []
    gate = threading.Barrier(2)

    def decide(call: Any, actor: Actor) -> None:
        registry = Registry(store)
        gate.wait()
        try:
            answers.append(call(registry, digest, actor=actor))
        except StokerError as error:
            answers.append(error)

    threads = [threading.Thread(target=decide, args=pair) for pair in ((approve, BOB), (reject, CAROL))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    stands = Registry(store).state(MODEL).reviews[1]
    conflict = next(answer for answer in answers if isinstance(answer, ConflictError))
    assert stands in answers
    assert conflict.details["decided_by"] == stands.decided_by
    assert Registry(store).state(MODEL).seq == 3
    assert verify(store, MODEL).clean


def test_reviews_survive_a_checkpoint(registry: Registry, store: ObjectStore, digest: str) -> None:
    ask(registry)
    approve(registry, digest)
    grow(registry, EVERY, start=2)
    state = Registry(store).state(MODEL)
    assert state.reviews == registry.state(MODEL).reviews
    assert ModelState.from_record(state.to_record(), "copy", model=MODEL).reviews == state.reviews
    assert promote(Registry(store), 1, require_approval=True).changed
    assert verify(store, MODEL).clean


def test_a_log_without_reviews_has_the_records_that_it_always_had() -> None:
    state = ModelState("churn", versions=2, aliases={"champion": AliasTarget(2, 3)}, blocked=frozenset({1}))
    record = {"versions": 2, "aliases": {"champion": {"version": 2, "seq": 3}}, "blocked": [1]}
    assert state.to_record() == record
    assert ModelState.from_record(record, "old", model="churn") == state


def test_the_newest_reviews_are_kept() -> None:
    def review(version: int, seq: int) -> Review:
        return Review(version, "waiting", "0" * 64, "alice", "python", SteppedClock().now, True, None, seq)

    state = ModelState("churn", versions=300)
    for version in range(300, 100, -1):
        state = state.with_review(review(version, 1000 - version))
    assert sorted(state.reviews) == list(range(101, 201))


@pytest.mark.parametrize(
    "change",
    [
        {"evidence": "short"},
        {"until": "tomorrow"},
        {"until": "2026-11-22T12:00:00Z"},
        {"four_eyes": 1},
        {"version": True},
        {"asked_by": "mallory"},
    ],
)
def test_an_entry_that_asks_in_another_form_is_found_by_the_audit(change: dict[str, Any]) -> None:
    registry = Registry(MemoryStore())
    register(registry)
    ask(registry)
    key = layout.numbered(layout.log(MODEL), 2)
    record = json.loads(registry.store.read(key))
    record["change"].update(change)
    registry.store.delete_swept(key)
    registry.store.create(key, wire.canonical(record))
    assert [problem.key for problem in verify(registry.store, MODEL).problems] == [key]


def test_an_entry_that_asks_about_other_evidence_is_found_by_the_audit(clock: SteppedClock) -> None:
    registry = Registry(MemoryStore(), clock=clock)
    digest = register(registry).digest
    forged = AskApproval(1, "e" * 64, ALICE, clock.now, clock.now + DAY, True)
    entry = write_entry(registry.state(MODEL), forged, write_id="w", now=clock.now, actor=ALICE, reason="r")
    registry.store.create(entry.key, entry.data)
    assert [digest in problem.what for problem in verify(registry.store, MODEL).problems] == [True]
    approve(Registry(registry.store, clock=clock), "e" * 64)
    with pytest.raises(NotApproved, match="what was approved is eeeeeeeeeeee"):
        promote(Registry(registry.store, clock=clock), 1, require_approval=True)
