"""The local end of a transfer: the file that goes into a store, and the one that comes out."""

from __future__ import annotations

import errno
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from stoker.errors import SourceNotFound, StoreUnavailable, UsageError

CHUNK = 1024 * 1024

_DISK_REFUSALS = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EIO, errno.EMFILE, errno.ENFILE}


@contextmanager
def scratch() -> Iterator[Path]:
    """A folder for temporary files, which is gone afterwards.

    :raises StoreUnavailable: when the local disk refuses what the block does in it. Other errors of the block pass.
    """
    made = False
    try:
        with tempfile.TemporaryDirectory(prefix="stoker-", ignore_cleanup_errors=True) as folder:
            made = True
            yield Path(folder)
    except OSError as error:
        if made and not is_of_disk(error):
            raise
        raise StoreUnavailable(
            f"The local disk must take temporary files; it failed: {error}. Make room, or set TMPDIR to a folder that has some, and "
            "try again."
        ) from error


def is_of_disk(error: Exception) -> bool:
    """Whether the disk refused a call, so that the same call may work later; no file says so by being damaged."""
    return isinstance(error, OSError) and error.errno in _DISK_REFUSALS


@contextmanager
def reading(path: Path) -> Iterator[BinaryIO]:
    """Open the file that is to be stored.

    :raises SourceNotFound: when it cannot be opened.
    """
    try:
        file = path.open("rb")
    except OSError as error:
        raise SourceNotFound(f"The file to store must be readable; {path} is not: {error.strerror}.") from error
    with file:
        yield file


@contextmanager
def fetching(path: Path) -> Iterator[BinaryIO]:
    """Make the file that an object is fetched into; it is gone again when the fetch fails.

    :raises UsageError: when it exists already.
    :raises StoreUnavailable: when the local disk takes no more.
    """
    try:
        file = path.open("xb")
    except FileExistsError as error:
        raise UsageError(f"The file to fetch into must not exist; {path} does. Remove it or name another.") from error
    except OSError as error:
        raise _disk_failed(path, error) from error
    try:
        with file:
            yield file
    except BaseException as error:
        path.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise _disk_failed(path, error) from error
        raise


def same_content(left: BinaryIO, right: BinaryIO) -> bool:
    """Whether two streams give the same bytes from here on.

    :param left: may give fewer bytes than it is asked for, as a network does.
    :param right: must not, unless it ends.
    """
    while piece := left.read(CHUNK):
        if right.read(len(piece)) != piece:
            return False
    return not right.read(1)


def _disk_failed(path: Path, error: OSError) -> StoreUnavailable:
    return StoreUnavailable(
        f"The local disk must take the fetched object; {path} failed: {error.strerror}. Make room and try again."
    )
