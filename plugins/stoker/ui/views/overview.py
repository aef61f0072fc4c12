"""All models, page by page, and those that need a person."""

from __future__ import annotations

import time
from bisect import bisect_right
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from threading import Lock

from stoker.errors import NotFound, UsageError
from stoker.ui.views import states
from stoker.ui.views.models import damage, known, model_row
from stoker.ui.views.reading import DAMAGE, Reading
from stoker.ui.views.records import Attention, AttentionItem, ModelRow, Overview
from stoker.ui.views.states import NEEDS_A_PERSON, STATES, Condition

MOST_SCANNED = 500
MOST_ROWS = 100
PATIENCE = 0.1
"""Seconds in which one answer reads more about who needs attention. The next answer goes on where it stopped."""
SEARCH = 2.0
"""Seconds after which a page of one state is not searched any further."""

_NAMES_LAST = timedelta(seconds=10)
_STATE_LASTS = timedelta(seconds=30)
_AT_ONCE = 8  # a store may be a slow server, and each model is some ten requests, one after another


class Models:
    """The models of a registry, in the order of their names, which are remembered for some seconds. Threads may share it.

    :param timer: seconds that pass evenly, from any beginning.
    """

    def __init__(self, reading: Reading, *, timer: Callable[[], float] = time.monotonic) -> None:
        self._reading = reading
        self._timer = timer
        self._lock = Lock()
        self._refreshing = Lock()
        self._names: tuple[datetime, list[str]] | None = None
        self._conditions: dict[str, tuple[datetime, Condition | None]] = {}

    def overview(self, *, search: str, state: str | None, after: str, limit: int) -> Overview:
        """A page of models by name.

        :param search: part of the name.
        :param state: only models in this state; looks at :data:`MOST_SCANNED` models at most and for :data:`SEARCH` seconds, so a page may
            hold fewer than there are.
        :param after: begin behind this name.
        :param limit: how many, at most :data:`MOST_ROWS`.
        :raises UsageError: when there is no such state.
        """
        if state is not None and state not in STATES:
            raise UsageError(f"A state must be one of {', '.join(STATES)}; got {ascii(state)[:80]}.")
        wanted = search.strip().lower()
        names = [name for name in self.names() if wanted in name]
        left, limit = names[bisect_right(names, after) :], max(1, min(limit, MOST_ROWS))
        rows: list[ModelRow] = []
        scanned, ends = 0, self._timer() + SEARCH
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            while scanned < min(len(left), MOST_SCANNED) and len(rows) < limit:
                looked_at = left[scanned : min(scanned + limit - len(rows), MOST_SCANNED)]
                rows += [row for row in pool.map(self._row, looked_at) if row and state in {None, row.state}]
                scanned += len(looked_at)
                if self._timer() >= ends:
                    break
        return Overview(rows, left[scanned - 1] if 0 < scanned < len(left) else None, scanned, len(names))

    def attention(self, *, limit: int) -> Attention:
        """Models that need a person, the most urgent first.

        A state is read again after half a minute; those of which nothing is known come first, then those that were read longest ago. One
        answer reads for :data:`PATIENCE`, so that among very many models the first answers do not know of all.
        """
        names = self.names()
        self._refresh(names)
        found = {name: condition for name, (_, condition) in self._known(names).items()}
        items = [
            AttentionItem(name, one.state, one.reason, one.action, one.version)
            for name, one in found.items()
            if one is not None and one.state in NEEDS_A_PERSON
        ]
        items.sort(key=lambda item: (NEEDS_A_PERSON.index(item.state), item.model))
        return Attention(items[:limit], needing=len(items), scanned=len(found), total=len(names))

    def names(self) -> list[str]:
        """The names of all models, in order, as they were some seconds ago. Some may be known to their loops only."""
        with self._lock:
            now = self._reading.now()
            if self._names is None or now >= self._names[0]:
                self._names = (now + _NAMES_LAST, self._reading.registry.names())
            return self._names[1]

    def _refresh(self, names: list[str]) -> None:
        """Read what fits into :data:`PATIENCE`. Whoever asks meanwhile waits as long at most, and is told what is known by then."""
        if not self._refreshing.acquire(timeout=PATIENCE):
            return
        try:
            ends, now, known = self._timer() + PATIENCE, self._reading.now(), self._known(names)
            old = [name for name, (read, _) in known.items() if now >= read + _STATE_LASTS]
            wanted = [name for name in names if name not in known] + sorted(old, key=lambda name: known[name][0])
            with ThreadPoolExecutor(_AT_ONCE) as pool:
                while wanted:
                    batch, wanted = wanted[:_AT_ONCE], wanted[_AT_ONCE:]
                    for name, found in zip(batch, pool.map(self._condition, batch), strict=True):
                        self._conditions[name] = (now, found)
                    if self._timer() >= ends:
                        break
        finally:
            self._refreshing.release()

    def _known(self, names: list[str]) -> dict[str, tuple[datetime, Condition | None]]:
        return {name: self._conditions[name] for name in names if name in self._conditions}

    def _condition(self, name: str) -> Condition | None:
        try:
            return known(self._reading, name).condition
        except NotFound:
            return None
        except DAMAGE as error:
            return states.damaged(name, damage(name, error))

    def _row(self, name: str) -> ModelRow | None:
        """``None`` for a model that only its loop knows of: somebody asked for it, and nobody registered it."""
        try:
            return model_row(self._reading, name)
        except NotFound:
            return None
