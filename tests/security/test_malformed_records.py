"""Whatever lies in the place of a record: refused by an error of ours that names it, and nothing is written."""

from __future__ import annotations

import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from stoker.core import wire
from stoker.errors import IntegrityError, StokerError, UsageError
from stoker.store import layout
from stoker.store.memory import MemoryStore
from tests.registry.cases import MODEL
from tests.security.mutations import BYTES, VALUES, changed, mutated
from tests.security.stored_records import KINDS, Kind, make_store

GOOD = make_store()
SPECIMENS = {name: GOOD.read(kind.key) for name, kind in KINDS.items()}
SEED = 20261121
GENERATED = 20_000
MAX_GROWTH = 200 * 1024**2

PROVED = {"log entry", "promotion entry", "checkpoint", "version pointer", "key index", "fingerprint index"}
"""Records of which every byte is proved by another; in those nothing passes for understood."""

UNDERSTOOD = {
    "null": {"order"},
    "a flag": {"granted", "alert"},
    "a negative number": {"training.seconds"},
    "a text that is nothing": {
        "kind",
        "mark",
        "model",
        "of",
        "run",
        "uri",
        "version",
        "id",
        "source",
        "reason",
        "holder",
        "outcome",
        "write_id",
        "dataset",
        "stage",
        "data_id",
        "dataset_name",
        "task",
        "target",
        "mode",
        "partition",
        "window",
        "order",
        "dedupe_key",
        "requests.0",
        "unknown.0",
        "actor.user",
        "actor.origin",
        "columns.0.name",
        "columns.0.type",
        "features.0.name",
        "features.0.type",
        "estimator.class",
        "verdict.outcome",
        "verdict.reasons.0",
    },
    "an object of nothing": {
        "checks.0",
        "columns.0",
        "source.0",
        "evidence",
        "facts",
        "files",
        "metrics",
        "states",
        "environment",
    },
}
"""What is of the right form. Nobody can tell that it is wrong, and the step that uses it has its own tests of bad input."""


def _is_bad(name: str, field: str, how: str) -> bool:
    if name not in PROVED and field in UNDERSTOOD.get(how, ()):
        return False
    return how != "missing" or not field.rsplit(".", 1)[-1].isdigit()  # a shorter list is a list


FIELDS = [
    (name, field, how)
    for name, kind in KINDS.items()
    for field in kind.fields
    for how in VALUES
    if _is_bad(name, field, how)
]

_SAID_OTHERWISE = (
    "must agree",
    "another",
    "does not follow",
    "does not lead",
    "must have the fields",
    "knows nothing of it",
)
"""Records that prove each other: who contradicts the log is told so, whatever the field is."""


@contextmanager
def planted(name: str, data: bytes) -> Iterator[tuple[MemoryStore, str, Kind]]:
    """The good store with other bytes in the place of one record; at the end everything must lie there as it lay."""
    kind = KINDS[name]
    place = layout.blob(wire.sha256(data)) if kind.key.startswith("blobs/") else kind.key
    store = MemoryStore()
    for key in GOOD.keys(""):
        if key != kind.key:
            store.create(key, GOOD.read(key))
    store.create(place, data)
    before = list(store.keys(""))
    with at_most_a_second_of_cpu():
        yield store, place, kind
    assert list(store.keys("")) == before
    assert all(store.read(key) == GOOD.read(key) for key in before if key != place)


@contextmanager
def at_most_a_second_of_cpu() -> Iterator[None]:
    """Interrupt what hangs. It counts the time that this process works, so a busy machine changes nothing."""

    def stop(*_: object) -> None:
        raise AssertionError("It took more than a second.")

    before = signal.signal(signal.SIGVTALRM, stop)
    signal.setitimer(signal.ITIMER_VIRTUAL, 1.0)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def names_it(error: StokerError, place: str) -> bool:
    """A message names a record by its key, or a document by the digest that stands in every reference to it.

    A changed entry of a log is found by the one after it, which says that it does not follow from the entry before it.
    """
    if place.startswith("blobs/"):
        return place.rsplit("/", 1)[-1][:12] in str(error)
    after = place.startswith(layout.log(MODEL)) and layout.numbered(layout.log(MODEL), layout.number_of(place) + 1)
    return place in str(error) or (bool(after) and f"{after} does not follow" in str(error))


@pytest.mark.parametrize("how", BYTES)
@pytest.mark.parametrize("name", KINDS)
def test_bytes_that_are_no_record_are_refused_by_name(name: str, how: str) -> None:
    with planted(name, BYTES[how](SPECIMENS[name])) as (store, place, kind):
        with pytest.raises(IntegrityError) as refused:
            kind.read(store, place)
        assert names_it(refused.value, place)


@pytest.mark.parametrize(("name", "field", "how"), FIELDS)
def test_a_field_of_another_form_is_refused_by_name(name: str, field: str, how: str) -> None:
    path = tuple(int(step) if step.isdigit() else step for step in field.split("."))
    data = changed(SPECIMENS[name], path, VALUES[how])
    with planted(name, data) as (store, place, kind):
        with pytest.raises((IntegrityError, UsageError)) as refused:
            kind.read(store, place)
        assert names_it(refused.value, place)
        assert any(word in str(refused.value) for word in (*map(str, path), *_SAID_OTHERWISE))


def _read_generated(name: str, data: bytes) -> bool:
    """Whether the record was refused; anything but an error of ours that names it is a failure."""
    with planted(name, data) as (store, place, kind):
        try:
            kind.read(store, place)
        except StokerError as error:
            refused = error
        else:
            return False
        assert names_it(refused, place), f"{name}: {refused} does not name {place}"
        return True


def _battery(examples: int) -> int:
    """Read that many generated records, hold the memory in bounds, and tell how many were refused."""
    refused = 0
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    @seed(SEED)
    @settings(max_examples=examples, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(name=st.sampled_from(list(KINDS)), data=st.data())
    def one(name: str, data: st.DataObject) -> None:
        nonlocal refused
        refused += _read_generated(name, data.draw(mutated(SPECIMENS[name])))

    one()
    assert refused > examples / 2
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 < MAX_GROWTH
    return refused


def test_generated_records_are_refused_by_name_or_understood() -> None:
    _battery(300)


@pytest.mark.fault
def test_twenty_thousand_generated_records_are_refused_by_name_or_understood(
    capsys: pytest.CaptureFixture[str],
) -> None:
    refused = _battery(GENERATED)
    with capsys.disabled():
        print(
            f"\n{len(KINDS) * len(BYTES) + len(FIELDS)} malformed records by hand, {GENERATED} generated (seed {SEED}): {refused} refused "
            f"by name, {GENERATED - refused} understood, nothing written, no other error"
        )
