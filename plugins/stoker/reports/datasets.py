"""The rows that something rests on."""

from __future__ import annotations

from stoker.reports.reading import Read, beside
from stoker.reports.text import DASH, number, span


def dataset(read: Read, digest: str | None) -> list[tuple[str, str]]:
    """The facts of a dataset document; no more than its digest when it cannot be read."""
    document = beside(read, digest)
    if document is None or document.get("kind") != "dataset":
        return [("Digest", digest or DASH)]
    return [
        ("Dataset", document["dataset"]),
        ("Partition", document["partition"] or "the whole dataset"),
        ("Rows", number(document["rows"])),
        ("Time covered", span(document["time_min"], document["time_max"])),
        ("Digest", digest or DASH),
    ]
