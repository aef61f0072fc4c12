"""Kills at the steps of loops that run in a cluster: what is planned, and carrying it out."""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from benchmarks.cluster import Cluster

from stoker import Registry
from stoker.errors import NotFound
from stoker.store.base import ObjectStore
from stoker.store.documents import get_bytes

DAG_OF = {
    "train": ("claim", "landed", "snapshot", "validate", "train", "evaluate", "register", "promote", "settle"),
    "score": ("predict",),
    "monitor": ("drift", "performance", "triage"),
}
"""The tasks of each of a model's DAGs."""

STEPS = [f"{dag}.{task}" for dag, tasks in DAG_OF.items() for task in tasks]
OTHER_PARTS = ("scheduler-1", "triggerer-1", "scheduler-2", "triggerer-1")

_CALLS = 12  # most steps make about so many
_UNTIL_KILLED, _IN_PASSING = 3600.0, 4.0
_ROUND_SECONDS = 600
_QUIET_LOOKS = 8  # an asset that a run emits has its runs about a second later


@dataclass(frozen=True)
class Kill:
    """One kill.

    :param step: ``<dag>.<task>`` of a model.
    :param part: what dies while this step is at work; ``worker`` is the one that is at it.
    :param call: at the step's so many-th call to S3; 0 before any.
    :param after: whether that call is sent first.
    """

    step: str
    part: str
    call: int
    after: bool

    @property
    def seconds(self) -> float:
        """How long the step holds: a worker dies of it, and of another part it must not notice much."""
        return _UNTIL_KILLED if self.part == "worker" else _IN_PASSING


def plan(count: int, seed: int) -> list[Kill]:
    """Kills in random order: the worker at each step in turn, and every eighth time another part.

    :param count: how many.
    """
    rng = random.Random(seed)
    kills = []
    for number in range(count):
        other = number % 8 == 7
        step = rng.choice(STEPS) if other else STEPS[(number - number // 8) % len(STEPS)]
        part = OTHER_PARTS[number // 8 % len(OTHER_PARTS)] if other else "worker"
        kills.append(Kill(step, part, rng.randint(0, _CALLS), rng.random() < 0.5))
    rng.shuffle(kills)
    return kills


class Killer:
    """Kills parts of a cluster where their tasks were told to hold, and starts them anew.

    :param orders: the folder that the tasks look into.
    :param down_seconds: for how long a part is down.
    """

    def __init__(self, cluster: Cluster, orders: Path, *, down_seconds: float = 6) -> None:
        self._down_seconds = down_seconds
        self._cluster = cluster
        self._orders = orders
        self._open: dict[Path, Kill] = {}
        self._due: dict[str, float] = {}
        self.done = 0

    def order(self, model: str, kill: Kill) -> None:
        """Have the next try of a step hold."""
        path = self._orders / f"{model}_{kill.step}"
        self._open[path] = kill
        self._place(path)

    def work(self) -> bool:
        """Kill what is to be killed now and start what was down long enough; ``True`` when nothing is left to do."""
        for path, kill in list(self._open.items()):
            held = Path(f"{path}.held")
            if held.exists():
                del self._open[path]
                self._kill(held.read_text() if kill.part == "worker" else kill.part)
                self.done += 1
        for part, moment in list(self._due.items()):
            if time.monotonic() >= moment:
                del self._due[part]
                self._cluster.start(part)
        return not self._open and not self._due

    def waiting(self) -> list[str]:
        """The steps that nobody was killed at yet."""
        return [path.name for path in self._open]

    def _kill(self, part: str) -> None:
        if part in self._due:  # it died a moment ago, of another order
            return
        self._cluster.kill(part)
        self._due[part] = time.monotonic() + self._down_seconds
        for path in self._open:  # a task that had an order, and died before it could hold
            taken = Path(f"{path}.taken")
            if taken.exists() and taken.read_text() == part and not Path(f"{path}.held").exists():
                self._place(path)

    def _place(self, path: Path) -> None:
        for left in self._orders.glob(f"{path.name}.*"):
            left.unlink()
        kill = self._open[path]
        partly = Path(f"{path}.order")
        partly.write_text(json.dumps({**asdict(kill), "seconds": kill.seconds}))
        partly.rename(path)


class ChampionWatch:
    """Loads the champions of all models all the time, and proves each file by its digest.

    :param models: their names.
    """

    def __init__(self, store: ObjectStore, models: Sequence[str], pause: float = 0.5) -> None:
        self._store = store
        self._models = models
        self._pause = pause
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self.looks = 0
        self.faults: list[str] = []

    def __enter__(self) -> ChampionWatch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._thread.join()

    def look(self, model: str) -> None:
        """Load the champion of a model, if it has one by now."""
        try:
            version = Registry(self._store).resolve(model)
        except NotFound:
            return
        for name, file in version.files.items():
            get_bytes(self._store, file.sha256, name)
        self.looks += 1

    def _watch(self) -> None:
        while not self._stopped.is_set():
            for model in self._models:
                try:
                    self.look(model)
                except Exception as error:  # whatever it is, the champion could not be loaded
                    self.faults.append(f"{model}: {error!r}")
                self._stopped.wait(self._pause)


def write_partition(folder: Path, number: int, seed: int, rows: int = 300) -> Path:
    """A file of rows that a linear model can tell apart, the same for the same number and seed."""
    rng = np.random.default_rng([seed, number])
    frame = pd.DataFrame({
        "id": [f"{number:04}-{row}" for row in range(rows)],
        "moment": pd.Timestamp("2025-01-01", tz="UTC") + pd.to_timedelta(number * rows + np.arange(rows), unit="h"),
        "height": rng.normal(size=rows),
        "width": rng.normal(size=rows),
    })
    frame["answer"] = (frame["height"] + frame["width"] + rng.normal(scale=0.5, size=rows) > 0).astype("int64")
    path = folder / f"{number:04}.parquet"
    frame.to_parquet(path)
    return path


def until_quiet(cluster: Cluster, killer: Killer, taken_in: Callable[[], bool]) -> None:
    """Carry kills out until all of them are done, what landed is taken in, and nothing runs for some seconds.

    :raises AssertionError: when that takes too long.
    """
    deadline, quiet = time.monotonic() + _ROUND_SECONDS, 0
    while quiet < _QUIET_LOOKS:
        assert time.monotonic() < deadline, f"not quiet in time; waiting for {killer.waiting()}\n{cluster.log_tail()}"
        over = killer.work() and taken_in() and cluster.idle()
        quiet = quiet + 1 if over else 0
        time.sleep(0.5)
