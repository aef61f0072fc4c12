"""A real ext4 file system whose plug can be pulled: what was not durable by then is gone when it is mounted again.

It lies in a file, and ``EXT4_IOC_SHUTDOWN`` is the plug: the kernel stops the file system where it stands and writes nothing more, the
journal included. Needs root and loop devices.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import struct
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_SHUTDOWN = 0x8004587D
_WITHOUT_FLUSHING = struct.pack("I", 2)
_MKFS = shutil.which("mkfs.ext4", path=f"{os.environ['PATH']}:/usr/sbin:/sbin")

OPTIONS = ("defaults", "noauto_da_alloc", "data=writeback")
"""How it is mounted: as usual, without the repairs that the kernel makes behind careless programs, and with content after names."""


class Plug:
    """A file system in a folder, which holds what ``prepared`` holds.

    :param folder: empty; the image and the place where it is mounted.
    :param prepared: is copied to :attr:`root`, durably.
    :param options: of the mount.
    """

    def __init__(self, folder: Path, prepared: Path, options: str) -> None:
        self._image = folder / "image"
        self._fresh = folder / "fresh"
        self._place = folder / "mounted"
        self.options = options
        self.root = self._place / "store"
        self._place.mkdir()
        _run("truncate", "-s", "16M", self._fresh)
        _run(_MKFS, "-q", "-F", self._fresh)
        with self._mounted(self._fresh):
            shutil.copytree(prepared, self.root)

    @contextmanager
    def plugged_in(self) -> Iterator[None]:
        """A fresh copy, mounted."""
        shutil.copyfile(self._fresh, self._image)
        with self._mounted(self._image):
            yield

    @contextmanager
    def plugged_in_again(self) -> Iterator[None]:
        """What is left of it, mounted."""
        with self._mounted(self._image):
            yield

    def pull(self) -> None:
        """Cut it off. Whatever is asked of it then fails."""
        place = os.open(self._place, os.O_RDONLY)
        try:
            fcntl.ioctl(place, _SHUTDOWN, _WITHOUT_FLUSHING)
        finally:
            os.close(place)

    @contextmanager
    def _mounted(self, image: Path) -> Iterator[None]:
        _run("mount", "-t", "ext4", "-o", f"loop,{self.options}", image, self._place)
        try:
            yield
        finally:
            _run("umount", self._place)


def why_not() -> str:
    """Why no plug can be pulled here; empty when it can."""
    if os.geteuid():
        return "power cuts need root, to mount a file system"
    if not _MKFS:
        return "power cuts need mkfs.ext4 (e2fsprogs)"
    return "" if Path("/dev/loop-control").exists() else "power cuts need loop devices"


def _run(*command: object) -> None:
    subprocess.run([str(part) for part in command], check=True, capture_output=True, text=True)
