"""Files that land in a folder or under an S3 prefix: which are there, which are finished, which are new.

Loads no heavy library, since the triggerer lists files too.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from functools import lru_cache
from operator import attrgetter
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from stoker.core.names import check_partition
from stoker.errors import ConfigurationError, InvalidName, SourceNotFound, StokerError, StoreUnavailable
from stoker.loop.ledger import Ledger
from stoker.store.base import ObjectStore
from stoker.store.s3_failures import Kind, diagnose

log = logging.getLogger(__name__)

ClientFactory = Callable[[], Any]

_UNFINISHED = (".tmp", ".part", ".partial")
_NAMED_AT_MOST = 5


@dataclass(frozen=True)
class LandedFile:
    """One file as it was when it was listed; ``uri``, ``size`` and ``version`` are those of a snapshot's source file.

    :param uri: ``file://`` or ``s3://``.
    :param size: bytes.
    :param version: changes whenever the file is replaced.
    :param modified: when it was last written, in UTC, by the clock of its file system or S3.
    """

    uri: str
    size: int
    version: str
    modified: datetime


@dataclass(frozen=True)
class Landed:
    """A partition that has a file which is new or has changed.

    :param partition: its key; empty for a dataset without partitions.
    :param files: all finished files that the partition has now, in the order of their addresses.
    """

    partition: str
    files: tuple[LandedFile, ...]


class Stability:
    """Tells finished files from those that are still being written, by watching them for a while.

    A file counts once its size and version stayed the same for the window as seen here, or its last write is that long ago.

    :param window_seconds: at least 0; 0 lets every file count at once.
    """

    def __init__(self, window_seconds: float) -> None:
        self._window = timedelta(seconds=window_seconds)
        self._since: dict[LandedFile, datetime] = {}

    def settled(self, files: Iterable[LandedFile], now: datetime) -> list[LandedFile]:
        """The finished ones among all files that are there now."""
        self._since = {file: self._since.get(file, now) for file in files}
        return [file for file, since in self._since.items() if now - min(since, file.modified) >= self._window]


def list_landed(
    source: str,
    pattern: str = "*",
    s3_client_factory: ClientFactory | None = None,
    *,
    success_marker: str | None = None,
) -> list[LandedFile]:
    """The files below a place, in the order of their addresses.

    Names that begin with ``.`` or ``_`` or end with ``.tmp``, ``.part`` or ``.partial``, and whatever lies in a folder of such a name, are
    what writers call unfinished files, and left out. So are names that are no UTF-8, which have no address, and links that lead out of the
    place.

    :param source: a folder as a path or ``file:///`` address, or ``s3://bucket/prefix``.
    :param pattern: a glob relative to the source; no wildcard crosses a slash.
    :param s3_client_factory: gives the boto3 client; without it boto3 finds credentials as usual.
    :param success_marker: such as ``_SUCCESS``: only files count in whose folder a file of this name lies.
    :raises SourceNotFound: when the folder or bucket does not exist.
    :raises ConfigurationError: when the address has another scheme, or credentials do not suffice.
    :raises StoreUnavailable: when the folder or S3 cannot be listed now.
    """
    found = list(_everything(source, _Wanted(pattern, success_marker), s3_client_factory))
    if success_marker is not None:
        complete = {_folder(name) for name, _ in found if _last(name) == success_marker}
        found = [(name, file) for name, file in found if _folder(name) in complete and _last(name) != success_marker]
    return sorted((file for _, file in found), key=attrgetter("uri"))


def partition_of(name: str, regex: str) -> str | None:
    """The partition that a file's name speaks of, or ``None`` when it speaks of none that may be one.

    :param name: relative to the source, such as ``2013/flights-2013-03.parquet``.
    :param regex: searched in the name; its group ``partition``, else its first group, else the whole match is the partition.
    :raises ConfigurationError: when it is no regular expression.
    """
    try:
        found = re.search(regex, name)
    except re.error as error:
        raise ConfigurationError(f"partition must be a regular expression; {regex!r} is none: {error}.") from error
    if found is None:
        return None
    group = "partition" if "partition" in found.re.groupindex else min(1, found.re.groups)
    try:
        return check_partition(found[group])
    except InvalidName:
        return None


def finished(
    source: str,
    pattern: str = "*",
    s3_client_factory: ClientFactory | None = None,
    *,
    now: datetime,
    stable_seconds: float = 0,
    success_marker: str | None = None,
) -> list[LandedFile]:
    """As :func:`list_landed`, without files that were written a moment ago.

    For a look that has no memory; :class:`Stability` is for a watcher.

    :param now: a file that was written less than ``stable_seconds`` before or after this is not finished.
    """
    window = timedelta(seconds=stable_seconds)
    files = list_landed(source, pattern, s3_client_factory, success_marker=success_marker)
    # Also after: the clock that stamps files may be ahead of ours.
    return [file for file in files if abs(now - file.modified) >= window]


def pending(
    store: ObjectStore,
    *,
    source: str,
    pattern: str = "*",
    partition: str | None = None,
    dataset: str,
    s3_client_factory: ClientFactory | None = None,
    now: datetime,
    stable_seconds: float = 0,
    success_marker: str | None = None,
) -> list[Landed]:
    """What has landed and is in no snapshot yet, as whole partitions, the first in text order first.

    :param partition: see :func:`partition_of`; files without a partition are named in the log and left alone. ``None`` for a dataset
        without partitions.
    :param dataset: whose ledger tells what is taken or refused.
    :param now: see :func:`finished`.
    :raises: as :func:`list_landed`.
    """
    files = finished(
        source, pattern, s3_client_factory, now=now, stable_seconds=stable_seconds, success_marker=success_marker
    )
    groups = _grouped(files, source, partition)
    new = set(Ledger(store, dataset).pending(files))
    return [Landed(key, tuple(group)) for key, group in sorted(groups.items()) if new.intersection(group)]


def name_of(file: LandedFile, source: str) -> str:
    """The name of a file of :func:`list_landed` relative to the source."""
    if source.startswith("s3://"):
        return file.uri.removeprefix(f"{source.rstrip('/')}/")
    return unquote(file.uri.removeprefix(f"{_local_folder(source).as_uri()}/"))


def _grouped(files: Iterable[LandedFile], source: str, partition: str | None) -> dict[str, list[LandedFile]]:
    groups: dict[str, list[LandedFile]] = defaultdict(list)
    strays: list[str] = []
    for file in files:
        name = name_of(file, source)
        key = "" if partition is None else partition_of(name, partition)
        if key is None:
            strays.append(name)
        else:
            groups[key].append(file)
    if strays:
        shown = ", ".join(strays[:_NAMED_AT_MOST])
        log.warning("%d files give no partition by %r and are left alone, such as %s", len(strays), partition, shown)
    return groups


@dataclass(frozen=True)
class _Wanted:
    """Which names to look at, relative to the source."""

    pattern: str
    success_marker: str | None

    @property
    def depth(self) -> int:
        """How many folders below the source files lie."""
        return self.pattern.count("/")

    def __call__(self, name: str) -> bool:
        """Whether a name fits the pattern part by part and is that of a finished file, or is the marker."""
        parts, patterns = name.split("/"), self.pattern.split("/")
        *folders, last = parts
        if len(parts) != len(patterns) or any(folder.startswith((".", "_")) for folder in folders):
            return False
        if last == self.success_marker:
            return all(map(fnmatchcase, folders, patterns))
        unfinished = not last or last.startswith((".", "_")) or last.endswith(_UNFINISHED)
        return not unfinished and all(map(fnmatchcase, parts, patterns))


def _everything(
    source: str, wanted: _Wanted, s3_client_factory: ClientFactory | None
) -> Iterator[tuple[str, LandedFile]]:
    """The wanted files, each with its name relative to the source."""
    if source.startswith("s3://"):
        return _in_s3(source.rstrip("/"), wanted, s3_client_factory)
    if "://" in source and not source.startswith("file:///"):
        raise ConfigurationError(f"A source must be a local folder, file:/// or s3://; got {ascii(source)[:120]}.")
    return _in_folder(_local_folder(source), wanted)


def _local_folder(source: str) -> Path:
    return Path(unquote(source.removeprefix("file://")) if source.startswith("file://") else source).absolute()


def _in_folder(folder: Path, wanted: _Wanted) -> Iterator[tuple[str, LandedFile]]:
    if not folder.is_dir():
        raise SourceNotFound(f"The folder in which files land must exist; {str(folder)!r} does not. Create it.")
    base = folder.as_uri()
    try:
        for name, entry in _entries(folder, wanted.depth):
            if _is_text(name) and wanted(name) and entry.is_file():
                with contextlib.suppress(FileNotFoundError):  # moved on since it was listed
                    status = entry.stat()
                    modified = datetime.fromtimestamp(status.st_mtime, UTC)
                    version = f"{status.st_mtime_ns}-{status.st_ino}"
                    yield name, LandedFile(f"{base}/{quote(name)}", status.st_size, version, modified)
    except OSError as error:
        raise StoreUnavailable(
            f"The folder {str(folder)!r} must be readable; {error.strerror}. Check its permissions and its disk."
        ) from error


def _entries(folder: Path, depth: int, above: str = "") -> Iterator[tuple[str, os.DirEntry[str]]]:
    """What lies exactly so many folders deep. Whoever may land a file must not choose what else a worker reads, so no link leads out."""
    with os.scandir(folder / above) as entries:
        for entry in entries:
            if entry.is_symlink() and not _leads_within(entry.path, folder):
                _tell_of_link(entry.path)
            elif depth == 0:
                yield above + entry.name, entry
            elif entry.is_dir():
                yield from _entries(folder, depth - 1, f"{above}{entry.name}/")


def _leads_within(path: str, folder: Path) -> bool:
    try:
        return Path(os.path.realpath(path, strict=True)).is_relative_to(os.path.realpath(folder))
    except OSError:  # it leads nowhere, or round in a circle
        return False


@lru_cache(maxsize=1000)
def _tell_of_link(path: str) -> None:
    """Once a process: a watcher looks every few seconds."""
    log.warning("%s is left alone: it is a link to nothing within the folder in which files land", ascii(path))


def _in_s3(source: str, wanted: _Wanted, s3_client_factory: ClientFactory | None) -> Iterator[tuple[str, LandedFile]]:
    from botocore.exceptions import BotoCoreError, ClientError

    bucket, _, prefix = source.removeprefix("s3://").partition("/")
    prefix = f"{prefix}/" if prefix else ""
    try:
        client = (s3_client_factory or _default_client)()
        for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
            for item in page.get("Contents", ()):
                name = item["Key"].removeprefix(prefix)
                if wanted(name):
                    modified, version = item["LastModified"].astimezone(UTC), item["ETag"].strip('"')
                    yield name, LandedFile(f"s3://{bucket}/{item['Key']}", item["Size"], version, modified)
    except (ClientError, BotoCoreError) as error:
        raise _translated(error, source) from error


def _default_client() -> Any:
    import boto3

    return boto3.client("s3")


def _translated(error: Exception, source: str) -> StokerError:
    failure = diagnose(error, client_repeats=False)
    message = f"Files must be listed in {source}; S3 answered {failure.text}. {failure.advice}."
    if failure.kind is Kind.ABSENT or failure.text.startswith("NoSuchBucket"):
        return SourceNotFound(message)
    return (
        ConfigurationError(message) if failure.kind in {Kind.REFUSED, Kind.MISCONFIGURED} else StoreUnavailable(message)
    )


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _folder(name: str) -> str:
    return name.rpartition("/")[0]


def _last(name: str) -> str:
    return name.rpartition("/")[2]
