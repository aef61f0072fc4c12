"""A store in a folder of a POSIX file system; ``link`` is its create-if-absent.

An object is written to a temporary file, made durable, and then linked to its name: the link is the one atomic step, and it
refuses a name that is taken. The order of the calls is what survives a power cut: the content before the name, the
name before the answer, and each new folder before anything that lies in it.
"""

from __future__ import annotations

import errno
import io
import logging
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import BinaryIO

from stoker.core.clock import Clock, IdFactory, random_id, system_clock
from stoker.errors import (
    CommitStateUnknown,
    ConfigurationError,
    IntegrityError,
    NotFound,
    StoreNotWritable,
    StoreUnavailable,
    UsageError,
)
from stoker.store import files
from stoker.store.base import Stat
from stoker.store.keys import TEMPORARY, already_exists, check_key, check_prefix, check_readable, is_part, not_found

_log = logging.getLogger(__name__)

_REFUSED = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM}
_CANNOT_LINK = {errno.EXDEV, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS}
_LINKED_ELSEWHERE = {errno.ELOOP, errno.ENOTDIR}
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_OBJECT = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC  # without O_NONBLOCK a planted FIFO would hang us
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class LocalStore:
    """An :class:`~stoker.store.base.ObjectStore` under one folder, for any number of processes on machines that share it.

    It needs a file system with hard links and a working ``fsync``: ext4, xfs, btrfs, zfs, tmpfs, NFS. Below the root, symbolic links are
    never followed. A key cannot lie under another key (``a/b`` beside ``a``), which :mod:`stoker.store.layout` never asks for.

    :param root: the folder; made when missing.
    :param clock: tells :meth:`sweep_temporary` the time.
    :param new_id: names temporary files.
    :raises StoreNotWritable: when the root is missing and cannot be made.
    :raises ConfigurationError: when the root is no folder.
    """

    def __init__(self, root: Path, *, clock: Clock = system_clock, new_id: IdFactory = random_id) -> None:
        self._root = root.absolute()
        self._uri = self._root.as_uri()
        self._clock = clock
        self._new_id = new_id
        self._durable: set[tuple[str, ...]] = set()
        self._make_root()

    @property
    def uri(self) -> str:
        """``file://`` and the path of the root."""
        return self._uri

    def create(self, key: str, data: bytes) -> None:
        """Write a new object."""
        self._create(key, io.BytesIO(data))

    def create_from_file(self, key: str, path: Path) -> None:
        """Write a new object from a local file, a piece at a time."""
        with files.reading(path) as source:
            self._create(key, source)

    def read(self, key: str) -> bytes:
        """The whole object."""
        with self._opened(key) as file:
            check_readable(self._uri, key, os.fstat(file.fileno()).st_size)
            return file.read()

    def read_to_file(self, key: str, path: Path) -> None:
        """Write the object into a new local file, a piece at a time."""
        with self._opened(key) as source, files.fetching(path) as target:
            while piece := source.read(files.CHUNK):
                target.write(piece)

    def exists(self, key: str) -> bool:
        """Whether the key holds an object."""
        try:
            with self._opened(key):
                return True
        except NotFound:
            return False

    def stat(self, key: str) -> Stat:
        """The size of the file, and when its content was written."""
        with self._opened(key) as file:
            status = os.fstat(file.fileno())
        return Stat(status.st_size, datetime.fromtimestamp(status.st_mtime, UTC))

    def keys(self, prefix: str, *, after: str = "") -> Iterator[str]:
        """The keys in order. Only folders that can hold such keys are looked into, each when the listing reaches it."""
        folder, _, _ = check_prefix(prefix).rpartition("/")
        return self._walk(tuple(folder.split("/")) if folder else (), prefix, after)

    def folders(self, prefix: str) -> Iterator[str]:
        """The folders directly below a folder; nothing in them is looked at."""
        folder = check_prefix(prefix).removesuffix("/")
        entries = self._entries(tuple(folder.split("/")) if folder else ())
        return (name.removesuffix("/") for name, is_folder in entries if is_folder)

    def delete_swept(self, key: str) -> None:
        """Remove an object. Its folder stays, and a power cut may bring the object back for the next sweep."""
        *folder, name = check_key(key).split("/")
        try:
            with self._folder(tuple(folder)) as at:
                os.unlink(name, dir_fd=at)
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            return
        except OSError as error:
            raise self._failure(error, f"removing {key!r}") from error

    def sweep_temporary(self, older_than: timedelta = timedelta(days=1)) -> int:
        """Remove what killed writers left behind.

        :param older_than: files that were touched within this time may belong to a writer at work, and stay.
        :returns: the number of files removed.
        """
        limit = (self._clock() - older_than).timestamp()
        try:
            with self._folder((TEMPORARY,)) as at, os.scandir(at) as found:
                return sum(_remove_if_older(entry, limit, at) for entry in found)
        except FileNotFoundError:
            return 0  # no writer was here yet
        except OSError as error:
            raise self._failure(error, "sweeping temporary files") from error

    def _create(self, key: str, source: BinaryIO) -> None:
        *parts, name = check_key(key).split("/")
        try:
            self._settle_root()
            with self._folder(tuple(parts), make=True) as folder, self._folder((TEMPORARY,), make=True) as temporary:
                if _exists(name, folder):
                    self._settle(key, name, folder, source)
                else:
                    self._write(key, name, folder, temporary, source)
        except (NotADirectoryError, IsADirectoryError) as error:
            raise UsageError(
                f"No key must lie under another key; {key!r} would in {self._uri}, or another under it. Name another key."
            ) from error
        except OSError as error:
            raise self._failure(error, f"writing {key!r}") from error

    def _write(self, key: str, name: str, folder: int, temporary: int, source: BinaryIO) -> None:
        unfinished = self._new_id()
        file = os.open(unfinished, _NEW, 0o644, dir_fd=temporary)
        try:
            _fill(file, source)
            self._link(key, unfinished, temporary, name, folder, source)
        finally:
            with suppress(OSError):  # left for sweep_temporary
                os.unlink(unfinished, dir_fd=temporary)

    def _link(self, key: str, unfinished: str, temporary: int, name: str, folder: int, source: BinaryIO) -> None:
        try:
            os.link(unfinished, name, src_dir_fd=temporary, dst_dir_fd=folder, follow_symlinks=False)
        except FileExistsError:
            self._settle(key, name, folder, source)
        except OSError as error:
            if error.errno in _REFUSED:
                raise
            if error.errno in _CANNOT_LINK:
                raise ConfigurationError(
                    f"A local store needs one file system with hard links; {self._uri} has none: {error.strerror}. "
                    "Use a folder on ext4, xfs, zfs or NFS, or an s3:// store."
                ) from error
            raise self._unknown(key, error) from error  # a network file system may have linked before it failed
        else:
            self._make_durable(key, folder)

    def _settle(self, key: str, name: str, folder: int, source: BinaryIO) -> None:
        """Answer for a name that is taken: with our own bytes it is ours, from an earlier call or a reply that NFS lost."""
        source.seek(0)
        try:
            with _open_object(name, folder) as found:
                same = files.same_content(found, source)
        except IsADirectoryError:
            raise
        except OSError as error:
            raise self._unknown(key, error) from error
        if not same:
            raise already_exists(self._uri, key)
        self._make_durable(key, folder)  # whoever linked it may not have come so far

    def _make_durable(self, key: str, folder: int) -> None:
        try:
            os.fsync(folder)
        except OSError as error:
            raise self._unknown(key, error) from error

    @contextmanager
    def _opened(self, key: str) -> Iterator[BinaryIO]:
        *folder, name = check_key(key).split("/")
        try:
            with self._folder(tuple(folder)) as at, _open_object(name, at) as file:
                yield file
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as error:
            raise not_found(self._uri, key) from error
        except OSError as error:
            raise StoreUnavailable(self._message(error, f"reading {key!r}")) from error

    @contextmanager
    def _folder(self, parts: tuple[str, ...], *, make: bool = False) -> Iterator[int]:
        """A descriptor of a folder below the root, reached part by part so that no link on the way is followed."""
        try:
            at = os.open(self._root, _FOLDER)
        except OSError as error:  # not an empty store: a mount that is missing would look like one
            raise StoreUnavailable(self._message(error, "opening its root")) from error
        try:
            for depth, part in enumerate(parts, start=1):
                if make:
                    self._make_folder(parts[:depth], at)
                above, at = at, self._enter(part, at)
                os.close(above)
            yield at
        finally:
            os.close(at)

    def _enter(self, part: str, at: int) -> int:
        try:
            return os.open(part, _FOLDER | os.O_NOFOLLOW, dir_fd=at)
        except OSError as error:
            if error.errno in _LINKED_ELSEWHERE and stat.S_ISLNK(
                os.stat(part, dir_fd=at, follow_symlinks=False).st_mode
            ):
                raise _foreign(part) from error
            raise

    def _make_folder(self, parts: tuple[str, ...], at: int) -> None:
        """Make a folder, and its entry durable. One that exists may be another process's, which died before it could."""
        if parts in self._durable and _exists(parts[-1], at):
            return
        with suppress(FileExistsError):
            os.mkdir(parts[-1], dir_fd=at)
        os.fsync(at)
        self._durable.add(parts)

    def _settle_root(self) -> None:
        """Make the entry of the root durable, in case its maker died before it could."""
        if () not in self._durable:
            with suppress(PermissionError):  # a folder that we may not open was not made by a Stoker like us
                _sync_folder(self._root.parent)
            self._durable.add(())

    def _make_root(self) -> None:
        try:
            missing = [folder for folder in (self._root, *self._root.parents) if not folder.exists()]
            for folder in reversed(missing):
                with suppress(FileExistsError):
                    folder.mkdir()
                _sync_folder(folder.parent)
            usable = self._root.is_dir()
        except NotADirectoryError:
            usable = False
        except OSError as error:
            raise self._failure(error, "making its root") from error
        if not usable:
            raise ConfigurationError(
                f"The root of a local store must be a folder in a folder; {self._root} is none. Name another."
            )

    def _walk(self, parts: tuple[str, ...], prefix: str, after: str) -> Iterator[str]:
        above = "".join(f"{part}/" for part in parts)
        for name, is_folder in self._entries(parts):
            path = above + name
            if is_folder:
                if _may_hold(path, prefix, after):
                    yield from self._walk((*parts, name.removesuffix("/")), prefix, after)
            elif path.startswith(prefix) and path > after:
                yield path

    def _entries(self, parts: tuple[str, ...]) -> list[tuple[str, bool]]:
        """What lies in a folder, in the order of the keys: a folder sorts with the ``/`` that follows its name in them."""
        try:
            with self._folder(parts) as at, os.scandir(at) as found:
                entries = [entry for entry in found if is_part(entry.name)]
                folders = [(f"{entry.name}/", True) for entry in entries if entry.is_dir(follow_symlinks=False)]
                objects = [(entry.name, False) for entry in entries if entry.is_file(follow_symlinks=False)]
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            raise StoreUnavailable(self._message(error, f"listing {'/'.join(parts)!r}")) from error
        return sorted(folders + objects)

    def _failure(self, error: OSError, doing: str) -> StoreNotWritable | StoreUnavailable:
        kind = StoreNotWritable if error.errno in _REFUSED else StoreUnavailable
        return kind(self._message(error, doing))

    def _message(self, error: OSError, doing: str) -> str:
        return f"The store must answer; {self._uri} failed while {doing}: {error.strerror or error}. Repair it, then try again."

    def _unknown(self, key: str, error: OSError) -> CommitStateUnknown:
        return CommitStateUnknown(
            f"The write of {key!r} to {self._uri} must end in a clear answer; it ended in {error.strerror or error} after it "
            "may have landed. The same call again finds out; clean nothing up.",
            key=key,
        )


