"""What the doctor asks this machine: its clock against the store's, its memory, and its room for temporary files."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from datetime import timedelta

from stoker.cli.examination import Check
from stoker.core import memory
from stoker.core.clock import random_id, system_clock
from stoker.core.sizes import show_size
from stoker.errors import StokerError
from stoker.store.base import ObjectStore

MAX_SKEW = timedelta(seconds=60)
"""S3 itself refuses requests from fifteen minutes on; ages and times that people compare go wrong before."""

MIN_MEMORY = 1_000_000_000
MIN_DISK = 2_000_000_000


def examine_machine(memory_limit: int | None) -> Iterator[Check]:
    """The checks that need no store.

    :param memory_limit: the setting, in bytes.
    """
    yield _memory(memory_limit)
    yield _temporary_files()


def examine_clock(store: ObjectStore) -> Check:
    """Compare the time of an object that is written now with ours; the object is removed again."""
    key = f".probe/{random_id()}/clock"
    try:
        store.create(key, key.encode())
        skew = store.stat(key).modified - system_clock()
        store.delete_swept(key)
    except StokerError as error:
        return Check("clock", "warn", f"The clocks could not be compared. {error.message}")
    seconds = round(abs(skew.total_seconds()))
    if abs(skew) > MAX_SKEW:
        direction = "behind" if skew > timedelta() else "ahead of"
        advice = f"The clock of this machine is {seconds} s {direction} the store's. Set it (NTP)."
        return Check("clock", "fail", advice)
    return Check("clock", "ok", f"Within {MAX_SKEW.seconds} s of the store's.")


def _memory(limit: int | None) -> Check:
    with memory.limited(limit):
        room = memory.room()
    if room is None:
        return Check("memory", "ok", "This system does not tell how much is left.")
    if room.size < MIN_MEMORY:
        advice = (
            f"A task would have {show_size(room.size)}, by {room.limit}. Give workers at least {show_size(MIN_MEMORY)}."
        )
        return Check("memory", "warn", advice)
    return Check("memory", "ok", f"{show_size(room.size)} left, by {room.limit}.")


def _temporary_files() -> Check:
    try:
        folder = tempfile.gettempdir()
        with tempfile.NamedTemporaryFile(prefix="stoker-") as file:
            file.write(b"probe")
        free = shutil.disk_usage(folder).free
    except OSError as error:
        return Check(
            "temporary files",
            "fail",
            f"Steps need a folder for temporary files: {error.strerror or error}. Set TMPDIR to one.",
        )
    if free < MIN_DISK:
        advice = f"{folder} has {show_size(free)} left, and steps fetch whole datasets there. Make room, or set TMPDIR."
        return Check("temporary files", "warn", advice)
    return Check("temporary files", "ok", f"{show_size(free)} left in {folder}.")
