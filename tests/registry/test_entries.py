from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stoker.core import wire
from stoker.core.records import Actor
from stoker.errors import IntegrityError, StokerError
from stoker.registry.entries import Entry, follow, read_entry, write_entry
from stoker.registry.registry import Registry
from stoker.registry.state import ModelState
from stoker.store.memory import MemoryStore
from tests.registry.cases import ALICE, MODEL, START, promote, register, rollback

END = datetime(2126, 1, 1, tzinfo=UTC)


def _one_of_each() -> list[Entry]:
    registry = Registry(MemoryStore())
    register(registry, 1, aliases=["challenger"], idempotency_key="k")
    register(registry, 2)
    promote(registry, 1, expected_version=None)
    promote(registry, 2)
    rollback(registry)
    registry.unblock(MODEL, 2, actor=ALICE, reason="fine")
    registry.block(MODEL, 1, actor=ALICE, reason="leak")
    for decide, number in ((registry.approve, 3), (registry.reject, 4)):
        version = register(registry, number)
        registry.ask_approval(MODEL, number, until=END, actor=ALICE, reason="passed")
        decide(MODEL, number, evidence=version.digest, actor=Actor("bob", "ui"), reason="seen")
    return list(registry.history(MODEL))


ENTRIES = _one_of_each()


def _paths(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [at] + [path for key, child in items for path in _paths(child, (*at, key))]


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.change.kind)
def test_an_entry_reads_back_as_it_was_written(entry: Entry) -> None:
    assert read_entry(entry.data, MODEL, entry.seq) == entry


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: f"{entry.seq}-{entry.change.kind}")
def test_no_field_can_be_left_out_or_added(entry: Entry) -> None:
    for path in _paths(json.loads(entry.data))[1:]:
        record = json.loads(entry.data)
        inner = record
        for key in path[:-1]:
            inner = inner[key]
        del inner[path[-1]]
        if path[-1] != "version" or path[0] != "expects":  # no expectation is one, too; the state then tells
            with pytest.raises(IntegrityError):
                follow(_state_before(entry), read_entry(wire.canonical(record), MODEL, entry.seq))


def _state_before(entry: Entry) -> ModelState:
    state = ModelState(MODEL)
    for earlier in ENTRIES[: entry.seq - 1]:
        state = follow(state, earlier)
    return state


TEXTS = st.text(max_size=8) | st.sampled_from(["champion", "previous", "0" * 64])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 2**64) | st.floats() | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)


def _written(record: Any) -> bytes:
    return json.dumps(record, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode(errors="replace")


@settings(max_examples=400, deadline=None)
@given(data=st.data())
def test_any_value_in_any_field_is_refused_with_an_error_of_ours_or_understood(data: st.DataObject) -> None:
    entry = data.draw(st.sampled_from(ENTRIES))
    record = json.loads(entry.data)
    path = data.draw(st.sampled_from(_paths(record)[1:]))
    inner = record
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = data.draw(JSON)
    state = _state_before(entry)
    try:
        read = read_entry(_written(record), MODEL, entry.seq)
        read.change.check(state)
        after = follow(state, read)
    except StokerError:
        return
    assert after.to_record() == follow(state, entry).to_record()


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200))
def test_bytes_that_are_no_entry_are_refused_with_an_error_of_ours(data: bytes) -> None:
    with pytest.raises(IntegrityError):
        read_entry(data, MODEL, 1)


def test_an_entry_takes_the_later_of_the_two_times() -> None:
    state = _state_before(ENTRIES[-1])
    entry = write_entry(state, ENTRIES[-1].change, write_id="w", now=START.replace(year=2000), actor=ALICE, reason="r")
    assert entry.time == state.time
