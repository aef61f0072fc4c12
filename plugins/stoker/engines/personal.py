"""Columns that name or describe a person: their values stay in the rows, and out of verdicts, figures, logs and reports."""

from __future__ import annotations

from collections.abc import Iterable

from stoker.store.base import ObjectStore
from stoker.store.documents import get_document

MASK = "•••"
"""Stands where a personal value would be shown."""


def personal_columns(store: ObjectStore, validations: Iterable[str]) -> list[str]:
    """The columns that validations call personal, sorted; validations of before there were such columns call none.

    :param validations: digests of their documents.
    """
    documents = [get_document(store, digest, "validation") for digest in validations]
    return sorted({name for document in documents for name in document.get("personal_columns", ())})
