from __future__ import annotations

import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from stoker.core import wire
from stoker.core.records import Actor
from stoker.core.retention import RetentionPolicy
from stoker.errors import (
    ConflictError,
    CorruptArtifact,
    NotFound,
    StoreUnavailable,
    TamperedRecord,
    UnknownFormat,
    VersionArchived,
)
from stoker.loop.pins import pinned
from stoker.loop.windows import WindowLog
from stoker.registry import audit
from stoker.registry.archives import Archive
from stoker.registry.registry import Registry
from stoker.registry.retention import plan, sweep
from stoker.store import documents, layout, partitions, rounds
from stoker.store.local_files import LocalStore
from stoker.store.memory import MemoryStore
from tests.registry.cases import ALICE, MODEL, fingerprint, manifest, promote, register
from tests.registry.retained import DAY, GREEDY, Installation, dataset_document, rows_of
from tests.support.faulty_store import FaultyStore, Killed, kill_at
from tests.support.filled import fill


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch) -> Installation:
    return Installation(monkeypatch)


def _file(home: Installation, version: int) -> str:
    return home.registry.version(MODEL, version).files["model.skops"].sha256


def _grow(home: Installation, versions: int) -> None:
    for number in range(1, versions + 1):
        register(home.registry, number)
        home.clock.step()


def test_nothing_is_removed_by_the_sweep_that_condemns_it(home: Installation) -> None:
    _grow(home, 3)
    swept = home.sweep()
    assert (swept.archived, swept.removed, swept.condemned) == ({MODEL: (1, 2)}, 0, 2)
    assert all(home.holds(_file(home, version)) for version in (1, 2, 3))


def test_a_sweep_after_the_grace_removes_what_still_nothing_needs(home: Installation) -> None:
    _grow(home, 3)
    swept = home.swept_twice()
    assert (swept.removed, swept.bytes) == (2, 2 * len("weights 1"))
    assert [home.holds(_file(home, version)) for version in (1, 2, 3)] == [False, False, True]
    assert home.dangling() == []


def test_a_sweep_before_the_grace_is_over_removes_nothing(home: Installation) -> None:
    _grow(home, 2)
    home.sweep()
    home.clock.step(DAY - 1)
    swept = home.sweep()
    assert swept.removed == 0
    assert swept.due is not None
    assert swept.due > home.clock()
    assert home.holds(_file(home, 1))


def test_an_archived_version_keeps_its_record_and_takes_no_alias(home: Installation) -> None:
    _grow(home, 2)
    home.swept_twice()
    version = home.registry.version(MODEL, 1)
    assert version.archived
    assert version.manifest["fingerprint"] == fingerprint(1)
    with pytest.raises(VersionArchived, match="retention gave them up"):
        promote(home.registry, 1)
    with pytest.raises(VersionArchived):
        home.registry.ask_approval(MODEL, 1, until=home.clock() + timedelta(days=1), actor=ALICE, reason="to be sure")


def test_an_approval_keeps_a_version_only_while_it_may_be_waited_for(home: Installation) -> None:
    _grow(home, 3)
    asked = home.registry.ask_approval(MODEL, 1, until=home.clock() + timedelta(days=9), actor=ALICE, reason="look")
    home.registry.approve(MODEL, 1, evidence=asked.evidence, actor=Actor("bob", "python"), reason="good")
    home.swept_twice()
    assert not home.registry.version(MODEL, 1).archived
    home.clock.step(9 * DAY)
    home.swept_twice()
    assert home.registry.version(MODEL, 1).archived


def test_the_state_of_a_log_with_archived_versions_survives_checkpoints(home: Installation) -> None:
    _grow(home, 14)
    home.sweep()
    promote(home.registry, 14)
    home.registry.block(MODEL, 3, actor=ALICE, reason="bad")
    fresh = Registry(home.store, clock=home.clock)
    assert fresh.state(MODEL).archived == frozenset(range(1, 14))
    assert audit.verify(home.store, MODEL).clean


def test_an_audit_misses_no_file_of_an_archived_version_but_every_other(home: Installation) -> None:
    _grow(home, 3)
    home.swept_twice()
    assert audit.verify(home.store, MODEL).clean
    home.store.delete_swept(layout.blob(_file(home, 3)))
    assert [problem.key for problem in audit.verify(home.store, MODEL).problems] == [layout.blob(_file(home, 3))]


