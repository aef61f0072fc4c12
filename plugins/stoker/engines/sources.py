"""Where data comes from: local files and S3 objects, by address or glob."""

from __future__ import annotations

import glob
import logging
import re
import shutil
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from stoker.core import memory
from stoker.engines import footprints
from stoker.engines.canonical import canonical, naive_columns
from stoker.engines.file_formats import estimate_file, read_file
from stoker.engines.schemas import unify
from stoker.errors import ConfigurationError, DataError, SourceNotFound, StokerError, StoreUnavailable
from stoker.store.files import scratch
from stoker.store.s3_failures import Kind, diagnose

if TYPE_CHECKING:
    import pyarrow as pa

log = logging.getLogger(__name__)

ClientFactory = Callable[[], Any]
"""Returns a boto3 S3 client."""

_LEAST = 4
"""A data file takes at least a fourth of its size in memory: digits of long fractions are the most that can shrink."""

_GLOB = re.compile(r"[*?\[]")


@dataclass(frozen=True)
class SourceFile:
    """One file as it was when it was found.

    :param uri: ``file://`` or ``s3://``.
    :param size: bytes.
    :param version: changes whenever the file is replaced: the ETag in S3, time and number of the inode on disk.
    """

    uri: str
    size: int
    version: str

    def to_record(self) -> dict[str, Any]:
        """The JSON form."""
        return asdict(self)


def list_sources(source: str | Sequence[str], *, s3_client_factory: ClientFactory | None = None) -> list[SourceFile]:
    """The files that a source means, each once, in the order of their addresses.

    :param source: a path, a ``file:///`` or ``s3://bucket/key`` address, a glob of either, or several of them. ``*`` and
        ``?`` stay within one folder; on local disks ``**`` crosses folders.
    :param s3_client_factory: called when the first S3 address is met; without it boto3 finds credentials as usual.
    :raises SourceNotFound: when any of them means no file.
    :raises ConfigurationError: when an address has another scheme, or credentials do not suffice.
    :raises StoreUnavailable: when S3 gives no usable answer.
    """
    addresses = [source] if isinstance(source, str) else source
    if not isinstance(addresses, Sequence) or not all(isinstance(address, str) for address in addresses):
        raise ConfigurationError(f"A source must be an address or a list of them; got {ascii(source)[:120]}.")
    if not addresses:
        raise SourceNotFound("A source must name at least one file; the list is empty.")
    found = [file for address in addresses for file in _list_address(address, s3_client_factory)]
    return sorted(set(found), key=lambda file: file.uri)


@contextmanager
def fetched(file: SourceFile, *, s3_client_factory: ClientFactory | None = None) -> Iterator[Path]:
    """The file as a local path, for as long as the block runs. A local file is not copied.

    :raises StoreUnavailable: when the file was replaced since it was listed. Whatever went wrong in the block is then the consequence.
    :raises SourceNotFound: when it is gone.
    """
    if file.uri.startswith("s3://"):
        with scratch() as folder:
            path = Path(folder, file.uri.rsplit("/", 1)[-1])
            _download(file, path, s3_client_factory)
            yield path
        return
    path = _local_path(file.uri)
    try:
        yield path
    finally:
        _check_unchanged(file, _describe(path))


