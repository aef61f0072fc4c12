"""All models, page by page, and those that need a person."""

from __future__ import annotations

from bisect import bisect_right
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
MOST_NEW = 25
"""Models of which nothing was read yet that one answer about attention reads: some thirty objects each."""
MOST_REFRESHED = 100
"""Models that one answer reads again: a probe for each of their logs. The others are told as they were when they were read last."""

_NAMES_LAST = timedelta(seconds=10)
_STATE_LASTS = timedelta(seconds=30)
_AT_ONCE = 8  # a store may be a slow server, and each model is some ten requests, one after another


class Models:
    """The models of a registry, in the order of their names, which are remembered for some seconds. Threads may share it."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self._lock = Lock()
        self._names: tuple[datetime, list[str]] | None = None
        self._conditions: dict[str, tuple[datetime, Condition | None]] = {}

    def overview(self, *, search: str, state: str | None, after: str, limit: int) -> Overview:
        """A page of models by name.

        :param search: part of the name.
        :param state: only models in this state; looks at :data:`MOST_SCANNED` models at most, so a page may hold fewer than there are.
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
        scanned = 0
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            while scanned < min(len(left), MOST_SCANNED) and len(rows) < limit:
                looked_at = left[scanned : min(scanned + limit - len(rows), MOST_SCANNED)]
                rows += [row for row in pool.map(self._row, looked_at) if row and state in {None, row.state}]
                scanned += len(looked_at)
        return Overview(rows, left[scanned - 1] if 0 < scanned < len(left) else None, scanned, len(names))

    def attention(self, *, limit: int) -> Attention:
        """Models that need a person, the most urgent first.

        A state is read again after half a minute. One answer reads :data:`MOST_NEW` new ones and :data:`MOST_REFRESHED` old ones at most,
        those that were read longest ago first. So among very many models the first answers do not know of all; ``complete`` tells.
        """
        names = self.names()
        self._refresh(names)
        found = {name: self._conditions[name][1] for name in names if name in self._conditions}
        items = [
            AttentionItem(name, one.state, one.reason, one.action, one.version)
            for name, one in found.items()
            if one is not None and one.state in NEEDS_A_PERSON
        ]
        items.sort(key=lambda item: (NEEDS_A_PERSON.index(item.state), item.model))
        return Attention(items[:limit], len(found), complete=len(found) == len(names) and len(items) <= limit)

    def names(self) -> list[str]:
        """The names of all models, in order, as they were some seconds ago. Some may be known to their loops only."""
        with self._lock:
            now = self._reading.now()
            if self._names is None or now >= self._names[0]:
                self._names = (now + _NAMES_LAST, self._reading.registry.names())
            return self._names[1]

    def _refresh(self, names: list[str]) -> None:
        now = self._reading.now()
        new = [name for name in names if name not in self._conditions][:MOST_NEW]
        read = {name: self._conditions[name][0] for name in names if name in self._conditions}
        old = sorted((name for name, when in read.items() if now >= when + _STATE_LASTS), key=read.__getitem__)
        wanted = [*new, *old[:MOST_REFRESHED]]
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            for name, found in zip(wanted, pool.map(self._condition, wanted), strict=True):
                self._conditions[name] = (now, found)

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
