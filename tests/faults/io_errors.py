"""A disk whose calls fail: every one of them can end with any error."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from stoker.errors import StokerError, TransportError
from stoker.store.local_files import LocalStore
from tests.faults.story import Story, World, scratch, survived

ERRORS = (errno.ENOSPC, errno.EIO, errno.EDQUOT, errno.EMFILE, errno.EACCES, errno.EROFS)

_CALLS = ("open", "write", "fsync", "link", "mkdir", "unlink", "stat", "scandir")


class FailingOs:
    """Counts calls to ``os`` that concern a folder, and fails some.

    :param root: the folder; what lies elsewhere works.
    :param fail_at: the first that fails, from 1; 0 for none.
    :param number: the error.
    :param lasting: whether all that follow fail as well, as on a disk that stays full.
    """

    def __init__(self, root: Path, *, fail_at: int = 0, number: int = errno.EIO, lasting: bool = False) -> None:
        self.calls = 0
        self.failed: list[str] = []
        self._root = root
        self._fail_at = fail_at
        self._number = number
        self._lasting = lasting

    @contextmanager
    def plugged_in(self) -> Iterator[None]:
        """Put it under everything that goes through ``os``."""
        real = {name: getattr(os, name) for name in _CALLS}
        try:
            for name, call in real.items():
                setattr(os, name, self._wrap(name, call))
            yield
        finally:
            for name, call in real.items():
                setattr(os, name, call)

    def _wrap(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **given: Any) -> Any:
            if not self._concerns(args, given):
                return real(*args, **given)
            self.calls += 1
            if self.calls == self._fail_at or (self._lasting and self.calls > self._fail_at > 0):
                self.failed.append(name)
                raise OSError(self._number, os.strerror(self._number))
            return real(*args, **given)

        return call

    def _concerns(self, args: Sequence[Any], given: dict[str, Any]) -> bool:
        folder = next((value for name, value in given.items() if name.endswith("dir_fd")), None)
        place = args[0] if folder is None else folder
        path = Path(f"/proc/self/fd/{place}").readlink() if isinstance(place, int) else Path(place)
        return path.is_relative_to(self._root)


class Unclear(AssertionError):
    """A story did not end as it must when a call failed; the message says which."""


def disk_calls(world: World, story: Story) -> int:
    """How many calls of a story concern the disk."""
    root = world.fresh()
    failing = FailingOs(root)
    with failing.plugged_in():
        world.tell(LocalStore(root), story)
    shutil.rmtree(root)
    return failing.calls


def told_until_error(world: World, root: Path, story: Story) -> tuple[int, TransportError | None]:
    """Tell a story; how many steps were acknowledged, and the error that stopped it if one did."""
    acknowledged: list[str] = []
    try:
        world.tell(LocalStore(root), story, acknowledged.append)
    except TransportError as error:
        return len(acknowledged), error
    return len(acknowledged), None


def endured(world: World, story: Story, k: int, number: int, *, lasting: bool = False) -> str:
    """Tell a story whose ``k``-th call fails; it must stop with an error that says so, or be done, and be whole when told again.

    :returns: the name of the error that it stopped with; empty when it was done.
    :raises Unclear: when it ended in any other way, or left something behind.
    """
    root = world.fresh()
    failing = FailingOs(root, fail_at=k, number=number, lasting=lasting)
    try:
        with failing.plugged_in():
            acknowledged, error = told_until_error(world, root, story)
        assert os.strerror(number) in error.message if error else acknowledged == len(story)
        assert "unlink" in failing.failed or lasting or not list(root.glob(".tmp/*"))
        survived(world, LocalStore(root), story, acknowledged)
        LocalStore(root).sweep_temporary(timedelta(0))
        assert not list(root.glob(".tmp/*"))
    except (AssertionError, StokerError, OSError) as failure:
        raise Unclear(
            f"endured(world, {list(story)}, {k}, {errno.errorcode[number]}, {lasting=}), {failing.failed[:1]}: "
            f"{type(failure).__name__}: {failure}"
        ) from failure
    finally:
        shutil.rmtree(root)
    return type(error).__name__ if error else ""


def endured_calls(ks: Sequence[int], story: Story, number: int, lasting: bool) -> int:
    """As :func:`endured` for each of many calls, in a world of its own; how many of them stopped the story."""
    with scratch() as folder:
        world = World(folder)
        return sum(bool(endured(world, story, k, number, lasting=lasting)) for k in ks)
