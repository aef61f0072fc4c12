from __future__ import annotations

import json
from pathlib import Path

import pytest

from stoker.core import wire
from stoker.errors import CorruptArtifact, NotFound, TamperedRecord, UnknownFormat, UsageError
from stoker.store import documents, layout
from stoker.store.memory import MemoryStore


def _plant(store: MemoryStore, digest: str, data: bytes) -> None:
    """Put other bytes under a digest, as a damaged disk would."""
    store.delete_swept(layout.blob(digest))
    store.create(layout.blob(digest), data)


def test_bytes_come_back_by_their_digest() -> None:
    store = MemoryStore()
    stored = documents.put_bytes(store, b"ours")
    assert stored == documents.put_bytes(store, b"ours")
    assert stored.size == 4
    assert documents.get_bytes(store, stored.sha256) == b"ours"


def test_bytes_of_another_digest_are_refused() -> None:
    store = MemoryStore()
    stored = documents.put_bytes(store, b"ours")
    _plant(store, stored.sha256, b"Ours")
    with pytest.raises(CorruptArtifact, match=stored.sha256) as caught:
        documents.get_bytes(store, stored.sha256, "The model file")
    assert str(caught.value).startswith("The model file must have the digest")
    assert caught.value.details == {"digest": stored.sha256}


def test_bytes_that_are_missing_are_not_found() -> None:
    with pytest.raises(NotFound):
        documents.get_bytes(MemoryStore(), "0" * 64)


def test_a_file_comes_back_by_its_digest(tmp_path: Path) -> None:
    store = MemoryStore()
    source = tmp_path / "source"
    source.write_bytes(b"ours" * 100_000)
    stored = documents.put_file(store, source)
    documents.get_file(store, stored.sha256, tmp_path / "fetched")
    assert stored.size == 400_000
    assert documents.digest_of(tmp_path / "fetched") == stored.sha256


def test_a_file_of_another_digest_is_refused_and_removed(tmp_path: Path) -> None:
    store = MemoryStore()
    stored = documents.put_bytes(store, b"ours")
    _plant(store, stored.sha256, b"")
    with pytest.raises(CorruptArtifact):
        documents.get_file(store, stored.sha256, tmp_path / "fetched")
    assert list(tmp_path.iterdir()) == []


def test_a_document_comes_back_with_its_format() -> None:
    store = MemoryStore()
    digest = documents.put_document(store, {"kind": "report", "rows": 3})
    assert documents.get_document(store, digest) == {"format": wire.FORMAT, "kind": "report", "rows": 3}
    assert documents.get_document(store, digest, "other", "report")["rows"] == 3
    assert documents.put_document(store, {"rows": 3, "kind": "report"}) == digest


def test_a_document_without_a_kind_is_refused() -> None:
    with pytest.raises(UsageError, match="'kind'"):
        documents.put_document(MemoryStore(), {"rows": 3})


def test_a_document_of_another_kind_is_refused() -> None:
    store = MemoryStore()
    digest = documents.put_document(store, {"kind": "report"})
    with pytest.raises(UsageError, match=r"dataset or model document .* is of kind 'report'"):
        documents.get_document(store, digest, "dataset", "model")


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"[]", TamperedRecord),
        (b"{", TamperedRecord),
        (b'{"kind":"report"}', TamperedRecord),
        (json.dumps({"kind": "report", "format": wire.FORMAT + 1}).encode(), UnknownFormat),
    ],
)
def test_bytes_that_are_no_document_are_refused(data: bytes, error: type[Exception]) -> None:
    store = MemoryStore()
    digest = documents.put_bytes(store, data).sha256
    with pytest.raises(error):
        documents.get_document(store, digest)
