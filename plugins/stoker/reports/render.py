"""Reports: one self-contained HTML file out of a stored document."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from stoker.errors import NotFound
from stoker.reports import drift, evaluation, performance, shell, training, validation
from stoker.reports.reading import Read

_CONTENTS: dict[str, tuple[str, Callable[[Mapping[str, Any], Read], dict[str, Any]]]] = {
    "evaluation": ("evaluation.html", evaluation.content),
    "validation": ("validation.html", validation.content),
    "candidate": ("training.html", training.content),
    "drift": ("drift.html", drift.content),
    "performance": ("performance.html", performance.content),
}

REPORTED = frozenset(_CONTENTS)
"""The kinds of documents that have a report."""


def report(document: Mapping[str, Any], *, digest: str, read: Read, theme: str | None = None, nonce: str = "") -> str:
    """The report of a document as an HTML file, which opens from a disk, without a network, on paper, and without JavaScript.

    :param document: of a kind in :data:`REPORTED`.
    :param digest: its digest.
    :param read: returns the document with a digest. What cannot be read is left out of the report.
    :param theme: ``light`` or ``dark``; ``None`` for the reader's own setting.
    :param nonce: what the scripts carry where the server's policy asks for it.
    :raises NotFound: when documents of this kind have no report.
    :raises UnreadableData: when the document is not as Stoker writes it.
    """
    kind = document.get("kind")
    if kind not in _CONTENTS:
        raise NotFound(
            f"A report needs a document of kind {', '.join(sorted(REPORTED))}; this one is of kind {ascii(kind)[:80]}. "
            "Look at the document itself."
        )
    template, content = _CONTENTS[kind]
    with shell.readable(f"The {kind} document {digest[:12]}"):
        return shell.render(template, theme=theme, nonce=nonce, digest=digest, **content(document, read))