@pytest.mark.parametrize(
    ("keep", "policy"),
    [
        (lambda home: promote(home.registry, 1), GREEDY),
        (lambda home: promote(home.registry, 1, alias="shadow"), GREEDY),
        (lambda home: [promote(home.registry, 1), promote(home.registry, 3)], GREEDY),
        (
            lambda home: home.registry.ask_approval(
                MODEL, 1, until=home.clock() + timedelta(days=9), actor=ALICE, reason="look"
            ),
            GREEDY,
        ),
        (
            lambda home: home.registry.block(MODEL, 1, actor=ALICE, reason="bad"),
            RetentionPolicy(**{**vars(GREEDY), "keep_blocked": True}),
        ),
        (lambda home: None, RetentionPolicy(**{**vars(GREEDY), "newest_versions": 3})),
        (lambda home: None, RetentionPolicy(**{**vars(GREEDY), "version_age": timedelta(days=3)})),
        (
            lambda home: [promote(home.registry, number) for number in (1, 2, 3)],
            RetentionPolicy(**{**vars(GREEDY), "former_champions": 2}),
        ),
    ],
    ids=["champion", "shadow", "previous", "review", "blocked", "newest", "young", "former"],
)
def test_each_rule_keeps_a_version_on_its_own(
    home: Installation, keep: Callable[[Installation], object], policy: RetentionPolicy
) -> None:
    _grow(home, 3)
    keep(home)
    home.swept_twice(policy)
    assert not home.registry.version(MODEL, 1).archived
    assert home.holds(_file(home, 1))


def test_a_version_whose_predictions_are_kept_stays(home: Installation) -> None:
    _grow(home, 3)
    made_by = {"model": MODEL, "version": 1, "shadow_version": None}
    file = documents.put_bytes(home.store, b"predictions")
    digest = documents.put_document(
        home.store, {"kind": "dataset", "file": {"sha256": file.sha256, "size": file.size}, "source": [made_by]}
    )
    home.point(digest, None, MODEL, "predictions")
    home.swept_twice()
    assert [home.registry.version(MODEL, number).archived for number in (1, 2, 3)] == [False, True, False]


def test_what_a_partition_means_stays_and_what_it_meant_goes(home: Installation) -> None:
    old, new = home.snapshot("old"), home.snapshot("new")
    swept = home.swept_twice()
    assert (home.holds(old), home.holds(new)) == (False, True)
    assert (swept.removed, swept.pointers) == (2, 1)
    assert partitions.newest(home.store, "flights", "raw", "2013-01") == new


def test_a_snapshot_that_was_superseded_lately_stays(home: Installation) -> None:
    old = home.snapshot("old")
    home.clock.step(100 * DAY)
    home.snapshot("new")
    home.swept_twice(RetentionPolicy(**{**vars(GREEDY), "superseded_age": timedelta(days=30)}))
    assert home.holds(old)


def test_a_kept_version_keeps_the_snapshot_that_it_was_trained_on(home: Installation) -> None:
    trained_on = home.snapshot("old")
    home.registry.register(
        MODEL, manifest(home.store, 1, candidate={"dataset": trained_on}), actor=ALICE, reason="trained"
    )
    home.snapshot("new")
    home.swept_twice()
    assert home.holds(trained_on)
    assert home.holds(rows_of(home.store, trained_on))


def test_a_rollback_passes_over_archived_versions(home: Installation) -> None:
    _grow(home, 4)
    for number in (1, 2, 3, 4):
        promote(home.registry, number)
    home.registry.block(MODEL, 3, actor=ALICE, reason="bad")
    home.sweep()
    with pytest.raises(NotFound, match="neither blocked nor archived"):
        home.registry.rollback(MODEL, actor=ALICE, reason="worse")


def test_the_same_training_as_an_archived_one_is_refused_with_a_reason(home: Installation) -> None:
    _grow(home, 2)
    home.swept_twice()
    with pytest.raises(VersionArchived):
        register(home.registry, 1)


def test_what_is_stored_again_after_it_was_condemned_stays(home: Installation) -> None:
    home.snapshot("old")
    home.snapshot("new")
    home.sweep()
    home.clock.step(DAY)
    again = home.snapshot("old")
    home.sweep()
    assert home.holds(again)
    assert home.dangling() == []


def test_what_a_document_names_after_it_was_condemned_stays_with_all_that_it_names(home: Installation) -> None:
    candidate = dataset_document(home.store, "rows")
    home.sweep()
    home.clock.step(DAY)
    documents.put_document(home.store, {"kind": "evaluation", "candidate": candidate})
    home.sweep()
    assert home.holds(candidate)
    assert home.holds(rows_of(home.store, candidate))


def test_naming_what_was_removed_is_refused(home: Installation) -> None:
    candidate = dataset_document(home.store, "rows")
    home.sweep()
    home.clock.step(DAY)
    home.give_up()
    with pytest.raises(NotFound, match="retention gave"):
        documents.put_document(home.store, {"kind": "evaluation", "candidate": candidate})


