from __future__ import annotations

import pickle
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from stoker.errors import (
    CorruptArtifact,
    GateFailed,
    InvalidName,
    NotFound,
    PromotionConflict,
    UsageError,
    VersionBlocked,
)
from stoker.registry.changes import ANY
from stoker.registry.registry import Registry
from stoker.registry.versions import Version
from stoker.store import layout
from stoker.store.base import ObjectStore
from stoker.store.memory import MemoryStore
from tests.registry.cases import ALICE, MODEL, START, SteppedClock, grow, manifest, promote, register, rollback
from tests.support.hostile import HOSTILE_NAMES


def test_an_empty_store_has_no_models(registry: Registry) -> None:
    assert registry.models() == []


def test_models_are_listed_in_order_whatever_shares_their_prefix(registry: Registry) -> None:
    for name in ["b", "a-b", "a", "a0", "a_b"]:
        register(registry, name=name)
    assert registry.models() == sorted(["b", "a-b", "a", "a0", "a_b"])


def test_what_is_no_model_is_left_out_of_the_list() -> None:
    store = MemoryStore()
    store.create("models/README", b"hello")
    store.create("models/Not-Ours/log/1.json", b"{}")
    registry = Registry(store)
    register(registry)
    assert registry.models() == [MODEL]


def test_versions_are_numbered_from_one(registry: Registry) -> None:
    assert [register(registry, number).number for number in (1, 2, 3)] == [1, 2, 3]


def test_a_registered_version_reads_back_as_it_was_returned(registry: Registry, store: ObjectStore) -> None:
    made = register(registry, aliases=["challenger"])
    assert Registry(store).version(MODEL, 1) == made
    assert made.aliases == ("challenger",)
    assert made.files["model.skops"].size == len(b"weights 1")
    assert made.verdict is not None
    assert made.verdict.passed


def test_what_the_registry_does_not_know_stays_in_the_manifest(registry: Registry, store: ObjectStore) -> None:
    made = registry.register(MODEL, manifest(store, note={"kind": "own"}), actor=ALICE, reason="")
    assert made.manifest["note"] == {"kind": "own"}


def test_the_same_training_gives_the_same_version(registry: Registry, store: ObjectStore) -> None:
    first = register(registry)
    again = registry.register(MODEL, manifest(store, note="later"), actor=ALICE, reason="again")
    assert (again.number, again.digest) == (first.number, first.digest)
    assert registry.state(MODEL).seq == 1


def test_the_same_training_is_found_behind_a_checkpoint(registry: Registry, store: ObjectStore) -> None:
    grow(registry, 20)
    assert register(Registry(store), 2).number == 2
    assert registry.state(MODEL).versions == 20


def test_a_repeated_key_gives_the_first_version_again(registry: Registry, store: ObjectStore) -> None:
    first = register(registry, 1, idempotency_key="run/7")
    again = register(Registry(store), 2, idempotency_key="run/7")
    assert again == first
    assert registry.state(MODEL).versions == 1


def test_a_repeated_key_is_found_behind_a_checkpoint(registry: Registry, store: ObjectStore) -> None:
    register(registry, 100, idempotency_key="run/7")
    grow(registry, 20)
    assert register(Registry(store), 200, idempotency_key="run/7").number == 1


def test_a_key_serves_one_change_only(registry: Registry) -> None:
    register(registry, 1, idempotency_key="k")
    register(registry, 2)
    with pytest.raises(UsageError, match="one change only"):
        promote(registry, 1, idempotency_key="k")
    promote(registry, 1, idempotency_key="p")
    with pytest.raises(UsageError, match="one change only"):
        promote(registry, 2, idempotency_key="p")
    with pytest.raises(UsageError, match="one change only"):
        register(registry, 3, idempotency_key="p")
    with pytest.raises(UsageError, match="one change only"):
        rollback(registry, idempotency_key="p")


def test_a_caller_cannot_pass_a_key_for_a_fingerprint(registry: Registry, store: ObjectStore) -> None:
    first = register(registry, 1)
    assert register(registry, 2, idempotency_key=f"fingerprint:{first.fingerprint}").number == 2


def test_a_version_whose_file_is_missing_is_refused(registry: Registry, store: ObjectStore) -> None:
    wanted = manifest(store)
    wanted["files"]["extra.json"] = {"sha256": "0" * 64, "size": 1}
    with pytest.raises(NotFound, match=r"extra\.json"):
        registry.register(MODEL, wanted, actor=ALICE, reason="x")
    assert registry.models() == []


