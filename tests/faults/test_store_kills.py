"""The teller dies at every request that it makes of a store, before and after the request took effect: in memory, and over S3."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest

from stoker.store.base import ObjectStore
from stoker.store.local_files import LocalStore
from stoker.store.memory import MemoryStore
from stoker.store.s3_objects import S3Store
from tests.faults.story import WHOLE_STORY, Story, World, survived
from tests.support.faulty_store import FaultyStore, Killed, kill_at
from tests.support.filled import fill
from tests.support.s3_server import BUCKET, client, s3_server


def _filled(world: World, store: ObjectStore) -> ObjectStore:
    return fill(store, LocalStore(world.prepared))


def _writes(world: World, story: Story) -> int:
    faulty = FaultyStore(_filled(world, MemoryStore()), {})
    world.tell(faulty, story)
    return faulty.writes


def _told(world: World, store: ObjectStore, story: Story) -> int:
    acknowledged: list[str] = []
    with suppress(Killed):
        world.tell(store, story, acknowledged.append)
    return len(acknowledged)


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_nothing_is_lost_when_the_teller_dies_at_every_sixth_write(world: World, after: bool) -> None:
    for k in range(1, _writes(world, WHOLE_STORY) + 1, 6):
        store = _filled(world, MemoryStore())
        acknowledged = _told(world, FaultyStore(store, kill_at(k, after=after)), WHOLE_STORY)
        survived(world, store, WHOLE_STORY, acknowledged)


@pytest.mark.fault
@pytest.mark.timeout(1800)
def test_nothing_is_lost_when_the_teller_dies_at_every_write_and_at_any_of_the_next(world: World, capsys: Any) -> None:
    last = _writes(world, WHOLE_STORY)
    for k in range(1, last + 1):
        for again in range(1, 6):
            store = _filled(world, MemoryStore())
            acknowledged = _told(world, FaultyStore(store, kill_at(k, after=bool(k % 2))), WHOLE_STORY)
            repeated = _told(world, FaultyStore(store, kill_at(again, after=bool(again % 2))), WHOLE_STORY)
            survived(world, store, WHOLE_STORY, max(acknowledged, repeated))
    with capsys.disabled():
        print(f"\nkilled at each of {last} writes, and at one of the five that follow: 0 lost, 0 doubled")


class _Hand:
    """Kills at the ``k``-th upload of a boto3 client: before the request leaves, or when its answer has come."""

    def __init__(self, made: Any, k: int, *, after: bool) -> None:
        self.uploads = 0
        self._k = k
        event = "after-call.s3.PutObject" if after else "before-call.s3.PutObject"
        made.meta.events.register(event, self._count)

    def _count(self, **_: Any) -> None:
        self.uploads += 1
        if self.uploads == self._k:
            raise Killed(f"at upload {self._k}")


def _killed_over_s3(world: World, address: str, k: int, *, after: bool) -> int:
    """How many uploads there were before the teller was dead."""
    prefix = f"{k}-{'after' if after else 'before'}"
    calm = _filled(world, S3Store(client(address), BUCKET, prefix))
    made = client(address)
    hand = _Hand(made, k, after=after)
    acknowledged = _told(world, S3Store(made, BUCKET, prefix), WHOLE_STORY)
    survived(world, calm, WHOLE_STORY, acknowledged)
    return hand.uploads


def test_nothing_is_lost_when_the_teller_dies_at_an_upload_to_s3(world: World) -> None:
    with s3_server() as address:
        assert _killed_over_s3(world, address, 6, after=True) == 6


@pytest.mark.fault
@pytest.mark.timeout(1800)
def test_nothing_is_lost_when_the_teller_dies_at_every_upload_to_s3(world: World, capsys: Any) -> None:
    k = 0
    with s3_server() as address:
        for after in (False, True):
            k = 1
            while _killed_over_s3(world, address, k, after=after) == k:
                k += 1
    with capsys.disabled():
        print(f"\nkilled before and after each of {k - 1} uploads to S3: 0 lost, 0 doubled")