def test_storing_what_is_being_removed_waits_for_the_lease_and_then_stands(home: Installation) -> None:
    home.snapshot("old")
    home.snapshot("new")
    home.sweep()
    home.clock.step(DAY)
    home.give_up()
    with pytest.raises(StoreUnavailable, match="Try again after that"):
        home.snapshot("old")
    home.clock.step(rounds.LEASE.total_seconds())
    again = home.snapshot("old")
    home.sweep()
    assert home.holds(again)
    assert home.dangling() == []


def test_two_sweeps_at_once_are_refused(home: Installation) -> None:
    dataset_document(home.store, "rows")
    home.sweep()
    home.clock.step(DAY)
    home.give_up()
    with pytest.raises(ConflictError, match="one may be until"):
        home.sweep()


def test_a_plan_writes_nothing_and_says_why_each_version_stays(home: Installation) -> None:
    _grow(home, 3)
    promote(home.registry, 2)
    before = list(home.store.keys(""))
    found = plan(home.registry, GREEDY, clock=home.clock, tell=lambda line: None)
    assert list(home.store.keys("")) == before
    assert found.models[0].archive == (1,)
    assert found.models[0].kept == {"an alias points at it": 1, "it is among the newest": 1}
    assert (found.unneeded, found.bytes) == (1, len("weights 1"))


def test_a_damaged_document_ends_the_sweep_before_anything_is_removed(home: Installation) -> None:
    digest = home.snapshot("rows")
    home.sweep()
    home.store.delete_swept(layout.blob(digest))
    home.store.create(layout.blob(digest), b"{}")
    with pytest.raises(CorruptArtifact, match="nothing was removed"):
        home.sweep()


def test_a_missing_manifest_ends_the_sweep(home: Installation) -> None:
    _grow(home, 1)
    home.store.delete_swept(layout.blob(home.registry.version(MODEL, 1).digest))
    with pytest.raises(CorruptArtifact, match="nobody knows which files"):
        home.sweep()


@pytest.mark.parametrize(
    "place",
    [
        layout.partition("flights", "raw", "2013-01"),
        layout.training("f" * 64),
        layout.pins(MODEL),
        f"{layout.journal(MODEL, 'broker')}checkpoints/",
        f"{layout.journal(MODEL, 'broker')}entries/",
    ],
)
def test_a_pointer_or_record_without_what_decides_on_others_ends_the_sweep(home: Installation, place: str) -> None:
    _grow(home, 1)
    home.store.create(layout.numbered(place, 1), wire.canonical({"format": wire.FORMAT, "kind": "other"}))
    with pytest.raises(TamperedRecord, match=place):
        home.sweep(RetentionPolicy())


def test_a_document_of_a_newer_stoker_ends_the_sweep(home: Installation) -> None:
    data = wire.canonical({"format": wire.FORMAT + 1, "kind": "dataset"})
    home.store.create(layout.blob(wire.sha256(data)), data)
    partitions.point(
        home.store, dataset="new", stage="raw", partition=None, snapshot=wire.sha256(data), data_id=wire.sha256(data)
    )
    with pytest.raises(UnknownFormat, match="Upgrade Stoker"):
        home.sweep()


def test_a_promotion_just_before_the_archive_entry_keeps_its_version(home: Installation) -> None:
    _grow(home, 2)
    first = home.registry.archive

    def promoted_meanwhile(name: str, choose, **who):
        promote(Registry(home.store, clock=home.clock), 1)
        return first(name, choose, **who)

    home.registry.archive = promoted_meanwhile
    swept = home.sweep()
    assert (swept.archived, swept.condemned) == ({}, 0)
    del home.registry.archive
    home.clock.step(DAY)
    home.sweep()
    assert home.holds(_file(home, 1))


def test_an_archive_entry_for_a_version_in_use_is_refused(home: Installation) -> None:
    _grow(home, 2)
    promote(home.registry, 1)
    with pytest.raises(ConflictError, match="is in use"):
        home.registry.archive(MODEL, lambda state: [1], actor=ALICE, reason="retention")
    with pytest.raises(ConflictError, match="names none"):
        Archive((), home.clock()).check(home.registry.state(MODEL))


def _lived(monkeypatch: pytest.MonkeyPatch) -> Installation:
    home = Installation(monkeypatch)
    _grow(home, 3)
    home.snapshot("old")
    home.snapshot("new")
    promote(home.registry, 3)
    return home