def _deep(levels: int) -> Any:
    return [_deep(levels - 1)] if levels else 0


@pytest.mark.parametrize(
    "damage",
    [
        {"fingerprint": None},
        {"fingerprint": "F" * 64},
        {"files": None},
        {"files": []},
        {"files": {"../x": {"sha256": "0" * 64, "size": 1}}},
        {"files": {"a/b": {"sha256": "0" * 64, "size": 1}}},
        {"files": {"x": {"sha256": "0" * 63, "size": 1}}},
        {"files": {"x": {"sha256": "0" * 64, "size": -1}}},
        {"files": {"x": {"sha256": "0" * 64, "size": True}}},
        {"files": {"x": {"sha256": "0" * 64}}},
        {"evaluation": {}},
        {"evaluation": []},
        {"evaluation": "pass"},
        {"evaluation": {"verdict": {"outcome": "perfect", "reasons": ["x"], "numbers": {}}}},
        {"evaluation": {"verdict": {"outcome": "pass", "reasons": [], "numbers": {}}}},
        {"evaluation": {"verdict": {"outcome": "pass", "reasons": "abc", "numbers": {}}}},
        {"evaluation": {"verdict": {"outcome": "pass", "reasons": ["x"], "numbers": {}}, "baseline_version": "1"}},
        {"metrics": {"auc": float("nan")}},
        {"metrics": object()},
        {"metrics": {1: 1, "a": 2}},
        {"metrics": "\ud800"},
        {"metrics": _deep(70)},
        {"metrics": "x" * (9 * 1024 * 1024)},
    ],
)
def test_a_manifest_that_could_not_be_read_again_is_refused(damage: dict[str, Any]) -> None:
    registry = Registry(MemoryStore())
    with pytest.raises(UsageError, match="manifest"):
        registry.register(MODEL, {**manifest(registry.store), **damage}, actor=ALICE, reason="x")
    assert registry.models() == []


def test_a_manifest_that_is_no_object_is_refused() -> None:
    with pytest.raises(UsageError, match="JSON object"):
        Registry(MemoryStore()).register(MODEL, [1], actor=ALICE, reason="x")  # type: ignore[arg-type]


def test_an_unknown_model_version_or_alias_is_not_found(registry: Registry) -> None:
    for look in (registry.state, registry.aliases, registry.resolve, registry.versions, registry.history):
        with pytest.raises(NotFound, match="churn"):
            look(MODEL)
    register(registry)
    with pytest.raises(NotFound, match="versions 1 to 1"):
        registry.version(MODEL, 2)
    with pytest.raises(NotFound, match="champion"):
        registry.resolve(MODEL)
    with pytest.raises(NotFound):
        promote(registry, 2)


def test_the_champion_is_what_was_promoted(registry: Registry, store: ObjectStore) -> None:
    register(registry, 1)
    register(registry, 2)
    move = promote(registry, 2, expected_version=None)
    assert (move.alias, move.version, move.previous, move.seq, move.changed) == ("champion", 2, None, 3, True)
    assert Registry(store).resolve(MODEL).number == 2
    assert registry.aliases(MODEL) == {"champion": 2}


def test_previous_follows_the_champion(registry: Registry) -> None:
    grow(registry, 3)
    assert registry.aliases(MODEL) == {"champion": 3, "previous": 2}
    assert registry.resolve(MODEL, "previous").number == 2


def test_other_aliases_move_alone(registry: Registry) -> None:
    grow(registry, 2)
    promote(registry, 1, alias="shadow")
    assert registry.aliases(MODEL) == {"champion": 2, "previous": 1, "shadow": 1}


def test_previous_cannot_be_set_and_a_registration_makes_no_champion(registry: Registry) -> None:
    register(registry)
    for attempt in (
        lambda: promote(registry, 1, alias="previous"),
        lambda: rollback(registry, alias="previous"),
        lambda: register(registry, 2, aliases=["previous"]),
        lambda: register(registry, 2, aliases=["champion"]),
    ):
        with pytest.raises(UsageError):
            attempt()
    assert registry.state(MODEL).seq == 1


