"""Three things go wrong with the model ``flights_loop``, and the loop deals with each: the second half of ``make demo``."""

from __future__ import annotations

import textwrap
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from rich import box
from rich.table import Table

from benchmarks import planted
from benchmarks.airflow_stack import AirflowStack
from benchmarks.landing import land_table
from benchmarks.waiting import Runs, console, seconds_to_start, until
from stoker import Broker, Registry
from stoker.core.clock import system_clock
from stoker.core.records import Actor
from stoker.engines.evaluation import evaluate
from stoker.engines.registration import register
from stoker.engines.snapshots import snapshot
from stoker.engines.training import train
from stoker.errors import VersionBlocked
from stoker.loop.policy_file import load_policy
from stoker.loop.wake_ups import WakeUp
from stoker.store.base import ObjectStore

MODEL = "flights_loop"
DAGS = tuple(f"{MODEL}_{step}" for step in ("train", "score", "monitor"))
BEGINNING = ("2013-09", "2013-10", "2013-11", "2013-12")
POLICY = Path(__file__).resolve().parents[1] / "include/policies/flights_loop.yaml"
PATIENCE = 240
_REASON_WIDTH = 140
_ME = Actor("demo", "python")


@dataclass
class Incident:
    """One row of the table.

    :param planted: what was done to the loop.
    :param answer: what the loop did.
    :param reason: why, in its own words.
    :param seconds: from the deed to the answer.
    :param start_seconds: from the alert to the start of the training run, where one was started.
    """

    planted: str
    answer: str
    reason: str
    seconds: float
    start_seconds: float | None = None


