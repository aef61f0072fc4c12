"""What is derived from a log to keep reads short: checkpoints, and index objects that find an entry again.

All of it can be lost without loss. Whatever is read from here is proved against the log before it is used.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

from stoker.core import wire
from stoker.errors import AlreadyExists, CorruptArtifact, IntegrityError, NotFound, TamperedRecord
from stoker.registry.changes import Register
from stoker.registry.entries import Entry, read_entry
from stoker.registry.state import ModelState, fields
from stoker.store import documents, layout
from stoker.store.base import ObjectStore

log = logging.getLogger(__name__)

EVERY = 16
"""Entries between two checkpoints: the most that a cold reader has to fold, give or take a lost checkpoint."""

MANIFEST_KIND = "version_manifest"


def save(store: ObjectStore, state: ModelState, entries: tuple[Entry, ...]) -> None:
    """Write the index objects of the entries and then the checkpoint of the state after them.

    The order matters: a reader that finds the checkpoint relies on the index for everything up to it.

    :param state: the state to write down.
    :param entries: all entries after the checkpoint before this one.
    """
    for entry in entries:
        for key, document in index_objects(store, entry):
            try:
                store.create(key, wire.canonical(document))
            except AlreadyExists:
                # A foreign object in this place cannot be replaced. Readers prove what they find, so it does no harm beyond itself.
                log.warning(
                    "%s holds something else than the index of entry %d; audit model %s.", key, entry.seq, state.model
                )
    store.create(layout.checkpoint(state.model, state.seq), wire.canonical(checkpoint(state)))


def checkpoint(state: ModelState) -> dict[str, Any]:
    """The checkpoint document of a state."""
    return {
        "format": wire.FORMAT,
        "kind": "checkpoint",
        "model": state.model,
        "seq": state.seq,
        "entry": state.digest,
        "state": state.to_record(),
    }


def read_checkpoint(store: ObjectStore, model: str, seq: int) -> ModelState:
    """The state after entry ``seq``, from its checkpoint and proved against the entry.

    :raises MissingEntry: when the log lacks the entry.
    :raises TamperedRecord: when checkpoint and entry contradict each other, or the checkpoint is damaged.
    """
    key = layout.checkpoint(model, seq)
    record = fields(
        wire.parse(store.read(key), key), key, format=int, kind=str, model=str, seq=int, entry=str, state=dict
    )
    if (record["kind"], record["model"], record["seq"]) != ("checkpoint", model, seq):
        raise TamperedRecord(
            f"{key} must hold the checkpoint of entry {seq} of model {model!r}; it holds another record.", record=key
        )
    entry = checked_entry(store, model, seq, record["entry"], key)
    if wire.digest(record["state"]) != entry.state:
        raise TamperedRecord(f"{key} must hold the state that entry {seq} led to; it holds another one.", record=key)
    return ModelState.from_record(record["state"], key, model=model, seq=seq, digest=entry.digest, time=entry.time)


def index_objects(store: ObjectStore, entry: Entry) -> Iterator[tuple[str, dict[str, Any]]]:
    """The keys and documents by which the entry is found again."""
    pointer = {"format": wire.FORMAT, "kind": "pointer", "seq": entry.seq, "entry": entry.digest}
    for text in entry.index_texts():
        yield index_key(entry.model, text), pointer
    if isinstance(entry.change, Register):
        try:
            manifest = manifest_of(store, entry.change)
        except IntegrityError as error:
            log.warning("The manifest of version %d of model %s is lost: %s", entry.change.version, entry.model, error)
            return
        yield (
            layout.version_manifest(entry.model, entry.change.version),
            {**pointer, "kind": "version_pointer", "manifest": manifest},
        )


def manifest_of(store: ObjectStore, change: Register) -> dict[str, Any]:
    """The manifest document that a registration names.

    :raises CorruptArtifact: when it is lost or damaged.
    """
    try:
        document = documents.get_document(store, change.manifest)
    except NotFound as error:
        raise CorruptArtifact(
            f"The manifest of version {change.version} must be in the store; it was removed. Restore {layout.blob(change.manifest)} from a "
            "backup.",
            digest=change.manifest,
        ) from error
    if document.get("kind") != MANIFEST_KIND:
        raise CorruptArtifact(
            f"Version {change.version} must name a manifest; it names a document of kind {document.get('kind')!a}.",
            digest=change.manifest,
        )
    return document


def index_key(model: str, text: str) -> str:
    """Where the pointer for an index text lies."""
    return layout.key_index(model, wire.sha256(text.encode()))


def read_pointer(store: ObjectStore, model: str, text: str) -> Entry:
    """The entry that an index text leads to.

    :raises NotFound: when there is none.
    :raises TamperedRecord: when the pointer is damaged or contradicts the log.
    """
    key = index_key(model, text)
    record = fields(wire.parse(store.read(key), key), key, format=int, kind=str, seq=int, entry=str)
    entry = checked_entry(store, model, record["seq"], record["entry"], key)
    if record["kind"] != "pointer" or text not in entry.index_texts():
        raise TamperedRecord(f"{key} leads to entry {entry.seq}, which knows nothing of it. Audit the log.", record=key)
    return entry


def read_version_pointer(store: ObjectStore, model: str, version: int) -> tuple[Entry, dict[str, Any]]:
    """The entry that registered a version, and the copy of its manifest document.

    :raises NotFound: when there is none.
    :raises TamperedRecord: when the pointer is damaged or contradicts the log.
    """
    key = layout.version_manifest(model, version)
    record = fields(wire.parse(store.read(key), key), key, format=int, kind=str, seq=int, entry=str, manifest=dict)
    entry = checked_entry(store, model, record["seq"], record["entry"], key)
    change = entry.change
    if (
        record["kind"] != "version_pointer"
        or not isinstance(change, Register)
        or change.version != version
        or wire.digest(record["manifest"]) != change.manifest
    ):
        raise TamperedRecord(f"{key} must agree with entry {entry.seq}; it does not. Audit the log.", record=key)
    return entry, record["manifest"]


class MissingEntry(TamperedRecord):
    """A derived record knows an entry that the log lacks."""


class ChangedEntry(TamperedRecord):
    """A derived record knows an entry with other bytes than the log has."""


def checked_entry(store: ObjectStore, model: str, seq: int, digest: str, key: str) -> Entry:
    """An entry whose digest a derived record knows.

    :param key: the derived record, for the error message.
    :raises MissingEntry: when the log lacks the entry.
    :raises ChangedEntry: when its bytes are others.
    """
    if not 1 <= seq <= layout.LAST_NUMBER:
        raise TamperedRecord(f"{key} must name an entry from 1 in 'seq'; it names {str(seq)[:80]}.", record=key)
    place = layout.numbered(layout.log(model), seq)
    try:
        data = store.read(place)
    except NotFound as error:
        raise MissingEntry(
            f"{place} must exist, for {key} was derived from it. It was removed: audit the log.", record=place
        ) from error
    if wire.sha256(data) != digest:
        raise ChangedEntry(
            f"{place} must have the digest {digest}, which {key} took down; it has another. Audit the log.",
            record=place,
        )
    return read_entry(data, model, seq)