def test_promoting_what_is_champion_already_writes_nothing(registry: Registry, clock: SteppedClock) -> None:
    register(registry)
    first = promote(registry, 1, expected_version=None)
    clock.step()
    again = promote(registry, 1, expected_version=None)
    assert (again.changed, again.seq, again.time) == (False, first.seq, first.time)
    assert registry.state(MODEL).seq == 2


def test_a_broken_expectation_names_what_was_seen(registry: Registry) -> None:
    grow(registry, 2)
    register(registry, 3)
    for expected in (1, None, 3):
        with pytest.raises(PromotionConflict, match="points at version 2") as caught:
            promote(registry, 3, expected_version=expected)
        seen = pickle.loads(pickle.dumps(caught.value)).details
        assert (seen["seen_version"], seen["seen_seq"], seen["expected"]) == (2, 4, expected)
    with pytest.raises(PromotionConflict, match="points at nothing"):
        promote(registry, 3, alias="shadow", expected_version=1)
    assert promote(registry, 3, expected_version=2).changed


def test_a_version_without_a_passing_verdict_is_not_promoted(registry: Registry) -> None:
    register(registry, 1, outcome="fail")
    register(registry, 2, outcome=None)
    with pytest.raises(GateFailed, match="The outcome is fail") as caught:
        promote(registry, 1)
    assert caught.value.details["reasons"] == ["The outcome is fail."]
    with pytest.raises(GateFailed, match="it has none"):
        promote(registry, 2)
    assert promote(registry, 1, require_verdict=False).changed


def test_a_retried_promotion_gives_the_first_answer_even_when_others_came_later(registry: Registry) -> None:
    register(registry, 1)
    first = promote(registry, 1, idempotency_key="task/1")
    grow(registry, 20, start=2)
    assert promote(registry, 1, idempotency_key="task/1") == first
    assert registry.resolve(MODEL).number == 21


def test_a_rollback_goes_back_and_blocks_what_it_leaves(registry: Registry) -> None:
    grow(registry, 3)
    move = rollback(registry)
    assert (move.version, move.previous) == (2, 3)
    assert registry.resolve(MODEL).number == 2
    assert registry.version(MODEL, 3).blocked


def test_a_rollback_sticks(registry: Registry) -> None:
    grow(registry, 2)
    rollback(registry)
    again = register(registry, 2, reason="retrained on the same data")
    assert (again.number, again.blocked) == (2, True)
    with pytest.raises(VersionBlocked, match="unblock"):
        promote(registry, again.number)
    assert registry.resolve(MODEL).number == 1


def test_rollbacks_in_a_row_go_further_back_each_time(registry: Registry) -> None:
    grow(registry, 4)
    assert [rollback(registry).version for _ in range(3)] == [3, 2, 1]
    with pytest.raises(NotFound, match="nothing to go back to"):
        rollback(registry)
    assert registry.resolve(MODEL).number == 1


def test_a_rollback_far_back_reads_the_moves_behind_a_checkpoint(registry: Registry, store: ObjectStore) -> None:
    grow(registry, 20)
    assert rollback(Registry(store), to=2).version == 2


def test_a_rollback_to_a_version_takes_only_where_the_alias_was(registry: Registry) -> None:
    grow(registry, 2)
    register(registry, 3)
    with pytest.raises(NotFound, match="version 3"):
        rollback(registry, to=3)
    with pytest.raises(NotFound, match="version 2"):
        rollback(registry, to=2)
    registry.block(MODEL, 1, actor=ALICE, reason="bad")
    with pytest.raises(VersionBlocked):
        rollback(registry, to=1)


def test_a_rollback_needs_a_set_alias_and_a_reason(registry: Registry) -> None:
    register(registry)
    with pytest.raises(NotFound, match="must be set"):
        rollback(registry)
    with pytest.raises(UsageError, match="reason"):
        rollback(registry, reason="  ")


def test_a_rollback_of_what_is_no_longer_there_is_refused(registry: Registry) -> None:
    grow(registry, 3)
    with pytest.raises(PromotionConflict) as caught:
        rollback(registry, expected_version=2)
    assert caught.value.details["seen_version"] == 3


def test_a_retried_rollback_goes_back_once(registry: Registry) -> None:
    grow(registry, 3)
    assert rollback(registry, idempotency_key="r") == rollback(registry, idempotency_key="r")
    assert registry.resolve(MODEL).number == 2


