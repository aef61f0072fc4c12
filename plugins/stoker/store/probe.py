"""Proof, on the live store, that it refuses a second create. A server that ignores the condition would lose promotions silently."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from stoker.core.clock import IdFactory, random_id
from stoker.errors import AlreadyExists, ConfigurationError, TransportError
from stoker.store.base import ObjectStore

_log = logging.getLogger(__name__)

_ROUNDS = 3


def probe_conditional_writes(store: ObjectStore, *, new_id: IdFactory = random_id, writers: int = 8) -> None:
    """Write a few objects of some bytes under ``.probe/``, first one after the other, then all at once, and remove them again.

    Each writer has other bytes, so that no success can come from a store finding its own. A server that honours the condition only most
    of the time may pass; one that ignores it never does.

    :param new_id: gives the name of the probe, and what its writers write.
    :param writers: how many threads race; their client needs as many connections to race well.
    :raises ConfigurationError: when a second create was let through, or the winner's bytes are not the ones that stayed.
    """
    probe = f".probe/{new_id()}"
    keys = [f"{probe}/{number}" for number in range(_ROUNDS + 1)]
    try:
        _in_a_row(store, keys[0], new_id)
        for key in keys[1:]:
            _at_once(store, key, new_id, writers)
    finally:
        _clean_up(store, keys)


def _in_a_row(store: ObjectStore, key: str, new_id: IdFactory) -> None:
    first = new_id().encode()
    won = [_wins(store, key, first), _wins(store, key, new_id().encode())]
    if won != [True, False] or store.read(key) != first:
        raise _ignored(store, "the second of two creates in a row was not refused")


def _at_once(store: ObjectStore, key: str, new_id: IdFactory, writers: int) -> None:
    bodies = [new_id().encode() for _ in range(writers)]
    start = Barrier(writers)

    def write(body: bytes) -> bool:
        start.wait()
        return _wins(store, key, body)

    with ThreadPoolExecutor(writers) as pool:
        winners = [body for body, won in zip(bodies, pool.map(write, bodies), strict=True) if won]
    if winners != [store.read(key)]:
        raise _ignored(store, f"of {writers} creates at once {len(winners)} succeeded, or another's bytes stayed")


def _wins(store: ObjectStore, key: str, body: bytes) -> bool:
    try:
        store.create(key, body)
    except AlreadyExists:
        return False
    return True


def _clean_up(store: ObjectStore, keys: list[str]) -> None:
    for key in keys:
        try:
            store.delete_swept(key)
        except TransportError as error:  # writers need no permission to delete; the probe's few bytes may stay
            _log.warning("The probe object %s stays in %s: %s", key, store.uri, error)


def _ignored(store: ObjectStore, seen: str) -> ConfigurationError:
    return ConfigurationError(
        f"A store must create a key only if it is absent; in {store.uri} {seen}. This server ignores 'If-None-Match: *', and "
        "two promotions at once would overwrite each other. Use AWS S3, Ceph RGW, MinIO or another server with conditional "
        "writes, or a file:// store."
    )
