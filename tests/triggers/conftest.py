"""Triggers without Airflow's database."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from stoker.core.clock import random_id
from stoker.engines.landing import LandedFile, list_landed
from stoker.loop.ledger import Ledger
from stoker.store.opening import open_store
from stoker.triggers.landing_watch import LandingWatch, Place
from stoker.triggers.new_data import NewDataEventTrigger


@pytest.fixture(autouse=True)
def no_database(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("_AIRFLOW_PROCESS_CONTEXT", "client")


class Landing:
    """A folder, a store and a clock."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.uri = f"memory://{random_id()}"
        self.store = open_store(self.uri)
        self.now = datetime(2013, 6, 1, tzinfo=UTC)

    def land(self, *names: str) -> None:
        for name in names:
            (self.folder / name).write_text(name)

    def files(self) -> dict[str, LandedFile]:
        return {Path(file.uri).name: file for file in list_landed(str(self.folder))}

    def mark(self, mark: str, *names: str) -> None:
        for name in names:
            Ledger(self.store, "d").mark(mark, self.files()[name])

    def marked(self, mark: str) -> int:
        return len(Ledger(self.store, "d").marked(mark))

    def watch(self, **given: Any) -> LandingWatch:
        place = {"pattern": "*", "stable_seconds": 0, "success_marker": None, **given}
        place |= {"source": str(self.folder), "dataset": "d", "stoker_conn_id": "stoker_default", "store": self.uri}
        return LandingWatch(Place(**place), remind_seconds=60, clock=lambda: self.now)

    def trigger(self, **given: Any) -> NewDataEventTrigger:
        quick = {"poll_seconds": 0.005, "stable_seconds": 0, "store": self.uri}
        return NewDataEventTrigger(str(self.folder), "d", **{**quick, **given})


@pytest.fixture
def landing(tmp_path: Path) -> Landing:
    (tmp_path / "landing").mkdir()
    return Landing(tmp_path / "landing")