def test_a_target_that_does_not_load_is_refused_before_anything_is_written(registry: Registry) -> None:
    grow(registry, 2)
    seen: list[Version] = []

    def refuse(target: Version) -> None:
        seen.append(target)
        raise CorruptArtifact("it does not load")

    with pytest.raises(CorruptArtifact):
        rollback(registry, verify=refuse)
    assert [version.number for version in seen] == [1]
    assert registry.state(MODEL).seq == 4
    assert rollback(registry, verify=seen.append).version == 1


def test_two_rollbacks_at_once_do_not_go_back_two_versions(store: ObjectStore, registry: Registry) -> None:
    grow(registry, 3)

    def other_is_first(_: Version) -> None:
        if registry.resolve(MODEL).number == 3:
            rollback(Registry(store))

    with pytest.raises(PromotionConflict):
        rollback(registry, verify=other_is_first)
    assert registry.resolve(MODEL).number == 2


def test_blocking_and_unblocking_happen_once(registry: Registry) -> None:
    grow(registry, 2)
    assert registry.block(MODEL, 1, actor=ALICE, reason="leak")
    assert not registry.block(MODEL, 1, actor=ALICE, reason="leak")
    with pytest.raises(VersionBlocked):
        promote(registry, 1)
    assert registry.unblock(MODEL, 1, actor=ALICE, reason="no leak")
    assert not registry.unblock(MODEL, 1, actor=ALICE, reason="no leak")
    assert promote(registry, 1).changed
    with pytest.raises(NotFound):
        registry.unblock(MODEL, 3, actor=ALICE, reason="x")
    with pytest.raises(NotFound):
        registry.block("nobody", 1, actor=ALICE, reason="x")


def test_a_blocked_champion_can_still_be_rolled_back(registry: Registry) -> None:
    grow(registry, 2)
    registry.block(MODEL, 2, actor=ALICE, reason="bad")
    assert registry.resolve(MODEL).blocked
    with pytest.raises(VersionBlocked):
        promote(registry, 2)
    assert rollback(registry).version == 1


def test_versions_are_paged(registry: Registry) -> None:
    grow(registry, 5)

    def numbers(**page: Any) -> list[int]:
        return [version.number for version in registry.versions(MODEL, **page)]

    assert numbers() == [5, 4, 3, 2, 1]
    assert numbers(limit=2) == [5, 4]
    assert numbers(after=4, limit=2) == [3, 2]
    assert numbers(after=99, limit=1) == [5]
    assert numbers(newest_first=False, after=3) == [4, 5]
    assert numbers(newest_first=False, limit=1) == [1]
    assert numbers(after=1) == []


def test_history_tells_who_changed_what_when_and_why(registry: Registry, clock: SteppedClock) -> None:
    register(registry, 1, aliases=["challenger"])
    register(registry, 2)
    clock.step()
    promote(registry, 1)
    promote(registry, 2)
    rollback(registry, reason="AUC fell")
    registry.block(MODEL, 1, actor=ALICE, reason="x")
    registry.unblock(MODEL, 1, actor=ALICE, reason="x")
    entries = list(registry.history(MODEL))
    assert [entry.change.describe() for entry in entries] == [
        "registered v1, challenger",
        "registered v2",
        "champion: unset → v1",
        "champion: v1 → v2",
        "rolled back champion: v2 → v1, blocked v2",
        "blocked v1",
        "unblocked v1",
    ]
    assert [entry.seq for entry in registry.history(MODEL, after=2, limit=2)] == [3, 4]
    assert (entries[4].reason, entries[4].actor, entries[4].time) == ("AUC fell", ALICE, START + timedelta(seconds=60))


def test_the_past_of_an_alias_is_known(registry: Registry, store: ObjectStore, clock: SteppedClock) -> None:
    register(registry, 1)
    register(registry, 2)
    first = clock.step()
    promote(registry, 1)
    second = clock.step()
    promote(registry, 2)
    third = clock.step()
    rollback(registry)
    for number in range(3, 20):  # so that the moves lie behind a checkpoint
        register(registry, number)
    reader = Registry(store)

    def champion(moment: datetime) -> int | None:
        version = reader.champion_at(MODEL, moment)
        return version.number if version else None

    just = timedelta(microseconds=1)
    assert [champion(moment) for moment in (first - just, first, second - just, second, third - just, third)] == [
        None, 1, 1, 2, 2, 1,
    ]  # fmt: skip
    before = reader.alias_at(MODEL, third, "previous")
    assert before is not None
    assert before.number == 2
    assert reader.alias_at(MODEL, second - just, "previous") is None
    assert reader.alias_at(MODEL, third, "shadow") is None


