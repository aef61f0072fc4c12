"""One writer's tries to add an entry, against other writers and lost replies."""

from __future__ import annotations

import pytest

from stoker.errors import CommitStateUnknown, StoreUnavailable
from stoker.store.contests import Contest, Limits
from stoker.store.memory import MemoryStore

KEY = "models/m/log/00000000000000000001.json"


class Unclear(MemoryStore):
    """Answers each write as it is told to, after or before it was applied."""

    def __init__(self, *answers):
        super().__init__()
        self.answers = list(answers)

    def create(self, key, data):
        answer, applied = self.answers.pop(0) if self.answers else (None, True)
        if applied:
            super().create(key, data)
        if answer is not None:
            raise answer("as told")


def contest(store, **limits):
    return Contest(store, Limits(sleep=lambda _: None, **limits))


def test_the_first_writer_wins_and_another_loses():
    store = MemoryStore()
    assert contest(store).won(KEY, b"a", what="the entry", write_id="a")
    assert not contest(store).won(KEY, b"b", what="the entry", write_id="b")
    assert store.read(KEY) == b"a"


@pytest.mark.parametrize("applied", [True, False])
def test_an_unclear_answer_is_settled_by_the_same_bytes_again(applied):
    store = Unclear((CommitStateUnknown, applied))
    assert contest(store).won(KEY, b"a", what="the entry", write_id="a")
    assert store.read(KEY) == b"a"


def test_a_clean_failure_after_an_unclear_one_is_still_unclear():
    store = Unclear((CommitStateUnknown, True), *[(StoreUnavailable, False)] * 5)
    with pytest.raises(CommitStateUnknown):
        contest(store, tries=3).won(KEY, b"a", what="the entry", write_id="a")


def test_a_clean_failure_at_first_is_told_as_it_is():
    with pytest.raises(StoreUnavailable):
        contest(Unclear((StoreUnavailable, False))).won(KEY, b"a", what="the entry", write_id="a")


def test_waits_are_bounded_in_number_and_time_and_differ_also_under_one_id():
    waits = []
    tries = Contest(MemoryStore(), Limits(tries=6, longest_wait=0.1, sleep=waits.append, now=lambda: sum(waits)))
    while tries.wait("another writer was first", "a"):
        pass
    assert len(waits) == 5
    assert max(waits) <= 0.1
    assert len({wait / min(0.1, 0.01 * 2**place) for place, wait in enumerate(waits, 1)}) == 5
    assert not Contest(MemoryStore(), Limits(total=-1.0)).wait("late", "a")
