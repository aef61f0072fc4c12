"""Twelve months of flights through a real Airflow: what ``make demo`` runs.

Each month's file is landed, the DAG ``flights_training`` runs on it, and the champion that was in office when the
file landed is scored on the whole month, beside the model that was champion at the end of February and was never
trained again.
"""

from __future__ import annotations

import argparse
import json
import shutil
import signal
import sys
import time
import urllib.parse
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks.airflow_stack import PASSWORD, USER, AirflowStack
from benchmarks.scoring import auc_on_month
from stoker import Registry, open_store
from stoker.errors import NotFound
from stoker.registry.versions import Version
from stoker.store.base import ObjectStore

ROOT = Path(__file__).resolve().parents[1]
DAG, MODEL, DATASET, FROZEN_AFTER = "flights_training", "flights_late", "flights", "2013-02"
RUN_SECONDS = 600
console = Console()


@dataclass
class Month:
    """One row of the table."""

    month: str
    rows_in: int | None = None
    quarantined: int | None = None
    champion_auc: float | None = None
    frozen_auc: float | None = None
    verdict: str = "failed"
    reason: str = ""
    champion_version: int | None = None
    seconds: float = 0.0

    @property
    def failed(self) -> bool:
        """Whether the run itself failed; a kept champion is no failure."""
        return self.verdict == "failed"


class Demo:
    """The loop over the months.

    :param airflow: a running Airflow.
    :param store: the store that its DAG writes to.
    :param landing: the folder in which files land.
    """

    def __init__(self, airflow: AirflowStack, store: ObjectStore, landing: Path) -> None:
        self.airflow = airflow
        self.store = store
        self.registry = Registry(store)
        self.landing = landing
        self.frozen: Version | None = None

    def run_month(self, file: Path) -> Month:
        """Land a file, let the DAG run on it, and measure what came of it."""
        row = Month(file.stem.removeprefix("flights-"))
        in_office = self._champion()
        started = time.monotonic()
        land(file, self.landing)
        run_id = self._trigger(f"{file.name} landed")
        state = self._follow(run_id, row.month, started)
        row.seconds = round(time.monotonic() - started, 1)
        if state != "success":
            row.reason = f"the run ended as {state}"
            return row
        validated, evaluated = self._xcom(run_id, "validate"), self._xcom(run_id, "evaluate")
        row.rows_in = validated["summary"]["rows_in"]
        row.quarantined = validated["summary"]["rows_quarantined"]
        row.verdict, row.reason = evaluated["verdict"], evaluated["summary"]["reasons"][0]
        champion = self._champion()
        row.champion_version = champion.number if champion else None
        row.champion_auc = self._auc(in_office, row.month)
        row.frozen_auc = self._auc(self.frozen, row.month)
        if row.month == FROZEN_AFTER:
            self.frozen = champion
        return row

    def _champion(self) -> Version | None:
        try:
            return self.registry.resolve(MODEL)
        except NotFound:
            return None

    def _auc(self, version: Version | None, month: str) -> float | None:
        return None if version is None else round(auc_on_month(self.store, version, DATASET, month), 4)

    def _trigger(self, reason: str) -> str:
        body = {"logical_date": None, "conf": {"reason": reason}}
        run: dict[str, Any] = self.airflow.request("POST", f"/api/v2/dags/{DAG}/dagRuns", body)
        return str(run["dag_run_id"])

    def _follow(self, run_id: str, month: str, started: float) -> str:
        """Wait for the run to end, and show what it is doing."""
        path = f"/api/v2/dags/{DAG}/dagRuns/{urllib.parse.quote(run_id)}"
        with console.status(f"{month}: landed") as status:
            while time.monotonic() - started < RUN_SECONDS:
                state = self.airflow.request("GET", path)["state"]
                if state in ("success", "failed"):
                    return str(state)
                tasks = self.airflow.request("GET", f"{path}/taskInstances")["task_instances"]
                running = (
                    ", ".join(t["task_id"] for t in tasks if t["state"] in ("running", "queued")) or "between tasks"
                )
                done = sum(t["state"] in ("success", "skipped") for t in tasks)
                status.update(f"{month}: {running} ({done} of {len(tasks)} done, {time.monotonic() - started:.0f} s)")
                time.sleep(0.5)
        return "timeout"

    def _xcom(self, run_id: str, task_id: str) -> dict[str, Any]:
        run = urllib.parse.quote(run_id)
        path = f"/api/v2/dags/{DAG}/dagRuns/{run}/taskInstances/{task_id}/xcomEntries/return_value?stringify=false"
        value: dict[str, Any] = self.airflow.request("GET", path)["value"]
        return value


