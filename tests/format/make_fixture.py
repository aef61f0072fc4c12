"""Makes the frozen store of format 1: ``python -m tests.format.make_fixture FOLDER`` writes the zip and its facts there.

It was run once, by the Stoker that first had this format, and is kept to show what the store went through. Do not run it for format 1
again: a store that today's code wrote proves nothing about the stores that exist. When ``FORMAT`` is raised, run it for the new one.
"""

from __future__ import annotations

import itertools
import json
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from unittest import mock

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from stoker.core import wire
from stoker.core.cadence import CadencePolicy
from stoker.core.drift import DriftPolicy
from stoker.core.performance import PerformancePolicy
from stoker.core.policies import Bounds, GatePolicy
from stoker.core.records import Actor, Reference
from stoker.core.retention import RetentionPolicy
from stoker.engines.drift import monitor_drift
from stoker.engines.drift_report import ReportPolicy
from stoker.engines.drift_windows import Current, office_of, profile_windows
from stoker.engines.evaluation import evaluate
from stoker.engines.landing import list_landed
from stoker.engines.performance import monitor_performance
from stoker.engines.registration import register
from stoker.engines.scoring import score
from stoker.engines.snapshots import snapshot
from stoker.engines.training import train
from stoker.engines.validation import validate
from stoker.errors import DataError
from stoker.loop import replays
from stoker.loop.broker import Broker
from stoker.loop.ledger import ANNOUNCED, Ledger
from stoker.loop.pins import pinned, pinned_plan
from stoker.registry.registry import Registry
from stoker.registry.retention import sweep
from stoker.store import partitions, rounds
from stoker.store.base import ObjectStore
from stoker.store.documents import put_bytes
from stoker.store.memory import MemoryStore
from tests.format.facts import facts
from tests.support.models import boosting, boosting_regressor, flights

AIRFLOW = Actor("airflow", "flights_train/scheduled/promote")
ADA, BOB = Actor("ada", "ui"), Actor("bob", "cli")
IDS = ["id", "grade"]
ROWS = 300
EXPECTATIONS = [
    {"type": "expect_column_values_to_be_between", "kwargs": {"column": "seats", "min_value": 0, "max_value": 400}},
    {"type": "expect_column_values_to_not_be_null", "kwargs": {"column": "late"}},
]
YEAR = timedelta(days=365)
KEPT = RetentionPolicy(
    newest_versions=2, former_champions=0, version_age=timedelta(0), candidate_age=timedelta(days=130), pin_age=YEAR
)