def read_sources(
    files: Sequence[SourceFile],
    *,
    text_columns: Collection[str] = (),
    s3_client_factory: ClientFactory | None = None,
) -> tuple[pa.Table, list[str]]:
    """All rows of the files in canonical form.

    :param files: at least one, from :func:`list_sources`.
    :param text_columns: see :func:`~stoker.engines.file_formats.read_file`.
    :returns: the table, and the columns whose times had no zone.
    :raises UnreadableData: when a file is not what its name says.
    :raises SchemaMismatch: when the files differ in their columns.
    :raises DataTooLarge: when this process has no room to make a dataset of them. The file that told is not read then.
    """
    tables: list[tuple[str, pa.Table]] = []
    naive: set[str] = set()
    left = sum(file.size for file in files)
    memory.require(left // _LEAST, f"A table of {len(files)} data files")  # before any is fetched
    for number, file in enumerate(files, start=1):
        with fetched(file, s3_client_factory=s3_client_factory) as path:
            # The other files are taken to be like this one.
            whole = estimate_file(path, file.uri, text_columns) * left / max(file.size, 1)
            memory.require(round(whole * footprints.FREEZING), f"A dataset of {len(files)} files, by {file.uri},")
            table = read_file(path, file.uri, text_columns)
        naive.update(naive_columns(table.schema))
        tables.append((file.uri, _canonical(file, table)))
        left -= file.size
        log.info("Read file %d of %d: %s (%d bytes, %d rows)", number, len(files), file.uri, file.size, table.num_rows)
    return unify(tables), sorted(naive)


def _canonical(file: SourceFile, table: pa.Table) -> pa.Table:
    """The table in canonical form; what is wrong with it is told with the name of its file."""
    try:
        return canonical(table)
    except DataError as error:
        raise type(error)(f"{file.uri}: {error.message}", **error.details) from error


def _list_address(address: str, s3_client_factory: ClientFactory | None) -> list[SourceFile]:
    if address.startswith("s3://"):
        found = _list_s3(address, (s3_client_factory or _default_client)())
    elif "://" in address and not address.startswith("file:///"):
        raise ConfigurationError(
            f"A source must be a local path, a file:/// or an s3:// address; got {ascii(address)[:120]}."
        )
    else:
        found = _list_local(address)
    if not found:
        raise SourceNotFound(
            f"A source must name at least one file; {address!r} names none. Check the path or the glob."
        )
    return found


def _list_local(address: str) -> list[SourceFile]:
    try:
        return [_describe(path) for path in _local_matches(_local_path(address))]
    except OSError as error:  # a name that is too long, a folder that may not be entered
        raise SourceNotFound(
            f"The source {ascii(address)[:120]} must be reachable; {error.strerror}. Check the path and its permissions."
        ) from error


def _local_path(address: str) -> Path:
    return Path(unquote(address.removeprefix("file://")) if address.startswith("file://") else address).absolute()


def _local_matches(path: Path) -> list[Path]:
    if path.is_dir():
        raise SourceNotFound(
            f"A source must name files; {str(path)!r} is a folder. Name its files, e.g. {path}/*.parquet."
        )
    if path.is_file():  # also when its name has the characters of a glob
        return [path]
    # Path.glob would also find hidden files, which is what many writers call a file that is not finished.
    return [match for match in map(Path, glob.glob(str(path), recursive=True)) if match.is_file()]  # noqa: PTH207


def _describe(path: Path) -> SourceFile:
    try:
        status = path.stat()
    except FileNotFoundError as error:
        raise SourceNotFound(f"{str(path)!r} must stay until it is read; it is gone.") from error
    return SourceFile(path.as_uri(), status.st_size, f"{status.st_mtime_ns}-{status.st_ino}")


def _check_unchanged(listed: SourceFile, now: SourceFile) -> None:
    if now != listed:
        raise StoreUnavailable(
            f"{listed.uri} must not change while it is read; it changed from {listed.size} bytes (version {listed.version}) to "
            f"{now.size} bytes (version {now.version}). Try again when its writer has finished."
        )


def _default_client() -> Any:
    return boto3.client("s3")


def _list_s3(address: str, client: Any) -> list[SourceFile]:
    bucket, _, key = address.removeprefix("s3://").partition("/")
    start = _GLOB.split(key)[0]
    with _s3_errors(address):
        pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=start)
        return [
            SourceFile(f"s3://{bucket}/{item['Key']}", item["Size"], item["ETag"].strip('"'))
            for page in pages
            for item in page.get("Contents", ())
            if item["Key"] == key or _matches(item["Key"], key)
        ]


def _matches(key: str, pattern: str) -> bool:
    """As in a shell: no wildcard crosses a slash."""
    parts, patterns = key.split("/"), pattern.split("/")
    return len(parts) == len(patterns) and all(map(fnmatchcase, parts, patterns))


def _download(file: SourceFile, path: Path, s3_client_factory: ClientFactory | None) -> None:
    bucket, _, key = file.uri.removeprefix("s3://").partition("/")
    with _s3_errors(file.uri), path.open("xb") as target:
        answer = (s3_client_factory or _default_client)().get_object(Bucket=bucket, Key=key)
        # One answer is one state of the object, so it is enough to know that it is the state that was listed.
        _check_unchanged(file, SourceFile(file.uri, answer["ContentLength"], answer["ETag"].strip('"')))
        shutil.copyfileobj(answer["Body"], target, 1024 * 1024)


@contextmanager
def _s3_errors(address: str) -> Iterator[None]:
    try:
        yield
    except (ClientError, BotoCoreError) as error:
        raise _translated(error, address) from error


def _translated(error: Exception, address: str) -> StokerError:
    failure = diagnose(error, client_repeats=False)
    if failure.kind is Kind.ABSENT or failure.text.startswith("NoSuchBucket"):
        return SourceNotFound(
            f"The source {address} must exist; S3 answered {failure.text}. Check the bucket and the key."
        )
    message = f"The source {address} must be readable; it gave {failure.text}. {failure.advice}."
    if failure.kind in {Kind.REFUSED, Kind.MISCONFIGURED}:
        return ConfigurationError(message)
    return StoreUnavailable(message)
