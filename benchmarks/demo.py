"""The loop in a real Airflow: a year of flights, and then three things that go wrong. What ``make demo`` runs."""

from __future__ import annotations

import argparse
import json
import shutil
import signal
import sys
from dataclasses import asdict
from pathlib import Path

from benchmarks import incidents, year
from benchmarks.airflow_stack import PASSWORD, USER, AirflowStack
from benchmarks.incidents import Incident, Incidents
from benchmarks.waiting import Gone, console
from benchmarks.year import Month, Year, better_months
from stoker import open_store

ROOT = Path(__file__).resolve().parents[1]
MONTHS = ROOT / "include/data/flights"


def main() -> int:
    """Run the demo; the exit code is 1 when a month failed, or an incident was not dealt with."""
    arguments = _arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that Airflow is stopped on the way out
    sys.path.insert(0, str(ROOT / "dags"))
    home = ROOT / ".demo"
    shutil.rmtree(home, ignore_errors=True)
    for folder in ("landing", "landing_loop"):
        (home / folder).mkdir(parents=True)
    environment = {"FLIGHTS_LANDING": str(home / "landing"), "FLIGHTS_LOOP_LANDING": str(home / "landing_loop")}
    with AirflowStack(ROOT, home, environment) as airflow:
        with console.status("Starting Airflow: scheduler, API server, DAG processor, triggerer with four watchers"):
            airflow.wait_until_ready()
            for dag_id in (year.DAG, *incidents.DAGS):
                airflow.unpause(dag_id)
            airflow.wait_until_watching(4)
        console.print(f"Airflow is up: {airflow.url} (user {USER}, password {PASSWORD})")
        store = open_store(f"file://{home}/stoker")
        files = sorted(MONTHS.glob("flights-*.parquet"))[: arguments.months]
        months = _year(Year(airflow, store, home / "landing"), files)
        dealt_with, fault = _incidents(Incidents(store, MONTHS, home / "landing_loop"), arguments.incidents)
        _report(months, dealt_with, fault)
        if not arguments.ci:
            console.print(
                f"Airflow stays up: {airflow.url} (user {USER}, password {PASSWORD}). Ctrl-C stops everything."
            )
            signal.pause()
    return 1 if fault or any(row.failed for row in months) or len(months) < len(files) else 0


def _year(loop: Year, files: list[Path]) -> list[Month]:
    months: list[Month] = []
    for file in files:
        row = loop.run_month(file)
        months.append(row)
        console.print(
            f"{row.month}: {row.verdict}, champion v{row.champion_version}, {row.seconds:.0f} s", highlight=False
        )
        if row.failed:
            break
    return months


def _incidents(loop: Incidents, wanted: bool) -> tuple[list[Incident], str]:
    """What was dealt with, and what was not; empty when all is well."""
    try:
        return (loop.run() if wanted else []), ""
    except (Gone, AssertionError) as error:
        return loop.rows, str(error)


def _report(months: list[Month], dealt_with: list[Incident], fault: str) -> None:
    """Print the tables and the reasons, and write all of it as JSON."""
    console.print(year.table_of(months))
    for row in months:
        console.print(f"{row.month}: {row.reason}", style="dim", highlight=False)
    if dealt_with:
        console.print(incidents.table_of(dealt_with))
    if fault:
        console.print(fault, style="red")
    better, compared = better_months(months)
    if compared:
        console.print(f"The retrained champion beats the frozen model in {better} of {compared} months.")
    report = {"months": [asdict(row) for row in months], "incidents": [asdict(row) for row in dealt_with]}
    path = ROOT / "demo-report.json"
    path.write_text(json.dumps({**report, "better": better, "compared": compared, "fault": fault}, indent=2))
    console.print(f"Written to {path.name}.")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ci", action="store_true", help="stop when all is through")
    parser.add_argument("--months", type=int, default=12, help="how many months to run, from January; 0 for none")
    parser.add_argument("--no-incidents", dest="incidents", action="store_false", help="only the months")
    return parser.parse_args()


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        console.print("Stopped.")
        sys.exit(130)
