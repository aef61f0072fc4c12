"""Documents and files by their content: written once, checked against their digest before a byte of them is used."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from stoker.core import wire
from stoker.core.records import StoredFile
from stoker.errors import CorruptArtifact, UsageError
from stoker.store import layout
from stoker.store.base import ObjectStore


def put_bytes(store: ObjectStore, data: bytes) -> StoredFile:
    """Store bytes under their digest. Storing the same bytes again changes nothing."""
    digest = wire.sha256(data)
    store.create(layout.blob(digest), data)
    return StoredFile(digest, len(data))


def get_bytes(store: ObjectStore, digest: str, what: str = "A stored file") -> bytes:
    """Read bytes by their digest.

    :raises CorruptArtifact: when the stored bytes have another digest.
    :raises NotFound: when there are none.
    """
    data = store.read(layout.blob(digest))
    if wire.sha256(data) != digest:
        raise CorruptArtifact(_corrupt(what, digest, wire.sha256(data)), digest=digest)
    return data


def put_file(store: ObjectStore, path: Path) -> StoredFile:
    """Store a local file under its digest, without holding it in memory."""
    digest = digest_of(path)
    store.create_from_file(layout.blob(digest), path)
    return StoredFile(digest, path.stat().st_size)


def get_file(store: ObjectStore, digest: str, path: Path, what: str = "A stored file") -> None:
    """Fetch a file by its digest into ``path``, which must not exist.

    :raises CorruptArtifact: when the stored bytes have another digest; ``path`` is gone again then.
    """
    store.read_to_file(layout.blob(digest), path)
    found = digest_of(path)
    if found != digest:
        path.unlink()
        raise CorruptArtifact(_corrupt(what, digest, found), digest=digest)


def put_document(store: ObjectStore, document: dict[str, Any]) -> str:
    """Store a JSON document and return its digest.

    :param document: JSON-safe, with a ``kind``. The format number is added here. It must not carry the time of writing, so that a
        repeated step stores nothing new.
    """
    if "kind" not in document:
        raise UsageError("A stored document must carry a 'kind'.")
    return put_bytes(store, wire.canonical({"format": wire.FORMAT, **document})).sha256


def get_document(store: ObjectStore, digest: str, *kinds: str) -> dict[str, Any]:
    """Read a JSON document by its digest.

    :param kinds: the kinds that the caller can use; none means any.
    :raises CorruptArtifact: when its bytes have another digest.
    :raises UsageError: when it is of another kind.
    """
    what = f"The {' or '.join(kinds) or 'stored'} document {digest[:12]}"
    document = wire.parse(get_bytes(store, digest, what), what)
    if kinds and document.get("kind") not in kinds:
        raise UsageError(f"{what} is needed; what lies there is of kind {document.get('kind')!r}.")
    return document


def digest_of(path: Path) -> str:
    """The SHA-256 of a local file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _corrupt(what: str, wanted: str, found: str) -> str:
    return (
        f"{what} must have the digest {wanted}; its bytes have {found}. They were changed or damaged after they were "
        "written. Restore the object from a backup, or block the version that names it."
    )
