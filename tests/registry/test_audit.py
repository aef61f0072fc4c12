from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from stoker.core import wire
from stoker.errors import ConfigurationError, InvalidName, NotFound, StokerError, StoreUnavailable, TamperedRecord
from stoker.registry.audit import AuditReport, verify
from stoker.registry.entries import entry_key
from stoker.registry.registry import Registry
from stoker.store import layout
from stoker.store.base import ObjectStore
from stoker.store.memory import MemoryStore
from tests.registry.cases import ALICE, MODEL, grow, manifest, promote, register, rollback
from tests.support.filled import fill
from tests.support.hostile import HOSTILE_NAMES

Edit = Callable[[dict[str, Any]], Any]


def _put(store: ObjectStore, key: str, data: bytes) -> None:
    store.delete_swept(key)
    store.create(key, data)


def _edit(store: ObjectStore, key: str, change: Edit) -> None:
    record = json.loads(store.read(key))
    change(record)
    _put(store, key, wire.canonical(record))


def _keys(report: AuditReport) -> list[str]:
    return [problem.key for problem in report.problems]


def _grow(registry: Registry) -> ObjectStore:
    """Twenty versions promoted one after the other, a rollback, a block and an unblock: 43 entries, checkpoints at 16 and 32."""
    register(registry, 1, aliases=["challenger"], idempotency_key="task")
    promote(registry, 1, idempotency_key="task/promote")
    grow(registry, 19, start=2)
    rollback(registry)
    registry.block(MODEL, 1, actor=ALICE, reason="leak")
    registry.unblock(MODEL, 1, actor=ALICE, reason="no leak")
    return registry.store


@pytest.fixture
def grown() -> ObjectStore:
    return _grow(Registry(MemoryStore()))


def test_a_log_that_nobody_touched_is_clean(registry: Registry) -> None:
    store = _grow(registry)
    report = verify(store, MODEL)
    assert report.clean
    assert (report.entries, report.head) == (43, registry.state(MODEL).digest)
    store.delete_swept(entry_key(MODEL, 7))
    assert not verify(store, MODEL).clean


def test_what_a_loop_keeps_beside_the_log_is_no_part_of_it(grown: ObjectStore) -> None:
    grown.create(layout.numbered(f"{layout.journal(MODEL, 'broker')}entries/", 1), b"{}")
    grown.create(layout.pin(MODEL, "0" * 64), b"{}")
    assert verify(grown, MODEL).clean
    grown.create(f"{layout.model(MODEL)}elsewhere", b"{}")
    assert _keys(verify(grown, MODEL)) == [f"{layout.model(MODEL)}elsewhere"]


def test_a_model_that_does_not_exist_cannot_be_audited(store: ObjectStore) -> None:
    with pytest.raises(NotFound):
        verify(store, MODEL)
    for name in HOSTILE_NAMES:
        with pytest.raises(InvalidName):
            verify(store, name)


@pytest.mark.parametrize(
    "edit",
    [
        lambda entry: entry.update(reason="nothing happened"),
        lambda entry: entry["actor"].update(user="mallory"),
        lambda entry: entry.update(time="2020-01-01T00:00:00.000000Z"),
        lambda entry: entry.update(time="9999-12-31T23:59:59-23:59"),
        lambda entry: entry.update(time="soon"),
        lambda entry: entry.update(seq=4),
        lambda entry: entry.update(model="other"),
        lambda entry: entry.update(format=2),
        lambda entry: entry.update(kind="checkpoint"),
        lambda entry: entry.update(idempotency_key="mine"),
        lambda entry: entry.update(prev="0" * 64),
        lambda entry: entry.update(state="0" * 64),
        lambda entry: entry.update(extra=1),
        lambda entry: entry.pop("write_id"),
        lambda entry: entry.update(expects={"version": 1}),
        lambda entry: entry["change"].update(kind="destroy"),
        lambda entry: entry["change"].update(version=1),
        lambda entry: entry["change"].update(version="3"),
        lambda entry: entry["change"].update(manifest="0" * 64),
        lambda entry: entry["change"].update(manifest="../../x"),
        lambda entry: entry["change"].update(fingerprint="0" * 64),
        lambda entry: entry["change"].update(moves=[7]),
        lambda entry: entry["change"].update(moves=[{"alias": "champion", "version": 3, "from": 2, "prior_move": 4}]),
        lambda entry: entry.update(change={"kind": "set_alias", "moves": []}),
        lambda entry: entry.update(change={"kind": "block", "version": 99}),
        lambda entry: entry.update(change={"kind": "unblock", "version": 1}),
    ],
)
def test_an_edited_entry_is_named(grown: ObjectStore, edit: Edit) -> None:
    key = entry_key(MODEL, 5)  # registers version 3
    _edit(grown, key, edit)
    assert key in _keys(verify(grown, MODEL))


