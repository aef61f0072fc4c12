"""Reading a log from its end: the moves of an alias, and entries newest first."""

from __future__ import annotations

import pytest

from stoker.errors import InvalidName, NotFound, TamperedRecord
from stoker.loop.broker import Broker
from stoker.registry.changes import Block
from stoker.registry.registry import Registry
from stoker.store import layout
from stoker.store.memory import MemoryStore
from tests.support.registrations import ACTOR, register


@pytest.fixture
def lived() -> Registry:
    """Twenty versions, of which 1, 5 and 9 were in office."""
    registry = Registry(MemoryStore())
    for _ in range(20):
        register(registry)
    for number in (1, 5, 9):
        registry.promote("churn", number, actor=ACTOR, reason=f"promoted {number}")
    registry.block("churn", 2, actor=ACTOR, reason="bad")
    return registry


def test_moves_of_an_alias_come_newest_first(lived: Registry) -> None:
    moves = lived.moves("churn")
    assert [(move.version, move.before) for _, move in moves] == [(9, 5), (5, 1), (1, None)]
    assert [entry.reason for entry, _ in moves] == ["promoted 9", "promoted 5", "promoted 1"]
    assert len(lived.moves("churn", limit=2)) == 2
    assert [move.version for _, move in lived.moves("churn", "previous")] == [5, 1]
    assert lived.moves("churn", "shadow") == []


def test_entries_come_newest_first_and_page_by_page(lived: Registry) -> None:
    newest = lived.entries_before("churn", limit=3)
    assert [entry.seq for entry in newest] == [24, 23, 22]
    assert isinstance(newest[0].change, Block)
    assert [entry.seq for entry in lived.entries_before("churn", 3, limit=10)] == [2, 1]
    assert lived.entries_before("churn", 1, limit=10) == []
    assert [entry.seq for entry in lived.entries_before("churn", 999, limit=1)] == [24]


def test_an_entry_that_does_not_follow_is_refused(lived: Registry) -> None:
    key = layout.numbered(layout.log("churn"), 4)
    data = lived.store.read(key).replace(b'"reason":"trained"', b'"reason":"changed"')
    lived.store.delete_swept(key)
    lived.store.create(key, data)
    with pytest.raises(TamperedRecord, match="does not follow"):
        Registry(lived.store).entries_before("churn", 6, limit=5)


def test_the_past_of_nobody_is_not_found(lived: Registry) -> None:
    for ask in (lived.moves, lambda name: lived.entries_before(name, limit=1)):
        with pytest.raises(NotFound):
            ask("nobody")
        with pytest.raises(InvalidName):
            ask("../churn")


def test_names_are_listed_with_those_that_only_a_loop_knows(lived: Registry) -> None:
    register(lived, "fraud")
    Broker(lived.store, "wished").put(source="hand", reason="please", dedupe_key="a", actor=ACTOR)
    lived.store.create("models/NoName/x", b"x")
    assert lived.names() == ["churn", "fraud", "wished"]
    assert lived.models() == ["churn", "fraud"]
