"""Twelve months of flights land one after another: the first half of ``make demo``.

Each file is put into the folder that ``flights_training`` watches, and nothing else is done: the loop wakes by itself.
The champion that was in office when the file landed is scored on the whole month, beside the model that was champion
at the end of February and was never trained again.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from rich import box
from rich.table import Table

from benchmarks.airflow_stack import AirflowStack
from benchmarks.landing import land
from benchmarks.scoring import auc_on_month
from benchmarks.waiting import Runs, seconds_to_start, until
from stoker import Registry
from stoker.errors import NotFound
from stoker.registry.versions import Version
from stoker.store.base import ObjectStore

DAG, MODEL, DATASET, FROZEN_AFTER = "flights_training", "flights_late", "flights", "2013-02"
RUN_SECONDS = 600


@dataclass
class Month:
    """One row of the table.

    :param start_seconds: from the landing of the file to the start of the run.
    :param seconds: from the landing of the file to the end of the run.
    """

    month: str
    rows_in: int | None = None
    quarantined: int | None = None
    champion_auc: float | None = None
    frozen_auc: float | None = None
    verdict: str = "failed"
    reason: str = ""
    champion_version: int | None = None
    start_seconds: float = 0.0
    seconds: float = 0.0

    @property
    def failed(self) -> bool:
        """Whether the run itself failed; a kept champion is no failure."""
        return self.verdict == "failed"


class Year:
    """The loop over the months.

    :param airflow: a running Airflow.
    :param store: the store that its DAG writes to.
    :param landing: the folder in which files land.
    """

    def __init__(self, airflow: AirflowStack, store: ObjectStore, landing: Path) -> None:
        self._runs = Runs(airflow, DAG)
        self._store = store
        self._registry = Registry(store)
        self._landing = landing
        self._frozen: Version | None = None

    def run_month(self, file: Path) -> Month:
        """Land a file, wait for what the loop makes of it, and measure that."""
        row = Month(file.stem.removeprefix("flights-"))
        in_office = self._champion()
        started = time.monotonic()
        landed = land(file, self._landing)
        run = until(lambda: self._finished(landed, row.month), f"{row.month}: landed", RUN_SECONDS)
        row.seconds = round(time.monotonic() - started, 1)
        row.start_seconds = round(seconds_to_start(run, landed), 1)
        if run["state"] != "success":
            row.reason = f"the run ended as {run['state']}"
            return row
        validated, evaluated = self._runs.returned(run, "validate", 0), self._runs.returned(run, "evaluate")
        row.rows_in = validated["summary"]["rows_in"]
        row.quarantined = validated["summary"]["rows_quarantined"]
        row.verdict, row.reason = evaluated["verdict"], evaluated["summary"]["reasons"][0]
        champion = self._champion()
        row.champion_version = champion.number if champion else None
        row.champion_auc = self._auc(in_office, row.month)
        row.frozen_auc = self._auc(self._frozen, row.month)
        if row.month == FROZEN_AFTER:
            self._frozen = champion
        return row

    def _finished(self, landed: datetime, month: str) -> dict[str, Any] | None:
        """The run that took the month in, once it has ended."""
        for run in self._runs.since(landed):
            if run["state"] in ("success", "failed"):
                claim = self._runs.returned(run, "claim")
                if any(taken["partition"] == month for taken in claim["summary"]["partitions"]):
                    return run
        return None

    def _champion(self) -> Version | None:
        try:
            return self._registry.resolve(MODEL)
        except NotFound:
            return None

    def _auc(self, version: Version | None, month: str) -> float | None:
        return None if version is None else round(auc_on_month(self._store, version, DATASET, month), 4)


def table_of(months: list[Month]) -> Table:
    """The months as a table for the terminal."""
    title = "NYC flights 2013: will it arrive more than 15 minutes late?"
    table = Table("month", title=title, title_justify="left", box=box.SIMPLE, pad_edge=False, collapse_padding=True)
    for heading in ("rows\nin", "quaran-\ntined", "champion\nAUC", "frozen\nAUC"):
        table.add_column(heading, justify="right")
    table.add_column("verdict")
    for heading in ("cham-\npion", "s to\nrun", "s in\nall"):
        table.add_column(heading, justify="right")
    for row in months:
        numbers = [_shown(value) for value in (row.rows_in, row.quarantined, row.champion_auc, row.frozen_auc)]
        version = f"v{row.champion_version}" if row.champion_version else "–"
        table.add_row(row.month, *numbers, row.verdict, version, f"{row.start_seconds:.0f}", f"{row.seconds:.0f}")
    return table


def better_months(months: list[Month]) -> tuple[int, int]:
    """In how many months the retrained champion beats the frozen model, and how many could be compared."""
    compared = [row for row in months if row.champion_auc is not None and row.frozen_auc is not None]
    return sum((row.champion_auc or 0) > (row.frozen_auc or 0) for row in compared), len(compared)


def _shown(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:.4f}" if isinstance(value, float) else f"{value:,}"