def test_a_sweep_that_dies_at_any_write_loses_nothing_and_the_next_one_finishes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    home = _lived(monkeypatch)
    home.sweep()
    home.clock.step(DAY)
    started = home.clock()
    before, died = home.store, 0
    while True:
        home.clock.now = started
        died += 1
        assert died < 200
        home.store = fill(MemoryStore(clock=home.clock), before)
        faulty = FaultyStore(home.store, kill_at(died // 2 + 1, after=bool(died % 2)))
        try:
            sweep(Registry(faulty, clock=home.clock), GREEDY, actor=ALICE, clock=home.clock, tell=lambda line: None)
        except Killed:
            home.registry = Registry(home.store, clock=home.clock)
            assert home.dangling() == []
            home.clock.step(rounds.LEASE.total_seconds())
            home.snapshot("new")  # whoever works meanwhile is not held up for good
            home.sweep()
            home.clock.step(DAY)
            home.sweep()
            assert home.dangling() == []
            needed = set(home.store.keys(layout.BLOBS))
            assert len(needed) == 6, sorted(needed)  # 3 manifests, 1 model file, 1 snapshot and its rows
        else:
            break
    assert died > 15


@pytest.mark.parametrize("spans", [[], [[2, 1]], [[1, 1], [2, 2]], [[1, 10**12]], [["1", 2]], [[1]], [1]])
def test_an_archive_entry_of_another_form_is_no_entry(home: Installation, spans: list[object]) -> None:
    _grow(home, 2)
    home.sweep()
    key = next(entry.key for entry in home.registry.history(MODEL) if isinstance(entry.change, Archive))
    record = wire.parse(home.store.read(key), key)
    record["change"]["versions"] = spans
    home.store.delete_swept(key)
    home.store.create(key, wire.canonical(record))
    with pytest.raises(TamperedRecord):
        list(Registry(home.store).history(MODEL))


def test_an_entry_tells_people_what_was_archived(home: Installation) -> None:
    _grow(home, 5)
    promote(home.registry, 2)
    home.sweep()
    told = [entry.change.describe() for entry in home.registry.history(MODEL)]
    assert told[-1] == "archived v1, v3-v4"


def test_a_pin_keeps_the_version_that_a_run_works_with(home: Installation) -> None:
    _grow(home, 3)
    pinned(home.store, MODEL, "dag/run@champion", lambda: 1)
    home.swept_twice(RetentionPolicy(**{**vars(GREEDY), "pin_age": timedelta(days=30)}))
    assert not home.registry.version(MODEL, 1).archived
    home.clock.step(31 * DAY)
    home.swept_twice()
    assert home.registry.version(MODEL, 1).archived
    assert not list(home.store.keys(layout.pins(MODEL)))


def test_a_report_that_a_young_judgement_names_stays(home: Installation) -> None:
    _grow(home, 1)
    old = documents.put_document(home.store, {"kind": "drift", "about": "an old window"})
    WindowLog(home.store, MODEL, "drift", clock=home.clock).record("2013-01", 1, None, {"document": old})
    home.swept_twice()
    assert home.holds(old)


def test_a_candidate_can_be_found_again_while_it_is_young(home: Installation) -> None:
    candidate = dataset_document(home.store, "weights")
    key = layout.numbered(layout.training(fingerprint(9)), 1)
    record = {"format": wire.FORMAT, "kind": "training", "fingerprint": fingerprint(9), "candidate": candidate}
    home.store.create(key, wire.canonical(record))
    home.swept_twice(RetentionPolicy(**{**vars(GREEDY), "candidate_age": timedelta(days=30)}))
    assert home.holds(candidate)
    home.clock.step(31 * DAY)
    home.swept_twice()
    assert not home.holds(candidate)
    assert not home.store.exists(key)


def test_a_mark_of_a_landed_file_outlives_its_snapshot(home: Installation) -> None:
    taken = layout.landing("flights", "taken", fingerprint(1))
    home.store.create(taken, wire.canonical({"format": wire.FORMAT, "snapshot": home.snapshot("old")}))
    home.snapshot("new")
    home.swept_twice()
    home.swept_twice()
    assert home.store.exists(taken)


def test_a_sweep_also_removes_what_killed_writers_left_in_a_folder(home: Installation, tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    store.create("models/x", b"whole")
    (tmp_path / ".tmp" / "half").write_bytes(b"ha")
    os.utime(tmp_path / ".tmp" / "half", times=(0, 0))
    told: list[str] = []
    sweep(Registry(store), GREEDY, actor=ALICE, tell=told.append)
    assert told[0] == "1 temporary files of killed writers removed"
    assert list((tmp_path / ".tmp").iterdir()) == []
    assert store.read("models/x") == b"whole"
