"""A disk that can be cut off: which calls reached it, and what of them a power cut leaves.

The rules are those of POSIX at their hardest: the content of a file that was not synced is gone, and so is a name that was made in a
folder after the folder's last sync. A real file system usually keeps more.
"""

from __future__ import annotations

import os
import shutil
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

Inode = tuple[int, int]


class PowerCut(BaseException):
    """The machine is off: no ``except Exception`` of the code under test may go on."""


class Disk:
    """Counts the calls that change a file system, and ends the process or the machine at one of them.

    :param stop_at: the number of the call, from 1, that does not happen any more; 0 for never.
    :param stop: ends it.
    :param torn: whether a write that is cut short leaves its first half.
    :param forgets: the function whose syncs are left out.
    :param syncs: whether the other syncs are carried out, which only a real disk needs.
    """

    def __init__(
        self, *, stop_at: int = 0, stop: Callable[[], Any], torn: bool = False, forgets: str = "", syncs: bool = False
    ) -> None:
        self.calls = 0
        self.synced_by: set[str] = set()
        self._stop_at = stop_at
        self._stop = stop
        self._torn = torn
        self._forgets = forgets
        self._syncs = syncs
        self._files: set[int] = set()  # descriptors of files that were made
        self._unsynced: set[Inode] = set()
        self._names: set[tuple[Inode, str]] = set()
        self._real = {
            name: getattr(os, name) for name in ("open", "write", "fsync", "link", "mkdir", "unlink", "close")
        }

    @contextmanager
    def plugged_in(self) -> Iterator[None]:
        """Put it under everything that goes through ``os``."""
        try:
            for name in self._real:
                setattr(os, name, getattr(self, f"_{name}"))
            yield
        finally:
            for name, real in self._real.items():
                setattr(os, name, real)

    def stop_in(self, calls: int) -> None:
        """Count ``stop_at`` from here."""
        self._stop_at = self.calls + calls

    def lose(self, root: Path, *, spare: Callable[[], bool] = lambda: False) -> None:
        """Take away what a power cut takes, below ``root``.

        :param spare: tells of each thing whether chance keeps it.
        """
        for folder, names, files in os.walk(root, topdown=False):
            for name in [*names, *files]:
                path = Path(folder, name)
                if (_inode(Path(folder).stat()), name) in self._names and not spare():
                    shutil.rmtree(path) if path.is_dir() else path.unlink()
                elif path.is_file() and _inode(path.stat()) in self._unsynced and not spare():
                    path.write_bytes(b"")

    def _step(self) -> None:
        self.calls += 1
        if self._stop_at and self.calls >= self._stop_at:
            self._stop()

    def _open(self, path: Any, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        if not flags & os.O_CREAT:
            return int(self._real["open"](path, flags, mode, dir_fd=dir_fd))
        self._step()
        file = int(self._real["open"](path, flags, mode, dir_fd=dir_fd))
        self._files.add(file)
        self._unsynced.add(_inode(os.fstat(file)))
        self._named(path, dir_fd)
        return file

    def _close(self, file: int) -> None:
        self._files.discard(file)
        self._real["close"](file)

    def _write(self, file: int, data: Any) -> int:
        if file in self._files:
            if self._torn and self.calls + 1 == self._stop_at:
                self._real["write"](file, bytes(data)[: len(data) // 2])
            self._step()
            self._unsynced.add(_inode(os.fstat(file)))
        return int(self._real["write"](file, data))

    def _fsync(self, file: int) -> None:
        self._step()
        caller = sys._getframe(1).f_code.co_name
        self.synced_by.add(caller)
        if caller == self._forgets:
            return
        if self._syncs:
            self._real["fsync"](file)
        status = os.fstat(file)
        if stat.S_ISDIR(status.st_mode):
            self._names = {(folder, name) for folder, name in self._names if folder != _inode(status)}
        else:
            self._unsynced.discard(_inode(status))

    def _link(self, source: Any, target: Any, *, src_dir_fd: int, dst_dir_fd: int, follow_symlinks: bool) -> None:
        self._step()
        self._real["link"](
            source, target, src_dir_fd=src_dir_fd, dst_dir_fd=dst_dir_fd, follow_symlinks=follow_symlinks
        )
        self._named(target, dst_dir_fd)

    def _mkdir(self, path: Any, mode: int = 0o777, *, dir_fd: int | None = None) -> None:
        self._step()
        self._real["mkdir"](path, mode, dir_fd=dir_fd)
        self._named(path, dir_fd)

    def _unlink(self, path: Any, *, dir_fd: int | None = None) -> None:
        self._step()
        self._real["unlink"](path, dir_fd=dir_fd)

    def _named(self, path: Any, dir_fd: int | None) -> None:
        folder = Path(path).parent.stat() if dir_fd is None else os.fstat(dir_fd)
        self._names.add((_inode(folder), Path(path).name))


def _inode(status: os.stat_result) -> Inode:
    return status.st_dev, status.st_ino
