"""From the address of a store to the store."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from stoker.errors import ConfigurationError
from stoker.store.base import ObjectStore
from stoker.store.local_files import LocalStore
from stoker.store.memory import MemoryStore
from stoker.store.s3_objects import open_s3

_in_memory: dict[str, MemoryStore] = {}


def open_store(
    uri: str, *, s3_client_factory: Callable[[], Any] | None = None, expected_bucket_owner: str | None = None
) -> ObjectStore:
    """Open the store at an address.

    ``file:///var/lib/stoker`` or ``/var/lib/stoker``
        a folder, made when it is missing;
    ``s3://bucket/prefix``
        a bucket, which must exist;
    ``memory://name``
        a store that lives as long as this process; the same one for the same name.

    :param s3_client_factory: gives the boto3 client for ``s3://``, such as an Airflow hook's; without it boto3 looks for credentials by
        its own rules.
    :param expected_bucket_owner: the AWS account that must own the bucket.
    :raises ConfigurationError: when the address is of no such form, or carries credentials, ``?``, ``#`` or ``..``.
    """
    _check(uri)
    scheme, separator, rest = uri.partition("://")
    if not separator and uri.startswith("/"):
        return LocalStore(Path(uri))
    match scheme if separator else "":
        case "file":
            return LocalStore(_path(rest))
        case "s3":
            return open_s3(uri, client_factory=s3_client_factory, expected_bucket_owner=expected_bucket_owner)
        case "memory":
            return _in_memory.setdefault(rest, MemoryStore(rest))
    raise ConfigurationError(
        "The address of a store must be file:///folder, an absolute path, s3://bucket/prefix or memory://name; "
        f"got one that begins with {ascii(uri)[:12]}. Correct it."
    )


def _check(uri: str) -> None:
    """Refuse what would end up in logs or lead elsewhere. The address is not repeated in the message: it may hold a password."""
    plain = unquote(uri)
    if any(sign in plain for sign in "@?#\\") or ".." in plain.split("/") or not plain.isprintable():
        raise ConfigurationError(
            "The address of a store must be plain; it holds credentials ('@'), '?', '#', '\\', '..' or a control character. "
            "Put credentials into the connection, and the rest away."
        )


def _path(rest: str) -> Path:
    path = unquote(rest)
    if not path.startswith("/"):
        raise ConfigurationError(
            "A file address must have three slashes and an absolute path, as in file:///var/lib/stoker; it names a host or a "
            "relative path. Correct it."
        )
    return Path(path)
