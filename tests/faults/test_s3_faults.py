"""Every kind of failure at every request of every operation: what a fresh reader sees afterwards agrees with what was said."""

from __future__ import annotations

import itertools
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from stoker.errors import CommitStateUnknown, IntegrityError, StokerError
from stoker.registry.audit import verify
from stoker.registry.registry import Registry
from stoker.store import documents
from stoker.store.base import ObjectStore
from stoker.store.contests import Limits
from stoker.store.memory import MemoryStore
from tests.faults.s3_faults import FAULTS, TRIES, Saboteur, Service
from tests.registry.cases import MODEL, promote, register, rollback
from tests.registry.lives import prepare
from tests.support.filled import fill

SEED = 20_261_121
SAMPLE = 40
LIMITS = Limits(tries=3, sleep=lambda _: None)
ENTRIES = 15
"""In the log that is prepared: the change takes a checkpoint along."""


@dataclass(frozen=True)
class Operation:
    """:param act: does it, with an idempotency key where there is one.
    :param landed: whether a reader sees it; ``None`` for what only reads.
    """

    act: Callable[[Registry], object]
    landed: Callable[[Registry], bool] | None = None


def _reads(registry: Registry) -> None:
    version = registry.resolve(MODEL)
    assert version.number == 1
    for file in version.files.values():
        assert len(documents.get_bytes(registry.store, file.sha256)) == file.size


def _audits(registry: Registry) -> None:
    for problem in verify(registry.store, MODEL).problems:
        raise IntegrityError(f"{problem}.")


OPERATIONS = {
    "register": Operation(
        lambda registry: register(registry, 3, idempotency_key="task"),
        lambda registry: registry.state(MODEL).versions == 3,
    ),
    "promote": Operation(
        lambda registry: promote(registry, 2, idempotency_key="task", expected_version=1),
        lambda registry: registry.pointed(MODEL) == 2,
    ),
    "rollback": Operation(
        lambda registry: rollback(registry, idempotency_key="task"),
        lambda registry: (registry.pointed(MODEL), set(registry.state(MODEL).blocked)) == (2, {1}),
    ),
    "read": Operation(_reads),
    "audit": Operation(_audits),
}


@pytest.fixture(scope="module")
def s3() -> Service:
    return Service()


@pytest.fixture(scope="module")
def prepared() -> MemoryStore:
    store = MemoryStore()
    registry = Registry(store)
    prepare(registry)
    for entry in range(14, ENTRIES + 1):
        promote(registry, 1 if entry % 2 else 2)
    return store


def _registry(store: ObjectStore) -> Registry:
    return Registry(store, limits=LIMITS)


def _requests(s3: Service, prepared: MemoryStore, name: str) -> int:
    """How many an operation makes when nothing fails."""
    counted = Saboteur(fill(MemoryStore(), prepared))
    OPERATIONS[name].act(_registry(s3.store(counted)))
    return counted.requests


def _try(s3: Service, prepared: MemoryStore, name: str, fault: str, at: int, *, lasting: bool, usual: int) -> str:
    """Fail unless what the operation says is what a fresh reader sees, and the same call again ends well.

    :returns: what was said.
    """
    operation, how, behind = OPERATIONS[name], FAULTS[fault], fill(MemoryStore(), prepared)
    saboteur = Saboteur(behind, how, at, lasting=lasting)
    said: StokerError | None = None
    try:
        operation.act(_registry(s3.store(saboteur)))
    except StokerError as error:
        said = error
    if said:
        assert isinstance(said, how.errors), f"{type(said).__name__} is none of {how.errors}: {said}"
        assert said.message.endswith(".")
        assert "testing" not in said.message
    if how.passing and not lasting:
        assert said is None, f"one failure was not overcome: {said}"
    # Each of the three tries of a commit makes at most TRIES writes with a look after each.
    assert saboteur.requests <= usual + LIMITS.tries * TRIES * 2 + TRIES * 8
    if operation.landed:
        landed = operation.landed(Registry(behind))
        if said is None:
            assert landed, "acknowledged and absent"
        elif not isinstance(said, CommitStateUnknown):
            assert not landed, f"said that nothing was written, and it is there: {said}"
    operation.act(Registry(behind))
    if operation.landed:
        assert operation.landed(Registry(behind))
        assert Registry(behind).state(MODEL).seq == ENTRIES + 1
    report = verify(behind, MODEL)
    assert report.clean, report.problems
    return type(said).__name__ if said else "acknowledged"


def _matrix(s3: Service, prepared: MemoryStore) -> list[tuple[str, str, int, bool, int]]:
    usual = {name: _requests(s3, prepared, name) for name in OPERATIONS}
    return [
        (name, fault, at, lasting, usual[name])
        for name, fault, lasting in itertools.product(OPERATIONS, FAULTS, (False, True))
        for at in range(1, usual[name] + 1)
    ]


def _try_all(s3: Service, prepared: MemoryStore, cells: list[tuple[str, str, int, bool, int]]) -> Counter[str]:
    said: Counter[str] = Counter()
    for name, fault, at, lasting, usual in cells:
        try:
            said[_try(s3, prepared, name, fault, at, lasting=lasting, usual=usual)] += 1
        except Exception as error:  # whatever it is, it must say at which of thousands of cells it happened
            raise AssertionError(f"{fault!r} at request {at} of {name}, lasting={lasting}: {error}") from error
    return said


def test_what_was_said_is_what_is_there_for_a_sample_of_all_failures(s3: Service, prepared: MemoryStore) -> None:
    cells = random.Random(SEED).sample(_matrix(s3, prepared), SAMPLE)
    said = _try_all(s3, prepared, cells)
    assert said["acknowledged"] > 5
    assert said.total() - said["acknowledged"] > 5


@pytest.mark.fault
@pytest.mark.timeout(1800)
def test_what_was_said_is_what_is_there_for_every_failure_at_every_request(
    s3: Service, prepared: MemoryStore, capsys: pytest.CaptureFixture[str]
) -> None:
    cells = _matrix(s3, prepared)
    said: Counter[str] = Counter()
    for done in range(0, len(cells), 500):
        said += _try_all(s3, prepared, cells[done : done + 500])
        with capsys.disabled():
            print(f"{min(done + 500, len(cells))} of {len(cells)}", flush=True)
    ends = ", ".join(f"{count} {name}" for name, count in said.most_common())
    with capsys.disabled():
        print(
            f"\n{len(FAULTS)} S3 failures x every request of {len(OPERATIONS)} operations, once and lasting: {len(cells):,} cells: {ends}"
        )
