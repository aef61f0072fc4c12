"""Documents and files by their content: written once, checked against their digest before a byte of them is used."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from stoker.core import memory, wire
from stoker.core.record_shapes import checked_document
from stoker.core.records import StoredFile
from stoker.errors import CorruptArtifact, TamperedRecord, UsageError
from stoker.store import layout, rounds
from stoker.store.base import MAX_READ_BYTES, ObjectStore
from stoker.store.files import scratch


def put_bytes(store: ObjectStore, data: bytes) -> StoredFile:
    """Store bytes under their digest. Storing the same bytes again changes nothing."""
    digest = wire.sha256(data)
    rounds.spare(store, stored=[digest])
    store.create(layout.blob(digest), data)
    return StoredFile(digest, len(data))


def get_bytes(store: ObjectStore, digest: str, what: str = "A stored file", *, limit: int | None = None) -> bytes:
    """Read a file by its digest into memory.

    :param limit: most bytes; without it what this process has room for.
    :raises CorruptArtifact: when the stored bytes have another digest.
    :raises DataTooLarge: when there is no room for them; none is read then.
    :raises TamperedRecord: when there are more than ``limit``; none is read then.
    :raises NotFound: when there are none.
    """
    size = store.stat(layout.blob(digest)).size
    if limit is not None and size > limit:
        raise TamperedRecord(f"{what} must be at most {limit} bytes; it has {size}, and none was read.", digest=digest)
    if size <= MAX_READ_BYTES:
        return _read(store, digest, what)
    memory.require(size, what, "Use a smaller model, or a worker with more memory")
    with scratch() as folder:
        path = folder / "file"
        store.read_to_file(layout.blob(digest), path)
        return _checked(path.read_bytes(), digest, what)


def put_file(store: ObjectStore, path: Path) -> StoredFile:
    """Store a local file under its digest, without holding it in memory."""
    digest = digest_of(path)
    rounds.spare(store, stored=[digest])
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
    :raises UsageError: when it has no kind, or more than 8 MiB, which no reader would take.
    :raises NotFound: when it names something that retention gave up.
    """
    if "kind" not in document:
        raise UsageError("A stored document must carry a 'kind'.")
    data = wire.canonical({"format": wire.FORMAT, **document})
    if len(data) > wire.MAX_RECORD_BYTES:
        raise UsageError(
            f"A document must be at most {wire.MAX_RECORD_BYTES} bytes; this one of kind {document['kind']!r} has {len(data)}. "
            "Give the step fewer columns or checks.",
            size=len(data),
        )
    digest = wire.sha256(data)
    rounds.spare(store, stored=[digest], named=rounds.references(document))
    store.create(layout.blob(digest), data)
    return digest


def get_document(store: ObjectStore, digest: str, *kinds: str) -> dict[str, Any]:
    """Read a JSON document by its digest.

    :param kinds: the kinds that the caller can use; none means any.
    :raises CorruptArtifact: when its bytes have another digest.
    :returns: the document; asking it for a field that it lacks raises :class:`~stoker.core.record_shapes.MissingField`.
    :raises TamperedRecord: when it is no document, or a field that steps rely on is of another form.
    :raises UsageError: when it is of another kind.
    """
    what = f"The {' or '.join(kinds) or 'stored'} document {digest[:12]}"
    document = wire.parse(_read(store, digest, what), what)
    if kinds and document.get("kind") not in kinds:
        raise UsageError(f"{what} is needed; what lies there is of kind {document.get('kind')!r}.")
    return checked_document(document, what)


def digest_of(path: Path) -> str:
    """The SHA-256 of a local file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _read(store: ObjectStore, digest: str, what: str) -> bytes:
    """Bytes that were damaged on their way here are read once more; those that lie there damaged are refused."""
    data = store.read(layout.blob(digest))
    return data if wire.sha256(data) == digest else _checked(store.read(layout.blob(digest)), digest, what)


def _checked(data: bytes, digest: str, what: str) -> bytes:
    found = wire.sha256(data)
    if found != digest:
        raise CorruptArtifact(_corrupt(what, digest, found), digest=digest)
    return data


def _corrupt(what: str, wanted: str, found: str) -> str:
    return (
        f"{what} must have the digest {wanted}; its bytes have {found}. They were changed or damaged after they were "
        "written. Restore the object from a backup, or block the version that names it."
    )