def _fill(file: int, source: BinaryIO) -> None:
    """Write everything and make it durable. A failed fsync is final: the kernel may have dropped the pages, and say yes next time."""
    try:
        while piece := source.read(files.CHUNK):
            rest = memoryview(piece)
            while rest:
                rest = rest[os.write(file, rest) :]
        os.fsync(file)
    finally:
        os.close(file)


def _open_object(name: str, folder: int) -> BinaryIO:
    try:
        found = os.open(name, _OBJECT, dir_fd=folder)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise _foreign(name) from error
        raise
    mode = os.fstat(found).st_mode
    if stat.S_ISREG(mode):
        return os.fdopen(found, "rb")
    os.close(found)
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    raise _foreign(name)


def _foreign(name: str) -> IntegrityError:
    return IntegrityError(
        f"A store must hold plain files and folders only; {name!r} is a link or a device, which Stoker never makes. "
        "Find out who put it there, then remove it."
    )


def _exists(name: str, folder: int) -> bool:
    try:
        os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def _remove_if_older(entry: os.DirEntry[str], limit: float, folder: int) -> bool:
    with suppress(FileNotFoundError):  # its writer has finished, or another sweep was faster
        if entry.stat(follow_symlinks=False).st_mtime < limit:
            os.unlink(entry.name, dir_fd=folder)
            return True
    return False


def _sync_folder(path: Path) -> None:
    folder = os.open(path, _FOLDER)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _may_hold(folder: str, prefix: str, after: str) -> bool:
    """Whether a folder, given with its ``/``, can hold keys with the prefix that sort after ``after``."""
    in_range = folder.startswith(prefix) or prefix.startswith(folder)
    return in_range and (folder > after or after.startswith(folder))
