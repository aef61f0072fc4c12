"""How much more memory this process may use, and the refusal of work that needs more.

A kernel ends a process that takes too much with SIGKILL, which says nothing to the person who has to mend it. So each step
estimates what it needs and asks here first. The limits that count are those of the machine, of the control group (what
Kubernetes, Docker and systemd set), of ``ulimit -v``, and the setting ``memory_limit``; the tightest wins.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path

from stoker.core.sizes import show_size
from stoker.errors import DataTooLarge

SHARE = 0.8
"""Of the room that is left, so much is given away: estimates are estimates, and other tasks take room too."""

ADVICE = (
    "Use fewer columns, smaller partitions, a sample of the rows or a shorter history, or a worker with more memory"
)

_limit: ContextVar[int | None] = ContextVar("memory_limit", default=None)


@dataclass(frozen=True)
class Room:
    """What is left under one limit.

    :param size: bytes; 0 when the limit is reached.
    :param limit: what sets it, in words.
    """

    size: int
    limit: str


@contextmanager
def limited(limit: int | None) -> Iterator[None]:
    """Let no work in the block take this process beyond so much resident memory.

    :param limit: bytes; without it only the limits of the machine and of the process hold.
    """
    token = _limit.set(limit)
    try:
        yield
    finally:
        _limit.reset(token)


def require(need: int, what: str, advice: str = ADVICE) -> None:
    """Refuse work that would not fit.

    :param need: bytes at the peak, beyond what the process holds now.
    :param what: what needs them, as the beginning of a sentence.
    :param advice: what to do about it, without a full stop.
    :raises DataTooLarge: when it is more than :data:`SHARE` of the room. Where no limit is known nothing is refused.
    """
    tightest = room()
    if tightest is None or need <= tightest.size * SHARE:
        return
    raise DataTooLarge(
        f"{what} needs about {show_size(need)} of memory; this process may use {show_size(int(tightest.size * SHARE))} more, "
        f"{SHARE:.0%} of what {tightest.limit} leaves. {advice}.",
        need=need,
        room=tightest.size,
        limit=tightest.limit,
    )


def at_most(wanted: int) -> int:
    """So many bytes, or fewer where fewer are left: for libraries that can do with less."""
    tightest = room()
    return wanted if tightest is None else max(min(wanted, int(tightest.size * SHARE)), 1)


def room(root: Path = Path("/")) -> Room | None:
    """The tightest limit of this process; ``None`` where none is known.

    :param root: where ``proc`` and ``sys`` lie.
    """
    rooms = [*_setting(root), *_address_space(root), *_control_groups(root), *_machine(root)]
    return min(rooms, key=lambda each: each.size, default=None)


def _setting(root: Path) -> Iterator[Room]:
    limit = _limit.get()
    if limit is not None:
        yield _left(limit, _field(root / "proc/self/status", "VmRSS:"), f"memory_limit ({show_size(limit)})")


def _address_space(root: Path) -> Iterator[Room]:
    if sys.platform == "win32":
        return
    import resource

    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit != resource.RLIM_INFINITY:
        yield _left(limit, _field(root / "proc/self/status", "VmSize:"), f"ulimit -v ({show_size(limit)})")


def _control_groups(root: Path) -> Iterator[Room]:
    """The groups that this process is in, and all above them: each has a limit of its own."""
    for line in _lines(root / "proc/self/cgroup"):
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            yield from _groups(root / "sys/fs/cgroup", path, "memory.max", "memory.current", "inactive_file")
        elif "memory" in controllers.split(","):
            names = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
            yield from _groups(root / "sys/fs/cgroup/memory", path, *names)


def _groups(mount: Path, path: str, limit_file: str, usage_file: str, cache: str) -> Iterator[Room]:
    # In a container the path may be that of the host; its own group is then what is mounted.
    group = mount / path.strip("/")
    for folder in (group, *group.parents):
        limit, used = _number(folder / limit_file), _number(folder / usage_file)
        if limit is not None and used is not None:
            reclaimable = _field(folder / "memory.stat", cache) or 0
            yield _left(limit, max(used - reclaimable, 0), f"the control group ({show_size(limit)})")
        if folder == mount:
            break


def _machine(root: Path) -> Iterator[Room]:
    available = _field(root / "proc/meminfo", "MemAvailable:")
    if available is not None:
        yield Room(available, "the machine")


def _left(limit: int, used: int | None, name: str) -> Room:
    return Room(max(limit - (used or 0), 0), name)


def _number(path: Path) -> int | None:
    """The number in a file; ``None`` where it says ``max`` or there is no file."""
    text = "".join(_lines(path)).strip()
    return int(text) if text.isdecimal() else None


def _field(path: Path, name: str) -> int | None:
    """Bytes from a file of names and values, where ``kB`` means 1024."""
    for line in _lines(path):
        parts = line.split()
        if parts and parts[0] == name:
            return int(parts[1]) * (1024 if parts[-1] == "kB" else 1)
    return None


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text().splitlines()
    except OSError:
        return []