@pytest.mark.parametrize(
    ("old", "new"), [(b"trained", b"\\ud800"), (b"trained", b"x\\u0061"), (b'"seq":5', b'"seq": 5')]
)
def test_an_entry_in_another_spelling_is_named(grown: ObjectStore, old: bytes, new: bytes) -> None:
    key = entry_key(MODEL, 5)
    _put(grown, key, grown.read(key).replace(old, new))
    assert key in _keys(verify(grown, MODEL))


@pytest.mark.parametrize("seq", [1, 2, 16, 17, 32, 40, 41, 42])
def test_a_reason_edited_anywhere_but_at_the_end_is_named_and_nothing_else_is(grown: ObjectStore, seq: int) -> None:
    _edit(grown, entry_key(MODEL, seq), lambda entry: entry.update(reason="nothing happened"))
    report = verify(grown, MODEL)
    derived = {key for key in _keys(report) if "/log/" not in key}
    assert set(_keys(report)) - derived == {entry_key(MODEL, seq)}
    assert all("/keys/" in key or "/versions/" in key for key in derived)


def test_an_edit_at_the_end_needs_a_head_that_was_noted(grown: ObjectStore) -> None:
    noted = verify(grown, MODEL).head
    assert verify(grown, MODEL, expected_head=noted).clean
    _edit(grown, entry_key(MODEL, 43), lambda entry: entry.update(reason="nothing happened"))
    assert verify(grown, MODEL).clean
    assert _keys(verify(grown, MODEL, expected_head=noted)) == [entry_key(MODEL, 43)]


def test_a_noted_head_stays_good_when_the_log_grows(grown: ObjectStore) -> None:
    noted = verify(grown, MODEL).head
    grow(Registry(grown), 2, start=100)
    assert verify(grown, MODEL, expected_head=noted).clean


@pytest.mark.parametrize("seq", [1, 2, 7, 16, 17, 32, 42])
def test_a_removed_entry_is_named(grown: ObjectStore, seq: int) -> None:
    grown.delete_swept(entry_key(MODEL, seq))
    report = verify(grown, MODEL)
    assert (entry_key(MODEL, seq), f"is missing; entry {seq} was removed, for entry {seq + 1} exists.") in [
        (problem.key, problem.what) for problem in report.problems
    ]


def test_newest_entries_that_were_removed_are_known_from_the_checkpoint(grown: ObjectStore) -> None:
    for seq in range(30, 44):
        grown.delete_swept(entry_key(MODEL, seq))
    assert entry_key(MODEL, 32) in _keys(verify(grown, MODEL))


def test_newest_entries_that_were_removed_with_their_checkpoints_are_known_from_the_index(grown: ObjectStore) -> None:
    for seq in range(31, 44):
        grown.delete_swept(entry_key(MODEL, seq))
    grown.delete_swept(layout.checkpoint(MODEL, 32))
    assert entry_key(MODEL, 31) in _keys(verify(grown, MODEL))  # registered version 16


def test_newest_entries_removed_without_a_trace_need_a_head_that_was_noted(grown: ObjectStore) -> None:
    noted = verify(grown, MODEL).head
    grown.delete_swept(entry_key(MODEL, 43))
    assert verify(grown, MODEL).clean
    assert "cut or rewritten" in verify(grown, MODEL, expected_head=noted).problems[0].what


def test_a_whole_log_that_was_removed_is_known_from_what_is_left(grown: ObjectStore) -> None:
    for seq in range(1, 44):
        grown.delete_swept(entry_key(MODEL, seq))
    report = verify(grown, MODEL, expected_head="0" * 64)
    assert (report.entries, report.head) == (0, "")
    assert {entry_key(MODEL, 32), entry_key(MODEL, 16), entry_key(MODEL, 1)} <= set(_keys(report))


def test_entries_that_changed_places_are_named(grown: ObjectStore) -> None:
    first, second = entry_key(MODEL, 20), entry_key(MODEL, 21)
    one, other = grown.read(first), grown.read(second)
    _put(grown, first, other)
    _put(grown, second, one)
    report = verify(grown, MODEL)
    assert {first, second} <= set(_keys(report))
    assert "put in another place" in report.problems[0].what


