"""Signatures that were used, so that a delivery that somebody recorded is not taken a second time by any API server."""

from __future__ import annotations

import logging
from datetime import datetime
from itertools import islice

from stoker.core import wire
from stoker.core.signatures import MAX_AGE
from stoker.errors import AlreadyExists, TamperedRecord
from stoker.store import layout
from stoker.store.base import ObjectStore

log = logging.getLogger(__name__)

_SWEPT_AT_ONCE = 20


def use(store: ObjectStore, timestamp: str, signature: str, *, write_id: str, now: datetime) -> bool:
    """Use a signature up, and forget some whose time has passed: those are refused by their age.

    :param timestamp: the time that the signature covers, in Unix seconds.
    :param write_id: what no other call has.
    :param now: the present; signatures older than twice the allowed age are forgotten, for clocks differ.
    :return: whether this call was the first.
    """
    try:
        store.create(_key(timestamp, signature), wire.canonical({"format": wire.FORMAT, "write_id": write_id}))
    except AlreadyExists:
        return False
    oldest = int(now.timestamp() - 2 * MAX_AGE.total_seconds())
    for key in islice(store.keys(layout.REPLAYS), _SWEPT_AT_ONCE):
        try:
            if layout.replay_second(key) >= oldest:
                break
        except TamperedRecord as error:  # the signature is used up, and that is what was asked
            log.warning("Leaving it where it is: %s", error)
            continue
        store.delete_swept(key)
    return True


def release(store: ObjectStore, timestamp: str, signature: str) -> None:
    """Let a signature be used again, because what was done under it failed and its sender will repeat it."""
    store.delete_swept(_key(timestamp, signature))


def _key(timestamp: str, signature: str) -> str:
    return layout.replay(int(timestamp), wire.sha256(signature.encode()))
