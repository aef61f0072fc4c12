"""What Stoker adds to parsing a DAG: CPU time over a bare ``import airflow.sdk``, in fresh processes that take turns."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BAR_MS, TURNS = 50, 9
_MEASURE = """
import json, sys, time
import airflow.sdk
from airflow.sdk import BaseOperatorLink, BaseHook, BranchMixIn, CronTriggerTimetable, Param, SkipMixin, dag, task, Asset
from airflow.sdk import AssetAlias, AssetOrTimeSchedule, AssetWatcher, BaseSensorOperator
from airflow.triggers.shared_stream import SharedStreamProducer
begun = time.process_time()
{work}
print(json.dumps((time.process_time() - begun) * 1000))
"""
_WORK = {
    "nothing": "pass",
    "all operators": "import stoker; [getattr(stoker, name) for name in stoker.__all__]",
    "dags/quickstart.py": "import quickstart",
    "dags/flights_training.py": "import flights_training",
    "dags/flights_monitoring.py": "import flights_monitoring",
    "dags/flights_loop.py": "import flights_loop",
}


def measure(work: str) -> float:
    """CPU milliseconds of one piece of work, in a fresh process."""
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}/plugins:{ROOT}/dags", "AIRFLOW__CORE__LOAD_EXAMPLES": "False"}
    command = [sys.executable, "-c", _MEASURE.format(work=work)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return float(json.loads(done.stdout.splitlines()[-1]))


def main() -> int:
    """Print the medians; the exit code is 1 when one is above the bar."""
    times: dict[str, list[float]] = {name: [] for name in _WORK}
    for _ in range(TURNS):
        for name, work in _WORK.items():
            times[name].append(measure(work))
    medians = {name: statistics.median(values) for name, values in times.items()}
    for name, median in medians.items():
        print(f"{name:28} {median:6.1f} ms CPU (bar {BAR_MS})")
    return int(max(medians.values()) > BAR_MS)


if __name__ == "__main__":
    sys.exit(main())
