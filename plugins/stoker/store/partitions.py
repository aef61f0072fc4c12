"""Which snapshot a partition of a dataset means: numbered pointers, of which the highest counts.

A dataset that is not partitioned has the one partition :data:`WHOLE`.
"""

from __future__ import annotations

from typing import Any

from stoker.core import clock as time
from stoker.core import wire
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
    return _read(store, keys[-1]) if keys else None


def partitions(store: ObjectStore, dataset: str, stage: str, *, until: str | None = None) -> list[tuple[str, str]]:
    """Every partition with the digest of the snapshot that it means now, in the text order of the partitions.

    :param until: the last partition wanted, itself included; all of them without it.
    """
    last = _last_keys(store, dataset, stage)
    wanted = sorted(partition for partition in last if until is None or partition <= until)
    return [(partition, _read(store, last[partition])["snapshot"]) for partition in wanted]


def last_pointer(store: ObjectStore, dataset: str, stage: str) -> dict[str, Any] | None:
    """What :func:`newest_pointer` gives for the last partition in text order, or ``None`` when the dataset has none."""
    last = _last_keys(store, dataset, stage)
    return _read(store, last[max(last)]) if last else None


def newest_before(store: ObjectStore, dataset: str, stage: str, partition: str) -> str | None:
    """The digest of the snapshot of the last partition that sorts before this one, if there is any."""
    last = _last_keys(store, dataset, stage)
    earlier = [other for other in last if other < partition]
    return _read(store, last[max(earlier)])["snapshot"] if earlier else None


def point(
    store: ObjectStore,
    *,
    dataset: str,
    stage: str,
    partition: str | None,
    snapshot: str,
    data_id: str,
    validation: str | None = None,
    clock: time.Clock = time.system_clock,
) -> bool:
    """Let a partition mean this snapshot, and tell whether that was news.

    :param snapshot: the digest of the dataset document.
    :param data_id: the content id that stands in it.
    :param validation: the digest of the validation that let these rows through.
    :raises StoreUnavailable: when other writers were faster many times in a row; the same call may succeed later.
    """
    prefix = layout.partition(dataset, stage, partition or WHOLE)
    for _ in range(_MAX_TRIES):
        keys = list(store.keys(prefix))
        if keys and _read(store, keys[-1])["snapshot"] == snapshot:
            return False
        pointer = {
            "format": wire.FORMAT,
            "kind": "partition",
            "dataset": dataset,
            "stage": stage,
            "partition": partition or WHOLE,
            "snapshot": layout.check_digest(snapshot),
            "data_id": data_id,
            **({"validation": layout.check_digest(validation)} if validation else {}),
            "time": time.to_text(clock()),
        }
        number = layout.number_of(keys[-1]) + 1 if keys else 1
        try:
            store.create(layout.numbered(prefix, number), wire.canonical(pointer))
        except AlreadyExists:
            continue
        return True
    raise StoreUnavailable(
        f"The partition {partition or WHOLE!r} of {dataset!r} must hold still for one write; others wrote to it "
        f"{_MAX_TRIES} times meanwhile. Try again later."
    )


def _last_keys(store: ObjectStore, dataset: str, stage: str) -> dict[str, str]:
    """The key of the highest pointer of each partition; keys of one partition come in the order of their numbers."""
    return {key.rsplit("/", 2)[1]: key for key in store.keys(layout.partitions(dataset, stage))}


def _read(store: ObjectStore, key: str) -> dict[str, Any]:
    return wire.parse(store.read(key), f"The partition pointer {key}")
