"""What a report reads besides the document that it is about."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

from stoker.errors import StokerError

log = logging.getLogger(__name__)

Read = Callable[[str], dict[str, Any]]
"""Returns the document with a digest, or raises an error of Stoker's."""


def beside(read: Read, digest: str | None) -> dict[str, Any] | None:
    """A document that a report can do without: ``None`` when there is none, or it cannot be read."""
    if digest is None:
        return None
    try:
        return read(digest)
    except StokerError as error:
        log.warning("The report is made without the document %s: %s", digest[:12], error.message)
        return None


def figures_of(document: Mapping[str, Any], read: Read) -> dict[str, Any] | None:
    """The figures that belong to a document; ``None`` for documents that were written without any."""
    found = beside(read, document.get("figures"))
    return (
        found if found is not None and found.get("kind") == "figures" and found.get("of") == document["kind"] else None
    )
