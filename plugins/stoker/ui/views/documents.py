"""Stored documents: what each step found, and on what it rests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stoker.core.shapes import DIGEST
from stoker.errors import NotFound
from stoker.reports.render import REPORTED
from stoker.store.documents import get_bytes
from stoker.ui.views.reading import Reading, mapping, text
from stoker.ui.views.records import DocumentView

MAX_PAGE_BYTES = 64 * 1024 * 1024
"""A page of Evidently is 4 MB, and grows with its columns. The server holds it in memory for each reader."""


def document_view(reading: Reading, digest: str) -> DocumentView:
    """A document of any kind.

    :raises NotFound: when there is none with this digest, or it is no digest: it comes from an address that anybody may type.
    """
    content = read_document(reading, digest)
    verdict, kind = mapping(content.get("verdict")), content["kind"]
    reasons = verdict.get("reasons")
    return DocumentView(
        digest=digest,
        kind=kind,
        verdict=text(verdict.get("outcome")),
        reasons=[reason for reason in reasons if isinstance(reason, str)] if isinstance(reasons, list) else [],
        content=content,
        has_report=kind in REPORTED,
        has_evidently=_evidently(content) is not None,
    )


def read_document(reading: Reading, digest: str) -> dict[str, Any]:
    """As :func:`document_view`, the content alone."""
    if not DIGEST.holds(digest):
        raise NotFound(f"A document is named by 64 hexadecimal digits; got {ascii(digest)[:80]}. Follow a link to it.")
    content = reading.document(digest)
    if not text(content.get("kind")):  # a file of somebody's that happens to be JSON
        raise NotFound(
            f"The document {digest[:12]} must be of some kind; what lies there is of none. Follow a link to it."
        )
    return content


def read_evidently(reading: Reading, digest: str) -> bytes:
    """The HTML that Evidently wrote about a document.

    :param digest: of the document, not of the HTML: only what a step stored as a report is ever served as a page.
    :raises NotFound: when there is no such document, or it has no such report.
    """
    report = _evidently(read_document(reading, digest))
    if report is None:
        raise NotFound(
            "A document with a report of Evidently is needed here; this one has none. Ask for it with report='always'."
        )
    return get_bytes(reading.store, report, "The report", limit=MAX_PAGE_BYTES)


def _evidently(content: Mapping[str, Any]) -> str | None:
    """The digest of the HTML, which drift checks alone have."""
    digest = text(mapping(content.get("report")).get("sha256")) if content.get("kind") == "drift" else None
    return digest if digest and DIGEST.holds(digest) else None