@pytest.mark.parametrize("place", [44, 45, 10**20 - 1])
def test_an_entry_that_was_copied_is_named(grown: ObjectStore, place: int) -> None:
    grown.create(entry_key(MODEL, place), grown.read(entry_key(MODEL, 43)))
    assert entry_key(MODEL, place) in _keys(verify(grown, MODEL))


def test_an_entry_of_another_model_is_named(grown: ObjectStore) -> None:
    registry = Registry(grown)
    register(registry, name="other")
    grown.create(entry_key("third", 1), grown.read(entry_key("other", 1)))
    assert _keys(verify(grown, "third")) == [entry_key("third", 1)]


@pytest.mark.parametrize(
    "data", [b"", b"{}", b"[]", b"\xff", b'{"format":1}', b'{"format":1,"format":1}', b"[" * 10_000]
)
def test_bytes_that_are_no_record_are_named_wherever_they_lie(grown: ObjectStore, data: bytes) -> None:
    model = layout.model(MODEL)
    places = [entry_key(MODEL, 9), layout.checkpoint(MODEL, 16), layout.version_manifest(MODEL, 3)]
    places.append(next(grown.keys(f"{model}keys/")))
    places.append(f"{model}keys/planted.json")
    for place in places:
        _put(grown, place, data)
    assert set(places) <= set(_keys(verify(grown, MODEL)))


@pytest.mark.parametrize(
    "edit",
    [
        lambda checkpoint: checkpoint["state"]["aliases"]["champion"].update(version=1),
        lambda checkpoint: checkpoint["state"].update(blocked=[]) or checkpoint["state"].update(versions=1),
        lambda checkpoint: checkpoint.update(seq=31),
        lambda checkpoint: checkpoint.update(model="other"),
        lambda checkpoint: checkpoint.update(state={}),
        lambda checkpoint: checkpoint["state"].update(blocked=["20"]),
        lambda checkpoint: checkpoint.pop("entry"),
    ],
)
def test_an_edited_checkpoint_is_named_and_not_used(grown: ObjectStore, edit: Edit) -> None:
    key = layout.checkpoint(MODEL, 32)
    _edit(grown, key, edit)
    assert _keys(verify(grown, MODEL)) == [key]
    assert Registry(grown).aliases(MODEL) == {"challenger": 1, "champion": 19, "previous": 20}
    assert promote(Registry(grown), 18).changed


def test_a_checkpoint_of_an_entry_that_never_was_is_named(grown: ObjectStore) -> None:
    _put(grown, layout.checkpoint(MODEL, 64), grown.read(layout.checkpoint(MODEL, 32)))
    assert layout.checkpoint(MODEL, 64) in _keys(verify(grown, MODEL))
    assert Registry(grown).resolve(MODEL).number == 19


def test_a_removed_checkpoint_is_no_harm(grown: ObjectStore) -> None:
    grown.delete_swept(layout.checkpoint(MODEL, 16))
    grown.delete_swept(layout.checkpoint(MODEL, 32))
    assert verify(grown, MODEL).clean
    assert Registry(grown).resolve(MODEL).number == 19


def test_a_removed_or_edited_index_object_is_named(grown: ObjectStore) -> None:
    removed, edited = layout.version_manifest(MODEL, 3), layout.version_manifest(MODEL, 4)
    grown.delete_swept(removed)
    _edit(grown, edited, lambda pointer: pointer.update(seq=1))
    assert _keys(verify(grown, MODEL)) == [removed, edited]


@pytest.mark.parametrize("pointer", [{"seq": 1}, {"seq": 0, "entry": "0"}, {"seq": 99, "entry": "0"}, {}])
def test_an_index_object_that_no_entry_knows_is_named(grown: ObjectStore, pointer: dict[str, Any]) -> None:
    key = layout.key_index(MODEL, "0" * 64)
    grown.create(key, wire.canonical({"format": 1, **pointer}))
    wanted = entry_key(MODEL, 99) if pointer.get("seq") == 99 else key
    assert _keys(verify(grown, MODEL)) == [wanted]


def test_a_pointer_to_a_sound_entry_that_knows_nothing_of_it_is_named(grown: ObjectStore) -> None:
    key = layout.key_index(MODEL, wire.sha256(b"key:mine"))
    entry = next(Registry(grown).history(MODEL))
    pointer = {"format": 1, "kind": "pointer", "seq": 1, "entry": entry.digest}
    grown.create(key, wire.canonical(pointer))
    assert _keys(verify(grown, MODEL)) == [key]
    with pytest.raises(Exception, match="knows nothing of it"):
        promote(Registry(grown), 1, idempotency_key="mine")


