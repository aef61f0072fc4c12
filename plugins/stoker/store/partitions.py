"""Which snapshot a partition of a dataset means: numbered pointers, of which the highest counts.

A dataset that is not partitioned has the one partition :data:`WHOLE`. A partition can be withdrawn: until it means
another snapshot, it is there for nobody.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from stoker.core import clock as time
from stoker.core import wire
from stoker.core.record_shapes import parse_pointer
from stoker.errors import AlreadyExists, StoreUnavailable
from stoker.store import layout
from stoker.store.base import ObjectStore

WHOLE = "all"

_MAX_TRIES = 20


def newest(store: ObjectStore, dataset: str, stage: str, partition: str | None) -> str | None:
    """The digest of the snapshot that a partition means now, or ``None`` when there is no such partition.

    :param stage: ``raw`` or ``ok``.
    :param partition: ``None`` for a dataset without partitions.
    """
    pointer = newest_pointer(store, dataset, stage, partition)
    return pointer["snapshot"] if pointer else None


def newest_pointer(store: ObjectStore, dataset: str, stage: str, partition: str | None) -> dict[str, Any] | None:
    """As :func:`newest`, with everything that the pointer records: ``snapshot``, ``data_id``, ``time`` …"""
    keys = list(store.keys(layout.partition(dataset, stage, partition or WHOLE)))
    return _valid(store, keys[-1]) if keys else None


def partitions(store: ObjectStore, dataset: str, stage: str, *, until: str | None = None) -> list[tuple[str, str]]:
    """Every partition with the digest of the snapshot that it means now, in the text order of the partitions.

    :param until: the last partition wanted, itself included; all of them without it.
    """
    last = _last_keys(store, dataset, stage)
    wanted = sorted(partition for partition in last if until is None or partition <= until)
    pointers = ((partition, _valid(store, last[partition])) for partition in wanted)
    return [(partition, pointer["snapshot"]) for partition, pointer in pointers if pointer]


def usable_stage(store: ObjectStore, dataset: str) -> str:
    """The stage whose rows may be used: ``ok``, or ``raw`` where nothing ever was validated."""
    # Withdrawn partitions count: what was found broken must not come back as the unvalidated rows that it was made of.
    return "ok" if any(store.keys(layout.partitions(dataset, "ok"))) else "raw"


def usable_partitions(store: ObjectStore, dataset: str) -> list[tuple[str, str]]:
    """As :func:`partitions`, of the stage whose rows may be used."""
    return partitions(store, dataset, usable_stage(store, dataset))


def last_pointer(store: ObjectStore, dataset: str, stage: str) -> dict[str, Any] | None:
    """What :func:`newest_pointer` gives for the last partition in text order, or ``None`` when the dataset has none."""
    return next(_backwards(store, dataset, stage), None)


def last_pointers(store: ObjectStore, dataset: str, stage: str, *, limit: int) -> tuple[list[dict[str, Any]], int]:
    """As :func:`last_pointer`, of so many of the last partitions, the last first; and how many earlier ones there are.

    Reads the pointers that it gives and those of withdrawn partitions that it passes; the number is one of keys alone.
    """
    last = _last_keys(store, dataset, stage)
    found: list[dict[str, Any]] = []
    passed = 0
    for partition in sorted(last, reverse=True):
        if len(found) == limit:
            break
        passed += 1
        if pointer := _valid(store, last[partition]):
            found.append(pointer)
    return found, len(last) - passed


def pointer_to(
    store: ObjectStore, dataset: str, stage: str, partition: str | None, snapshot: str, *, tries: int = 5
) -> dict[str, Any] | None:
    """The newest pointer by which a partition means, or meant, this snapshot; ``None`` when none of the last ones does.

    :param tries: how many of the newest pointers are read at most.
    """
    keys = list(store.keys(layout.partition(dataset, stage, partition or WHOLE)))
    pointers = (_read(store, key) for key in reversed(keys[-tries:]))
    return next((one for one in pointers if one.get("snapshot") == snapshot and "withdrawn" not in one), None)


def newest_before(store: ObjectStore, dataset: str, stage: str, partition: str) -> str | None:
    """The digest of the snapshot of the last partition that sorts before this one, if there is any."""
    pointer = next(_backwards(store, dataset, stage, before=partition), None)
    return pointer["snapshot"] if pointer else None


def point(
    store: ObjectStore,
    *,
    dataset: str,
    stage: str,
    partition: str | None,
    snapshot: str,
    data_id: str,
    validation: str | None = None,
    origin: str | None = None,
    clock: time.Clock = time.system_clock,
) -> bool:
    """Let a partition mean this snapshot, and tell whether that, or its validation, was news.

    :param snapshot: the digest of the dataset document.
    :param data_id: the content id that stands in it.
    :param validation: the digest of the validation that let these rows through.
    :param origin: the task that made the snapshot, as :attr:`~stoker.core.records.Actor.origin`; no reader depends on it.
    :raises StoreUnavailable: when other writers were faster many times in a row; the same call may succeed later.
    """
    facts = {"snapshot": layout.check_digest(snapshot), "data_id": data_id}
    if validation:
        facts["validation"] = layout.check_digest(validation)
    if origin:
        facts["origin"] = origin

    def change(now: dict[str, Any]) -> dict[str, Any] | None:
        # Who trains by the partition's name must find the newest word on its rows; a withdrawn one stays withdrawn.
        same = now.get("snapshot") == snapshot and ("withdrawn" in now or now.get("validation") == validation)
        return None if same else facts

    return _append(
        store,
        dataset=dataset,
        stage=stage,
        partition=partition or WHOLE,
        change=change,
        clock=clock,
    )


def withdraw(
    store: ObjectStore,
    *,
    dataset: str,
    stage: str,
    partition: str | None,
    snapshot: str,
    reason: str,
    clock: time.Clock = time.system_clock,
) -> bool:
    """Take a partition out of use for as long as it means this snapshot, and tell whether that was news.

    Nothing is deleted, and pointing it at the same snapshot again brings nothing back; another snapshot does.

    :param snapshot: what the caller found to be unusable; a partition that means another one by now is left alone.
    :param reason: why, for whoever looks for the partition.
    :raises StoreUnavailable: as :func:`point`.
    """
    return _append(
        store,
        dataset=dataset,
        stage=stage,
        partition=partition or WHOLE,
        change=lambda now: (
            {"snapshot": snapshot, "data_id": now["data_id"], "withdrawn": reason}
            if now.get("snapshot") == snapshot and "withdrawn" not in now
            else None
        ),
        clock=clock,
    )


def _append(
    store: ObjectStore,
    *,
    dataset: str,
    stage: str,
    partition: str,
    change: Callable[[dict[str, Any]], dict[str, Any] | None],
    clock: time.Clock,
) -> bool:
    """Write the pointer that ``change`` makes of the newest one, which is empty at first; nothing when it makes none."""
    prefix = layout.partition(dataset, stage, partition)
    for _ in range(_MAX_TRIES):
        keys = list(store.keys(prefix))
        changed = change(_read(store, keys[-1]) if keys else {})
        if changed is None:
            return False
        pointer = {
            "format": wire.FORMAT,
            "kind": "partition",
            "dataset": dataset,
            "stage": stage,
            "partition": partition,
            **changed,
            "time": time.to_text(clock()),
        }
        number = layout.number_of(keys[-1]) + 1 if keys else 1
        try:
            store.create(layout.numbered(prefix, number), wire.canonical(pointer))
        except AlreadyExists:
            continue
        return True
    raise StoreUnavailable(
        f"The partition {partition!r} of {dataset!r} must hold still for one write; others wrote to it "
        f"{_MAX_TRIES} times meanwhile. Try again later."
    )


def _backwards(store: ObjectStore, dataset: str, stage: str, *, before: str | None = None) -> Iterator[dict[str, Any]]:
    """The pointers of the partitions that are in use, the last in text order first."""
    last = _last_keys(store, dataset, stage)
    for partition in sorted(last, reverse=True):
        if before is None or partition < before:
            pointer = _valid(store, last[partition])
            if pointer:
                yield pointer


def _last_keys(store: ObjectStore, dataset: str, stage: str) -> dict[str, str]:
    """The key of the highest pointer of each partition; keys of one partition come in the order of their numbers."""
    return {key.rsplit("/", 2)[1]: key for key in store.keys(layout.partitions(dataset, stage))}


def _valid(store: ObjectStore, key: str) -> dict[str, Any] | None:
    pointer = _read(store, key)
    return None if "withdrawn" in pointer else pointer


def _read(store: ObjectStore, key: str) -> dict[str, Any]:
    return parse_pointer(store.read(key), f"The partition pointer {key}", "partition")
