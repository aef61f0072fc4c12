"""What a watcher of a landing place knows: which files are finished, which Airflow was told of, and when."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Lock
from typing import Any

from stoker.core import clock as time
from stoker.engines.landing import LandedFile, Stability, list_landed, name_of
from stoker.errors import StokerError
from stoker.hooks.registry import StokerHook
from stoker.loop.ledger import ANNOUNCED, Ledger, identity

log = logging.getLogger(__name__)

NAMES_AT_MOST, NAME_LENGTH = 100, 200  # in an event, which is a row of Airflow's database


@dataclass(frozen=True)
class Place:
    """Where files land, and where it is recorded what became of them; see
    :class:`~stoker.triggers.new_data.NewDataEventTrigger`.
    """

    source: str
    dataset: str
    pattern: str
    stoker_conn_id: str
    store: str | None
    stable_seconds: float
    success_marker: str | None


class LandingWatch:
    """One watcher's memory. Its methods block; threads may share it.

    :param place: what is watched.
    :param remind_seconds: after which files that are still pending are due again.
    """

    def __init__(self, place: Place, *, remind_seconds: float, clock: time.Clock = time.system_clock) -> None:
        self.place = place
        self._patience = timedelta(seconds=remind_seconds)
        self._clock = clock
        self._started = clock()
        self._stability = Stability(0 if place.success_marker else place.stable_seconds)
        self._told: dict[str, datetime] = {}
        self._lock = Lock()
        self._hook = StokerHook(place.stoker_conn_id, store=place.store)
        self._ledger: Ledger | None = None
        self._s3: Any = None

    def due(self) -> list[LandedFile]:
        """The finished files to announce now: new ones, and those that were announced long ago and are still pending."""
        with self._lock:
            now = self._clock()
            finished = {identity(file): file for file in self._stability.settled(self._listed(), now)}
            self._told = {known: moment for known, moment in self._told.items() if known in finished}
            pending = self._opened().pending(file for known, file in finished.items() if self._is_due(known, now))
            for known in self._opened().marked(ANNOUNCED, [identity(file) for file in pending]):
                # By a watcher before this one: its event may still be on its way to a run.
                self._told.setdefault(known, self._started)
            due = [file for file in pending if self._is_due(identity(file), now)]
            self._told.update({identity(file): now for file in due})
            return due

    def announcement(self, files: Sequence[LandedFile]) -> dict[str, Any]:
        """The payload of an event: a wake-up, bounded in size."""
        return {
            "dataset": self.place.dataset,
            "source": self.place.source,
            "count": len(files),
            "files": [name_of(file, self.place.source)[:NAME_LENGTH] for file in files[:NAMES_AT_MOST]],
        }

    def stored(self, files: Sequence[LandedFile]) -> None:
        """Airflow has stored the event: later watchers need not repeat it."""
        for file in files:
            self._opened().mark(ANNOUNCED, file)
        log.info("Announced %d files of %s in %s", len(files), self.place.dataset, self.place.source)

    def lost(self, files: Sequence[LandedFile]) -> None:
        """Airflow has not stored the event for everybody: the files are due at once."""
        with self._lock:
            for file in files:
                self._told.pop(identity(file), None)

    def _listed(self) -> list[LandedFile]:
        place = self.place
        try:
            return list_landed(place.source, place.pattern, self._client, success_marker=place.success_marker)
        except StokerError:
            self._s3 = None  # its credentials may be what failed, and the connection may hold new ones by now
            raise

    def _client(self) -> Any:
        if self._s3 is None:
            self._s3 = self._hook.s3_client()
        return self._s3

    def _is_due(self, known: str, now: datetime) -> bool:
        return known not in self._told or now - self._told[known] >= self._patience

    def _opened(self) -> Ledger:
        if self._ledger is None:
            self._ledger = Ledger(self._hook.get_conn(), self.place.dataset, self._clock)
        return self._ledger