@pytest.mark.parametrize(
    "name", ["log/notes.txt", "log/1.json", "log/00000000000000000000.json", "checkpoints/x", "readme"]
)
def test_a_foreign_object_is_named(grown: ObjectStore, name: str) -> None:
    key = layout.model(MODEL) + name
    grown.create(key, b"hello")
    assert _keys(verify(grown, MODEL)) == [key]


def test_damaged_missing_and_resized_files_are_named(grown: ObjectStore) -> None:
    registry = Registry(grown)
    one, two, three = (registry.version(MODEL, n) for n in (1, 2, 3))
    damaged = layout.blob(one.files["model.skops"].sha256)
    _put(grown, damaged, b"other weights")
    missing = layout.blob(two.files["model.skops"].sha256)
    grown.delete_swept(missing)
    lost = layout.blob(three.digest)
    grown.delete_swept(lost)
    wanted = manifest(grown, 300)
    wanted["files"]["model.skops"]["size"] = 1
    registry.register(MODEL, wanted, actor=ALICE, reason="x")
    resized = layout.blob(wanted["files"]["model.skops"]["sha256"])
    assert set(_keys(verify(grown, MODEL))) == {damaged, missing, lost, layout.version_manifest(MODEL, 3), resized}


@pytest.mark.parametrize(
    "document",
    [
        {"kind": "version_manifest", "model": "other", "manifest": None},
        {"kind": "version_manifest", "model": "churn"},
        {"kind": "report", "model": "churn", "manifest": {}},
        {"kind": "version_manifest", "model": "churn", "manifest": {"fingerprint": "0" * 64, "files": {}}},
    ],
)
def test_a_forged_registration_is_named(document: dict[str, Any]) -> None:
    store = MemoryStore()
    register(Registry(store))
    if document.get("manifest", 1) is None:
        document = {**document, "manifest": manifest(store)}
    data = wire.canonical({"format": 1, **document})
    store.create(layout.blob(wire.sha256(data)), data)
    _edit(store, entry_key(MODEL, 1), lambda entry: entry["change"].update(manifest=wire.sha256(data)))
    assert len(_keys(verify(store, MODEL))) == 1
    with pytest.raises(Exception, match="manifest"):
        Registry(store).version(MODEL, 1)


@pytest.mark.parametrize("failure", [StoreUnavailable("down"), ConfigurationError("the clock is wrong")])
@pytest.mark.parametrize("broken", ["models/", "blobs/"])
def test_an_audit_that_could_not_read_finds_nothing(grown: ObjectStore, broken: str, failure: StokerError) -> None:
    class Broken(MemoryStore):
        def read(self, key: str) -> bytes:
            if key.startswith(broken):
                raise failure
            return super().read(key)

    with pytest.raises(type(failure)):
        verify(fill(Broken(), grown), MODEL)


def _replaced(store: ObjectStore, seq: int, change: dict[str, Any]) -> None:
    """Put another change into an entry behind the checkpoint, whose link nobody follows in a short read."""
    _edit(store, entry_key(MODEL, seq), lambda entry: entry.update(change=change, expects={}))


@pytest.mark.parametrize(
    ("moves", "message"),
    [
        ([{"alias": "shadow", "version": 1, "from": None, "prior_move": 0}], "must move alias 'champion'"),
        ([{"alias": "champion", "version": 9, "from": 8, "prior_move": 19}], "must lead back"),
        ([{"alias": "champion", "version": 9, "from": 8, "prior_move": -1}], "must lead back"),
    ],
)
def test_moves_that_do_not_lead_back_are_noticed(grown: ObjectStore, moves: list[Any], message: str) -> None:
    _replaced(grown, 18, {"kind": "set_alias", "moves": moves})
    with pytest.raises(TamperedRecord, match=message):
        rollback(Registry(grown), to=1)


def test_a_registration_that_was_edited_behind_a_checkpoint_is_noticed_when_it_is_read(grown: ObjectStore) -> None:
    _replaced(grown, 5, {"kind": "block", "version": 1})
    with pytest.raises(TamperedRecord, match="must have the digest"):
        Registry(grown).version(MODEL, 3)


def test_an_index_that_agrees_with_an_edited_entry_sends_the_reader_through_the_log(grown: ObjectStore) -> None:
    _replaced(grown, 5, {"kind": "block", "version": 1})
    digest = wire.sha256(grown.read(entry_key(MODEL, 5)))
    _edit(grown, layout.version_manifest(MODEL, 3), lambda pointer: pointer.update(entry=digest))
    with pytest.raises(TamperedRecord, match="does not follow"):
        Registry(grown).version(MODEL, 3)