def land(file: Path, landing: Path) -> None:
    """Put a file where the DAG looks, whole at once."""
    landing.mkdir(parents=True, exist_ok=True)
    partial = landing / f".{file.name}"
    shutil.copyfile(file, partial)
    partial.rename(landing / file.name)


def table_of(months: list[Month]) -> Table:
    """The months as a table for the terminal."""
    title = "NYC flights 2013: will it arrive more than 15 minutes late?"
    table = Table("month", title=title, title_justify="left", box=box.SIMPLE, pad_edge=False, collapse_padding=True)
    for heading in ("rows\nin", "quaran-\ntined", "AUC\nchampion", "AUC\nfrozen"):
        table.add_column(heading, justify="right")
    table.add_column("verdict")
    for heading in ("champion\nversion", "seconds"):
        table.add_column(heading, justify="right")
    for row in months:
        numbers = [_shown(value) for value in (row.rows_in, row.quarantined, row.champion_auc, row.frozen_auc)]
        version = f"v{row.champion_version}" if row.champion_version else "–"
        table.add_row(row.month, *numbers, row.verdict, version, f"{row.seconds:.0f}")
    return table


def _shown(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:.4f}" if isinstance(value, float) else f"{value:,}"


def report(months: list[Month], path: Path) -> None:
    """Print the table and the reasons, and write both as JSON."""
    console.print(table_of(months))
    for row in months:
        console.print(f"{row.month}: {row.reason}", style="dim", highlight=False)
    compared = [row for row in months if row.champion_auc is not None and row.frozen_auc is not None]
    better = sum((row.champion_auc or 0) > (row.frozen_auc or 0) for row in compared)
    if compared:
        console.print(f"The retrained champion beats the frozen model in {better} of {len(compared)} months.")
    path.write_text(
        json.dumps({"months": [asdict(row) for row in months], "better": better, "compared": len(compared)}, indent=2)
    )
    console.print(f"Written to {path.name}.")


def main() -> int:
    """Run the demo; the exit code is 1 when a month failed."""
    arguments = _arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that Airflow is stopped on the way out
    home = ROOT / ".demo"
    shutil.rmtree(home, ignore_errors=True)
    files = sorted((ROOT / "include/data/flights").glob("flights-*.parquet"))[: arguments.months]
    landing = home / "landing"
    months: list[Month] = []
    with AirflowStack(ROOT, home, {"AIRFLOW_VAR_FLIGHTS_LANDING": str(landing)}) as airflow:
        with console.status("Starting Airflow: scheduler, API server, DAG processor, triggerer"):
            airflow.wait_until_ready()
            airflow.unpause(DAG)
        console.print(f"Airflow is up: {airflow.url} (user {USER}, password {PASSWORD})")
        demo = Demo(airflow, open_store(f"file://{home}/stoker"), landing)
        for file in files:
            row = demo.run_month(file)
            months.append(row)
            console.print(
                f"{row.month}: {row.verdict}, champion v{row.champion_version}, {row.seconds:.0f} s", highlight=False
            )
            if row.failed:
                break
        report(months, ROOT / "demo-report.json")
        if not arguments.ci:
            console.print(
                f"Airflow stays up: {airflow.url} (user {USER}, password {PASSWORD}). Ctrl-C stops everything."
            )
            signal.pause()
    return 1 if any(row.failed for row in months) or len(months) < len(files) else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ci", action="store_true", help="stop when the months are through")
    parser.add_argument("--months", type=int, default=12, help="how many months to run, from January")
    return parser.parse_args()


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        console.print("Stopped.")
        sys.exit(130)