def test_a_moment_needs_a_zone(registry: Registry) -> None:
    register(registry)
    with pytest.raises(UsageError, match="zone"):
        registry.champion_at(MODEL, datetime(2026, 1, 1))  # noqa: DTZ001 - that is the point


def test_time_never_runs_backwards_in_the_log(registry: Registry, clock: SteppedClock) -> None:
    register(registry, 1)
    clock.step(-86_400)
    register(registry, 2)
    assert [entry.time for entry in registry.history(MODEL)] == [START, START]


@pytest.mark.parametrize("reason", ["x" * 2001, "\ud800", 7])
def test_a_reason_that_cannot_be_kept_is_refused(registry: Registry, reason: Any) -> None:
    with pytest.raises(UsageError, match="reason"):
        register(registry, reason=reason)


@pytest.mark.parametrize("key", ["", "x" * 501, "\udcff", 7])
def test_a_key_that_cannot_be_kept_is_refused(registry: Registry, key: Any) -> None:
    with pytest.raises(UsageError, match="key"):
        register(registry, idempotency_key=key)


ENTRANCES: list[Callable[[Registry, Any], Any]] = [
    lambda registry, name: register(registry, name=name),
    lambda registry, name: registry.version(name, 1),
    lambda registry, name: registry.versions(name),
    lambda registry, name: registry.resolve(name),
    lambda registry, name: registry.resolve(MODEL, name),
    lambda registry, name: registry.aliases(name),
    lambda registry, name: registry.state(name),
    lambda registry, name: promote(registry, 1, name=name),
    lambda registry, name: promote(registry, 1, alias=name),
    lambda registry, name: rollback(registry, name=name),
    lambda registry, name: rollback(registry, alias=name),
    lambda registry, name: registry.block(name, 1, actor=ALICE, reason="x"),
    lambda registry, name: registry.unblock(name, 1, actor=ALICE, reason="x"),
    lambda registry, name: registry.history(name),
    lambda registry, name: registry.alias_at(name, START),
    lambda registry, name: registry.alias_at(MODEL, START, name),
    lambda registry, name: register(registry, aliases=[name]),
]


@pytest.mark.parametrize("entrance", ENTRANCES)
def test_hostile_names_reach_no_key(entrance: Callable[[Registry, Any], Any]) -> None:
    store = MemoryStore()
    registry = Registry(store)
    register(registry)
    before = list(store.keys(""))
    for name in [*HOSTILE_NAMES, None, 7, b"churn", ["churn"]]:
        with pytest.raises(InvalidName):
            entrance(registry, name)
    assert [key for key in store.keys("") if key not in before and not key.startswith("blobs/")] == []


@pytest.mark.parametrize("version", [0, -1, True, "1", 1.0, None])
def test_what_is_no_version_number_is_refused(registry: Registry, version: Any) -> None:
    register(registry)
    for attempt in (
        lambda: registry.version(MODEL, version),
        lambda: promote(registry, version),
        lambda: registry.block(MODEL, version, actor=ALICE, reason="x"),
    ):
        with pytest.raises(InvalidName):
            attempt()
    if version is not None:
        with pytest.raises(InvalidName):
            promote(registry, 1, expected_version=version)
        with pytest.raises(InvalidName):
            rollback(registry, to=version)


def test_any_survives_a_trip_to_another_process() -> None:
    assert pickle.loads(pickle.dumps(ANY)) is ANY


def test_a_lost_manifest_is_named(registry: Registry, store: ObjectStore) -> None:
    made = register(registry)
    store.delete_swept(layout.blob(made.digest))
    with pytest.raises(CorruptArtifact, match="Restore blobs/"):
        Registry(store).version(MODEL, 1)


def test_moments_of_other_zones_are_understood(registry: Registry, clock: SteppedClock) -> None:
    register(registry)
    promote(registry, 1)
    assert registry.champion_at(MODEL, datetime.max.replace(tzinfo=UTC)) is not None


def test_an_alias_that_nobody_set_points_nowhere_also_without_the_model(registry):
    assert registry.pointed("unknown") is None


def test_what_a_loop_noted_of_a_model_does_not_make_it_one(registry, store):
    store.create("models/wanted/loop/broker/entries/00000000000000000001.json", b"{}")
    assert registry.models() == []
