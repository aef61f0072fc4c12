"""Three things go wrong with the model ``flights_loop``, and the loop deals with each: the second half of ``make demo``."""

from __future__ import annotations

import contextlib
import textwrap
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from rich import box
from rich.table import Table

from benchmarks import planted
from benchmarks.landing import land_table
from benchmarks.waiting import Gone, console, until
from stoker import Broker, Registry
from stoker.core.clock import system_clock
from stoker.core.records import Actor
from stoker.core.requests import Request
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
PATIENCE, WINDOW_PATIENCE = 240, 60
_REASON_WIDTH = 140
_ME = Actor("demo", "python")


@dataclass
class Incident:
    """One row of the table.

    :param planted: what was done to the loop.
    :param answer: what the loop did.
    :param reason: why, in its own words.
    :param seconds: from the deed to the answer.
    :param start_seconds: from the alert to the moment at which a run began to train, where one did.
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

    def __init__(self, store: ObjectStore, months: Path, landing: Path) -> None:
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
        request, planted_at = self._alerted("2014-02", "2014-03")
        grant = until(
            lambda: next((w for w in self._news(request.time) if w.condition == "granted"), None),
            "alert: waiting for a training",
            PATIENCE,
        )
        row = self._answered(
            "wind in km/h", lambda wake: wake.result in ("promoted", "kept"), "alert, retrained", planted_at
        )
        row.start_seconds = round((datetime.fromisoformat(grant.time) - request.time).total_seconds(), 1)
        row.answer += f" from {row.start_seconds:.0f} s after it on"
        row.answer += f", v{self._champion()} took over" if self._champion() != before else ", champion kept"
        row.reason = request.reason
        return row

    def _alerted(self, *months: str) -> tuple[Request, datetime]:
        """Land one month after another, with the wind in another unit, until the loop asks for a training."""
        for month in months:
            table = planted.a_year_later(self._file(month.replace("2014", "2013")))
            moment = self._land(month, planted.with_shifted_unit(table))
            with contextlib.suppress(Gone):
                return until(self._asked, f"shifted unit in {month}: waiting for an alert", WINDOW_PATIENCE), moment
        raise Gone("Shifted units must raise an alert; they did not.")

    def _asked(self) -> Request | None:
        return next((one for one in self._broker.requests(every=True) if one.source == "drift"), None)

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