class Incidents:
    """The loop of ``dags/flights_loop.py``, and what happens to it.

    :param months: the folder with the months of 2013.
    :param landing: the folder that the loop watches.
    """

    def __init__(self, airflow: AirflowStack, store: ObjectStore, months: Path, landing: Path) -> None:
        self._runs = Runs(airflow, f"{MODEL}_train")
        self._store = store
        self._registry = Registry(store)
        self._broker = Broker(store, MODEL)
        self._months = months
        self._landing = landing
        self.rows: list[Incident] = []

    def run(self) -> list[Incident]:
        """Plant one thing after another, and wait each time for what the loop makes of it."""
        for step in (self._begin, self._null_burst, self._shifted_unit, self._regression, self._stays_rolled_back):
            row = step()
            self.rows.append(row)
            console.print(f"{row.planted}: {row.answer}, {row.seconds:.0f} s", highlight=False)
        return self.rows

    def _begin(self) -> Incident:
        for month in BEGINNING:
            self._land(month, pq.read_table(self._file(month)))
        return self._answered(
            "four months land at once", lambda wake: wake.result == "promoted", "trained, promoted v1"
        )

    def _null_burst(self) -> Incident:
        versions = self._registry.state(MODEL).versions
        self._land("2014-01", planted.with_null_burst(planted.a_year_later(self._file("2013-01"))))
        row = self._answered("null burst", lambda wake: wake.result == "stop", "stopped, not retrained")
        if self._registry.state(MODEL).versions != versions:
            raise AssertionError("The loop must not train on a null burst; it did.")
        return row

    def _shifted_unit(self) -> Incident:
        before = self._champion()
        for month in ("2014-02", "2014-03"):
            planted_at = self._land(
                month, planted.with_shifted_unit(planted.a_year_later(self._file(month.replace("2014", "2013"))))
            )
            if month == "2014-02":
                self._monitored(month)
        request = until(
            lambda: next((one for one in self._broker.requests(every=True) if one.source == "drift"), None),
            "shifted unit: waiting for the alert",
            PATIENCE,
        )
        run = until(lambda: next(iter(self._started_since(request.time)), None), "alert: waiting for the run", PATIENCE)
        row = self._answered(
            "wind in km/h, twice", lambda wake: wake.result in ("promoted", "kept"), "alert, retrained", planted_at
        )
        row.start_seconds = round(seconds_to_start(run, request.time), 1)
        row.answer += f" by a run {row.start_seconds:.0f} s after it"
        row.answer += f", v{self._champion()} took over" if self._champion() != before else ", champion kept"
        row.reason = request.reason
        return row

    def _regression(self) -> Incident:
        good = self._champion()
        bad = self._promote_a_bad_model()
        started = self._land("2014-04", planted.a_year_later(self._file("2013-04")))
        row = self._answered(
            f"v{bad}, of flipped labels, is promoted",
            lambda wake: wake.result == "rollback",
            f"rolled back to v{good}",
            started,
        )
        until(lambda: self._champion() == good or None, "rollback: waiting for the alias", 30)
        return row

    def _stays_rolled_back(self) -> Incident:
        good, bad = self._champion(), max(self._registry.state(MODEL).blocked)
        started = time.monotonic()
        try:
            self._registry.promote(
                MODEL, bad, require_verdict=False, expected_version=good, actor=_ME, reason="again, by hand"
            )
        except VersionBlocked as refused:
            return Incident(
                f"v{bad} is promoted again", f"refused, v{good} stays", refused.message, time.monotonic() - started
            )
        raise AssertionError(f"Version {bad} must stay blocked; it was promoted.")

    def _promote_a_bad_model(self) -> int:
        """Somebody's labels were flipped, in training and in the holdout alike: the gate sees a good model."""
        from flights_estimator import flights_estimator

        path = self._landing.parent / "flipped.parquet"
        pq.write_table(planted.with_flipped_labels(pq.read_table(self._file("2013-12"))), path)
        data = snapshot(self._store, source=str(path), dataset="flights_flipped", time_column="scheduled_departure")
        model = train(self._store, dataset=data, estimator=flights_estimator, target="late", id_columns=["flight_id"])
        judged = evaluate(self._store, model=model, policy=load_policy(POLICY).gate)
        why = "mislabelled"
        version = register(
            self._store, self._registry, name=MODEL, model=model, evaluation=judged, actor=_ME, reason=why
        )
        number = int(version.summary["version"])
        self._registry.promote(MODEL, number, expected_version=self._champion(), actor=_ME, reason=why)
        return number

    def _answered(
        self, what: str, wanted: Callable[[WakeUp], bool], answer: str, since: datetime | None = None
    ) -> Incident:
        moment = since or self._last_landed
        wake = until(lambda: next((w for w in self._news(moment) if wanted(w)), None), f"{what}: waiting", PATIENCE)
        return Incident(what, answer, wake.reason, round((system_clock() - moment).total_seconds(), 1))

    def _news(self, moment: datetime) -> list[WakeUp]:
        return [wake for wake in self._broker.wake_ups(20) if datetime.fromisoformat(wake.time) >= moment]

    def _monitored(self, month: str) -> None:
        from stoker.loop.windows import WindowLog

        champion = self._champion()
        until(lambda: WindowLog(self._store, MODEL, "performance").at(month, champion), f"{month}: waiting", PATIENCE)

    def _started_since(self, moment: datetime) -> list[dict[str, Any]]:
        return [run for run in self._runs.since(moment) if run["start_date"]]

    def _champion(self) -> int:
        return self._registry.resolve(MODEL).number

    def _file(self, month: str) -> Path:
        return self._months / f"flights-{month}.parquet"

    def _land(self, month: str, table: pa.Table) -> datetime:
        self._last_landed = land_table(table, self._landing / f"flights-{month}.parquet")
        return self._last_landed


def table_of(incidents: list[Incident]) -> Table:
    """The incidents as a table for the terminal."""
    title = "What went wrong, and what the loop made of it"
    table = Table("planted", "answer", "because", title=title, title_justify="left", box=box.SIMPLE, pad_edge=False)
    table.add_column("seconds", justify="right")
    for row in incidents:
        reason = textwrap.shorten(row.reason, _REASON_WIDTH, placeholder=" …")
        table.add_row(row.planted, row.answer, reason, f"{row.seconds:.0f}")
    return table
