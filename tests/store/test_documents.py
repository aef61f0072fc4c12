from __future__ import annotations

import json
from pathlib import Path

import pytest

from stoker.core import wire
from stoker.core.memory import limited
from stoker.errors import CorruptArtifact, DataTooLarge, NotFound, TamperedRecord, UnknownFormat, UsageError
from stoker.store import documents, layout
from stoker.store.base import MAX_READ_BYTES
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


class _UnreadStore(MemoryStore):
    """Fails a test that reads what must not be read."""

    def read(self, key: str) -> bytes:
        raise AssertionError(f"{key} was read")

    def read_to_file(self, key: str, path: Path) -> None:
        raise AssertionError(f"{key} was fetched")


def test_a_file_larger_than_a_record_comes_back_too() -> None:
    store = MemoryStore()
    data = b"x" * (MAX_READ_BYTES + 1)
    assert documents.get_bytes(store, documents.put_bytes(store, data).sha256) == data


def test_a_large_file_of_another_digest_is_refused() -> None:
    store = MemoryStore()
    stored = documents.put_bytes(store, b"x" * (MAX_READ_BYTES + 1))
    _plant(store, stored.sha256, b"y" * (MAX_READ_BYTES + 1))
    with pytest.raises(CorruptArtifact):
        documents.get_bytes(store, stored.sha256)


def test_a_file_for_which_there_is_no_room_is_not_fetched() -> None:
    store = _UnreadStore()
    stored = documents.put_bytes(store, b"x" * (MAX_READ_BYTES + 1))
    with limited(1), pytest.raises(DataTooLarge, match=r"The model file needs about 8\.39 MB"):
        documents.get_bytes(store, stored.sha256, "The model file")


class _Damaging(MemoryStore):
    """Its first answer is damaged on the way."""

    damaged = False

    def read(self, key: str) -> bytes:
        data = super().read(key)
        if self.damaged:
            return data
        self.damaged = True
        return bytes([data[0] ^ 1]) + data[1:]


def test_what_was_damaged_on_its_way_is_read_once_more() -> None:
    store = _Damaging()
    digest = documents.put_document(store, {"kind": "note"})
    assert documents.get_document(store, digest)["kind"] == "note"
    store.damaged = False
    assert documents.get_bytes(store, documents.put_bytes(store, b"rows").sha256) == b"rows"
    assert store.damaged


def test_a_file_beyond_the_limit_of_its_reader_is_not_fetched() -> None:
    store = _UnreadStore()
    stored = documents.put_bytes(store, b"12345")
    with pytest.raises(TamperedRecord, match="The report must be at most 4 bytes; it has 5"):
        documents.get_bytes(store, stored.sha256, "The report", limit=4)


def test_a_blob_too_large_for_a_document_is_not_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    store = MemoryStore()
    stored = documents.put_bytes(store, b"{" * (MAX_READ_BYTES + 1))
    monkeypatch.setattr(wire, "sha256", lambda _: pytest.fail("its bytes were looked at"))
    with pytest.raises(TamperedRecord, match="none of it was read"):
        documents.get_document(store, stored.sha256)


def test_a_document_that_no_reader_would_take_is_not_stored() -> None:
    store = MemoryStore()
    with pytest.raises(UsageError, match="A document must be at most 8388608 bytes"):
        documents.put_document(store, {"kind": "note", "text": "x" * MAX_READ_BYTES})
    assert list(store.keys("")) == []