class StoryClock:
    """Goes on by a second at every look, and by days when the story says so."""

    def __init__(self) -> None:
        self.now = datetime(2025, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        self.now += timedelta(seconds=1)
        return self.now

    def wait(self, **given: float) -> None:
        self.now += timedelta(**given)


class Story:
    """What happened in the store.

    :param landing: a folder for the files that land.
    """

    def __init__(self, landing: Path) -> None:
        self.landing = landing
        self.clock = StoryClock()
        self.store: ObjectStore = MemoryStore(clock=self.clock)
        numbers = itertools.count(1)
        self.new_id = lambda: f"{next(numbers):032x}"
        self.registry = Registry(self.store, clock=self.clock, new_id=self.new_id)

    def tell(self) -> None:
        """Everything, in its order."""
        months = [self.land(number) for number in range(1, 7)]
        self.refuse()
        self.binary(months)
        self.regression(months)
        self.monitor(months)
        self.ask_for_trainings()
        self.pin()
        self.give_up()

    def land(self, number: int) -> Reference:
        """A month of flights lands, is frozen and checked. One row of each is broken, and from May on the wind is another."""
        month = f"2025-{number:02d}"
        table = flights(ROWS, month=month, seed=number)
        broken = pa.array([-1, *table["seats"].to_pylist()[1:]], pa.int64())
        table = table.set_column(table.schema.get_field_index("seats"), "seats", broken)
        if number >= 5:
            table = table.set_column(table.schema.get_field_index("wind"), "wind", pc.add(table["wind"], 3.0))
        path = self.landing / f"flights-{month}.parquet"
        pq.write_table(table, path)
        landed = [file for file in list_landed(str(self.landing)) if month in file.uri]
        Ledger(self.store, "flights", self.clock).mark(ANNOUNCED, landed[0])
        frozen = snapshot(
            self.store,
            source=str(path),
            dataset="flights",
            partition=month,
            time_column="departure",
            landed=[{"uri": file.uri, "size": file.size, "version": file.version} for file in landed],
            origin="flights_train/scheduled/snapshot",
            clock=self.clock,
        )
        labels = table.select(["id", "late"])
        snapshot(self.store, source="outcomes", table=labels, dataset="outcomes", partition=month, clock=self.clock)
        self.clock.wait(days=28)
        return validate(
            self.store,
            frozen,
            expectations=EXPECTATIONS,
            on_failure="quarantine",
            personal_columns=["carrier"],
            origin="flights_train/scheduled/validate",
            clock=self.clock,
        )

    def refuse(self) -> None:
        """A file that is none lands."""
        path = self.landing / "flights-2025-09.parquet"
        path.write_bytes(b"no parquet")
        landed = [file for file in list_landed(str(self.landing)) if "2025-09" in file.uri]
        marks = [{"uri": file.uri, "size": file.size, "version": file.version} for file in landed]
        try:
            snapshot(
                self.store, source=str(path), dataset="flights", partition="2025-09", landed=marks, clock=self.clock
            )
        except DataError:
            return
        raise SystemExit("The broken file must be refused; it was not.")

    def train(self, name: str, rows: Reference, seed: int = 0, aliases: tuple[str, ...] = ()) -> int:
        """Train, judge and register a version, and return its number."""
        target, estimator = ("late", boosting) if name == "late" else ("delay", boosting_regressor)
        left_out = [*IDS, "delay" if target == "late" else "late"]
        candidate = train(
            self.store,
            dataset=rows,
            estimator=estimator,
            target=target,
            id_columns=left_out,
            random_state=seed,
            origin="flights_train/scheduled/train",
            max_threads=1,
        )
        bounds = {"roc_auc": Bounds(min=0.5)} if name == "late" else {"r2": Bounds(min=-1.0)}
        judged = evaluate(
            self.store, model=candidate, policy=GatePolicy(thresholds=bounds, min_rows=20, n_boot=100), slices=[]
        )
        made = register(
            self.store,
            self.registry,
            name=name,
            model=candidate,
            evaluation=judged,
            actor=AIRFLOW,
            reason="Trained on a month of flights.",
            aliases=aliases,
            idempotency_key=f"flights_train/{name}/{rows.digest}/{seed}",
        )
        number: int = made.summary["version"]
        return number

    def binary(self, months: list[Reference]) -> None:
        """Five versions: promoted, approved, rolled back and blocked, rejected, waiting; and later the first is archived."""
        registry = self.registry
        registry.promote("late", self.train("late", months[0]), actor=AIRFLOW, reason="The first.")
        self.clock.wait(days=60)
        second = self.train("late", months[1])
        self.ask(second)
        registry.approve("late", second, evidence=self.digest(second), actor=BOB, reason="Looks good.")
        registry.promote("late", second, expected_version=1, actor=BOB, reason="Approved.", require_approval=True)
        third = self.train("late", months[2], aliases=("challenger",))
        registry.promote("late", third, actor=ADA, reason="By hand.", idempotency_key="ui/1")
        registry.rollback("late", actor=BOB, reason="Worse in the evening.", idempotency_key="cli/1")
        fourth = self.train("late", months[2], seed=4)
        self.ask(fourth)
        registry.reject("late", fourth, evidence=self.digest(fourth), actor=BOB, reason="No gain.")
        fifth = self.train("late", months[2], seed=5)
        registry.block("late", fifth, actor=BOB, reason="Not this one.")
        registry.unblock("late", fifth, actor=ADA, reason="It is harmless.")
        self.ask(fifth)
        registry.promote("late", fifth, alias="shadow", actor=ADA, reason="Watch it.", require_verdict=False)

    def ask(self, version: int) -> None:
        self.registry.ask_approval(
            "late", version, until=self.clock() + timedelta(days=900), four_eyes=True, actor=ADA, reason="Please look."
        )

    def digest(self, version: int) -> str:
        return self.registry.version("late", version).digest

    def regression(self, months: list[Reference]) -> None:
        """Two versions, one after the other in office."""
        for number in (0, 1):
            version = self.train("delay", months[number])
            self.registry.promote("delay", version, actor=AIRFLOW, reason="Better.", require_verdict=False)

    def monitor(self, months: list[Reference]) -> None:
        """April is scored and judged, and so is May, when the wind is another; and labels have come."""
        for name in ("late", "delay"):
            office = office_of(self.registry, name, "champion")
            assert office is not None
            for month in months[3:5]:
                self.score(name, month)
            windows = [
                Current(month, (self.rows(month),), partitions.newest(self.store, name, "predictions", month))
                for month in ("2025-04", "2025-05")
            ]
            profile_windows(self.store, office, windows)
            for window in windows:
                monitor_drift(
                    self.store,
                    model=name,
                    office=office,
                    current=window,
                    policy=DriftPolicy(min_rows=50, windows=1, min_violations=1),
                    report=ReportPolicy("never"),
                    run="flights_monitor/scheduled",
                    clock=self.clock,
                )
        for month in ("2025-04", "2025-05"):
            monitor_performance(
                self.store,
                model="late",
                version_number=2,
                manifest=self.registry.version("late", 2).manifest,
                labels="outcomes",
                id_columns=["id"],
                as_of=self.clock(),
                policy=PerformancePolicy(min_rows=50, n_boot=100, max_drop=0.1),
                window=month,
                max_threads=1,
                clock=self.clock,
            )

    def rows(self, month: str) -> str:
        found = partitions.newest(self.store, "flights", "ok", month)
        assert found is not None
        return found

    def score(self, name: str, month: Reference) -> None:
        """Score with the pinned champion; ``late`` with its shadow beside."""
        number = pinned(self.store, name, f"flights_predict/{month.digest}", lambda: self.registry.resolve(name).number)
        shadow = (self.registry.resolve(name, "shadow").manifest, 5) if name == "late" else None
        score(
            self.store,
            model_name=name,
            version=self.registry.version(name, number).manifest,
            version_number=number,
            dataset_digest=self.rows(month.summary["partition"]),
            id_columns=["id"],
            shadow=shadow,
            max_threads=1,
            origin="flights_predict/scheduled/score",
            clock=self.clock,
        )

    def ask_for_trainings(self) -> None:
        """Requests from everywhere, twelve trainings with every outcome, a refusal, and a request that still waits."""
        policy = CadencePolicy(cooldown=timedelta(0), budget_per_day=100, max_ineffective=3)
        broker = Broker(self.store, "late", policy=policy, clock=self.clock, new_id=self.new_id)
        outcomes = ("promoted", "proposed", "kept", "stopped", "failed", "skipped")
        for number in range(12):
            self.ask_once(broker, "drift", f"window/2025-05/{number}")
            broker.claim(f"flights_train/{number}", actor=AIRFLOW)
            broker.renew(f"flights_train/{number}")
            broker.settle(f"flights_train/{number}", outcome=outcomes[number % 6], reason="It ended.", version=2)
            self.clock.wait(days=2)
        broker.note_triage(
            action="retrain", kind="concept", reason="The wind is another.", dedupe_key="triage/1", actor=AIRFLOW
        )
        broker.reset(actor=ADA, reason="The data is mended.")
        self.ask_once(broker, "hand", "ada/1")
        broker.claim("flights_train/last", actor=AIRFLOW)
        broker.claim("flights_train/too-late", actor=AIRFLOW)
        self.ask_once(broker, "webhook", "hook/1")

    def ask_once(self, broker: Broker, source: str, key: str) -> None:
        broker.put(
            source=source, reason=f"A request from {source}.", dedupe_key=key, actor=AIRFLOW, evidence={"window": key}
        )

    def pin(self) -> None:
        """A plan of several tasks, and a webhook's signature."""
        plan = {"version": 2, "shares": [{"partitions": ["2025-04"]}, {"partitions": ["2025-05"]}]}
        pinned_plan(self.store, "late", "flights_predict/mapped", lambda: plan)
        now = self.clock()
        replays.use(self.store, str(int(now.timestamp())), "signature", write_id=self.new_id(), now=now)

    def give_up(self) -> None:
        """March is replaced. Two sweeps archive the first version, remove its files, and leave a round open."""
        self.clock.wait(days=60)
        snapshot(
            self.store,
            source="again",
            table=flights(ROWS, month="2025-03", seed=33),
            dataset="flights",
            partition="2025-03",
            time_column="departure",
            clock=self.clock,
        )
        self.sweep()
        self.clock.wait(days=40)
        put_bytes(self.store, b"Nobody names this.")
        self.sweep()

    def sweep(self) -> None:
        sweep(self.registry, KEPT, actor=AIRFLOW, clock=self.clock, tell=lambda line: None)


@contextmanager
def _one_clock(story: Story) -> Iterator[None]:
    """Everywhere that takes the machine's clock or a random id without being asked."""
    with (
        mock.patch.object(rounds.time, "system_clock", story.clock),
        mock.patch.object(rounds.time, "random_id", story.new_id),
    ):
        yield


def main(folder: Path) -> None:
    """Tell the story, and write what is frozen of it."""
    landing = Path(tempfile.gettempdir(), "landing")
    landing.mkdir()
    try:
        story = Story(landing)
        with _one_clock(story):
            story.tell()
    finally:
        for path in landing.iterdir():
            path.unlink()
        landing.rmdir()
    name = f"format_{wire.FORMAT}"
    with zipfile.ZipFile(folder / f"{name}.zip", "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for key in story.store.keys(""):
            archive.writestr(zipfile.ZipInfo(key, (2026, 1, 1, 0, 0, 0)), story.store.read(key), zipfile.ZIP_DEFLATED)
    (folder / f"{name}.json").write_text(json.dumps(facts(story.store), indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
