"""Figures: what a report shows of a verdict, computed where the rows are, and stored in a document of its own."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from stoker.core import wire
from stoker.engines.metrics import Array
from stoker.store.base import ObjectStore
from stoker.store.documents import put_document

log = logging.getLogger(__name__)

KIND = "figures"

MAX_POINTS = 200
"""Points of a curve: more than a screen can show apart."""

MAX_TEXT = 64
"""Characters of a category or class."""


def store_figures(store: ObjectStore, of: str, draw: Callable[[], dict[str, Any]]) -> str | None:
    """Store what ``draw`` returns as a document of kind ``figures``.

    No verdict hangs on a figure: when it cannot be drawn, that is logged, and there is none.

    :param of: the kind of document that the figures belong to.
    :returns: the digest of the document, or ``None``.
    """
    try:
        content = draw()
        wire.canonical(content)
    except Exception:  # the verdict stands without them, whatever the libraries raise
        log.warning("The figures of the %s could not be drawn; it stands without them.", of, exc_info=True)
        return None
    return put_document(store, {"kind": KIND, "of": of, **content})


def numbers(values: Iterable[float], digits: int = 6) -> list[float | None]:
    """Numbers for JSON.

    :param digits: significant digits that are kept; a screen shows no more.
    """
    return [number(value, digits) for value in values]


def number(value: float, digits: int = 6) -> float | None:
    """A number for JSON; ``None`` for NaN and infinities."""
    return float(f"{value:.{digits}g}") if math.isfinite(value) else None


def text(value: Any) -> str:
    """A value as a label of at most 64 characters."""
    return (f"{value:.6g}" if isinstance(value, float) else str(value))[:MAX_TEXT]


def thinned(x: Array, y: Array) -> Array:
    """Places of at most 200 points of a curve, spread evenly along it, with both of its ends."""
    steps = np.hypot(np.diff(x), np.diff(y))
    way = np.concatenate([[0.0], np.cumsum(steps)])
    places = np.searchsorted(way, np.linspace(0, way[-1], MAX_POINTS - 1))
    kept: Array = np.union1d(places, [0, len(x) - 1])
    return kept
