"""Stored documents."""

from __future__ import annotations

import pytest

from stoker.errors import CorruptArtifact, NotFound, TamperedRecord
from stoker.registry.registry import Registry
from stoker.store import layout
from stoker.store.base import ObjectStore
from stoker.store.documents import put_bytes, put_document
from stoker.ui.views import Views
from tests.support.registrations import register
from tests.ui.views.lives import HOSTILE


def test_a_document_is_shown_with_its_verdict(views: Views, registry: Registry) -> None:
    digest = register(registry, reasons=("Judged so.",)).manifest["evaluation"]["digest"]
    shown = views.document(digest)
    assert (shown.kind, shown.verdict, shown.reasons) == ("evaluation", "pass", ["Judged so."])
    assert (shown.has_report, shown.has_evidently) == (True, False)


def test_texts_of_a_document_stay_as_they_are(views: Views, store: ObjectStore) -> None:
    digest = put_document(store, {"kind": HOSTILE, HOSTILE: [HOSTILE], "verdict": None})
    shown = views.document(digest)
    assert (shown.kind, shown.content[HOSTILE], shown.verdict) == (HOSTILE, [HOSTILE], None)
    assert not shown.has_report


def test_only_what_a_document_names_as_its_report_is_given(views: Views, store: ObjectStore) -> None:
    html = put_bytes(store, b"<html>")
    digest = put_document(store, {"kind": "drift", "report": {"sha256": html.sha256, "size": html.size}})
    assert views.document(digest).has_evidently
    assert views.evidently(digest) == b"<html>"
    plain = put_document(store, {"kind": "drift", "report": None})
    with pytest.raises(NotFound):
        views.evidently(plain)
    with pytest.raises(TamperedRecord):
        views.evidently(html.sha256)


@pytest.mark.parametrize("digest", ["0" * 64, "nonsense", "", "../" * 20, "A" * 64])
def test_what_is_no_document_is_not_found(views: Views, digest: str) -> None:
    with pytest.raises(NotFound):
        views.document(digest)


def test_a_changed_document_is_refused(views: Views, store: ObjectStore) -> None:
    digest = put_document(store, {"kind": "drift"})
    store.delete_swept(layout.blob(digest))
    store.create(layout.blob(digest), b'{"kind":"drift"}')
    with pytest.raises(CorruptArtifact):
        views.document(digest)
