"""Candidates in the store: found again by the fingerprint of what they were made of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stoker.core import wire
from stoker.core.record_shapes import parse_pointer
from stoker.core.records import Reference
from stoker.errors import AlreadyExists, StoreUnavailable
from stoker.store import layout
from stoker.store.base import ObjectStore
from stoker.store.documents import get_document, get_file
from stoker.store.files import scratch

_MAX_TRIES = 20


def newest(store: ObjectStore, fingerprint: str) -> tuple[str, dict[str, Any]] | None:
    """Digest and document of the newest candidate of a fingerprint, if everything that it names is still there."""
    keys = list(store.keys(layout.training(fingerprint)))
    if not keys:
        return None
    digest = _pointer(store, keys[-1])["candidate"]
    if not store.exists(layout.blob(digest)):
        return None
    document = get_document(store, digest, "candidate")
    described = {name: document.get(name) for name in ("holdout", "profile")}  # the first candidates had no profile
    if any(one is None or not store.exists(layout.blob(one)) for one in described.values()):
        return None
    tables = [get_document(store, document[kind])["file"] for kind in described]
    files = [file["sha256"] for file in (*document["files"].values(), *tables)]
    return (digest, document) if all(store.exists(layout.blob(file)) for file in files) else None


def remember(
    store: ObjectStore, digest: str, document: dict[str, Any], *, keep_first: bool, origin: str | None = None
) -> tuple[str, dict[str, Any]]:
    """Let the fingerprint of a candidate mean this candidate, under the next number.

    :param keep_first: take the candidate of somebody who was faster instead, so that all who train the same at the same time
        go on with one.
    :param origin: the task that trained it, as :attr:`~stoker.core.records.Actor.origin`; no reader depends on it.
    :returns: digest and document of the candidate that counts.
    :raises StoreUnavailable: when others were faster many times in a row; the same call may succeed later.
    """
    fingerprint = document["fingerprint"]
    prefix = layout.training(fingerprint)
    record = {"format": wire.FORMAT, "kind": "training", "fingerprint": fingerprint, "candidate": digest}
    if origin:
        record["origin"] = origin
    for _ in range(_MAX_TRIES):
        number = max((layout.number_of(key) for key in store.keys(prefix)), default=0) + 1
        if keep_first and (known := newest(store, fingerprint)) is not None:
            return known
        try:
            store.create(layout.numbered(prefix, number), wire.canonical(record))
        except AlreadyExists:
            continue
        return digest, document
    raise StoreUnavailable(
        f"The training {fingerprint[:12]} must hold still for one write; others wrote {_MAX_TRIES} times meanwhile. "
        "Try again later."
    )


def origin_of(store: ObjectStore, fingerprint: str, digest: str, *, tries: int = 5) -> str | None:
    """The task that trained a candidate, if that was noted.

    :param tries: how many of the newest pointers of the fingerprint are read at most.
    """
    keys = list(store.keys(layout.training(fingerprint)))
    for key in reversed(keys[-tries:]):
        pointer = _pointer(store, key)
        if pointer["candidate"] == digest:
            origin: str | None = pointer.get("origin")
            return origin
    return None


def verify_files(store: ObjectStore, document: Mapping[str, Any]) -> None:
    """Compare every file of a candidate with its digest.

    :param document: the content of a candidate document, or a manifest: anything with ``files``.
    :raises CorruptArtifact: when a file has other bytes than it was written with.
    :raises NotFound: when it is gone.
    """
    for name, file in document["files"].items():
        with scratch() as folder:
            get_file(store, file["sha256"], folder / "file", f"The model file {name}")


def refer(store: ObjectStore, digest: str, document: Mapping[str, Any], *, cached: bool) -> Reference:
    """The reference that the training step returns.

    :param cached: whether the candidate was there already.
    """
    return Reference(
        kind="candidate",
        uri=f"{store.uri}/{layout.blob(digest)}",
        digest=digest,
        verdict="pass",
        summary={
            "cached": cached,
            "class": document["estimator"]["class"],
            "dataset": document["dataset_name"],
            "partition": document["partition"],
            "task": document["task"],
            "rows_train": document["rows"]["train"],
            "rows_holdout": document["rows"]["holdout"],
            "features": len(document["features"]),
            "fingerprint": document["fingerprint"],
            "seconds": 0.0 if cached else document["training"]["seconds"],
        },
    )


def _pointer(store: ObjectStore, key: str) -> dict[str, Any]:
    return parse_pointer(store.read(key), f"The training pointer {key}", "training")
