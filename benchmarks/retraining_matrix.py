"""One model for each week of the flights year, and what each of them would have said in every week after it.

With these scores at hand a retraining policy is only a walk over the weeks: no policy has to fit anything, and all of
them are judged on the same models.
"""

from __future__ import annotations

import hashlib
import logging
import runpy
import tempfile
import time
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import sklearn
from sklearn.metrics import roc_auc_score
from threadpoolctl import threadpool_limits

from stoker.engines.frames import read_frame
from stoker.engines.snapshots import snapshot
from stoker.engines.validation import validate
from stoker.store.documents import get_document
from stoker.store.memory import MemoryStore

log = logging.getLogger(__name__)

Array = npt.NDArray[Any]

ROOT = Path(__file__).resolve().parents[1]
ESTIMATOR = ROOT / "dags/flights_estimator.py"
CACHE = Path(tempfile.gettempdir()) / "stoker-retraining"
TARGET, TIME = "late", "scheduled_departure"
MAX_ITER, THREADS = 120, 2  # the trees of the reference DAG
FIRST_WINDOW = pd.Timestamp("2013-02-22", tz="America/New_York")
"""Window 0, the last week of February, is judged by nobody: it gives the first model something to be evaluated on."""


@dataclass(frozen=True)
class Year:
    """The validated flights in order of departure, cut into weeks.

    :param frame: features, target and time; the window of a row is in :attr:`starts`.
    :param starts: the first row of each window, then the number of rows. Window 0 begins on 22 February, each takes
        7 days of New York's calendar, and the last one the 5 days up to New Year's Eve.
    """

    frame: pd.DataFrame
    starts: Array

    @property
    def windows(self) -> int:
        """How many weeks there are."""
        return len(self.starts) - 1

    @cached_property
    def features(self) -> list[str]:
        """The names of the columns that a model predicts from."""
        return [str(name) for name in self.frame if name not in {TARGET, TIME}]

    @cached_property
    def late(self) -> Array:
        """The label of every row."""
        return self.frame[TARGET].to_numpy()

    def rows(self, window: int) -> slice:
        """The rows of a window."""
        return slice(int(self.starts[window]), int(self.starts[window + 1]))

    def day(self, window: int) -> pd.Timestamp:
        """The day on which a window begins."""
        return FIRST_WINDOW + pd.DateOffset(weeks=window)

    def before(self, window: int) -> slice:
        """All rows that were known, labels included, when a window began."""
        return slice(0, int(self.starts[window]))


@dataclass(frozen=True)
class Matrix:
    """Model ``m`` is fitted on all rows before window ``m``.

    It was evaluated on the rows of window ``m - 1``, and its evaluation is that of model ``m - 1``: the same training
    without these rows.

    :param scores: the scores of model ``m`` on all rows from window ``m`` on, at place ``m``.
    """

    year: Year
    scores: list[Array]

    def score(self, model: int, window: int) -> Array:
        """What a model says about the rows of a window that is not older than the model."""
        rows, offset = self.year.rows(window), int(self.year.starts[model])
        return self.scores[model][rows.start - offset : rows.stop - offset]

    @cached_property
    def auc(self) -> Array:
        """Area under the ROC curve by model and window; NaN where the window is older than the model."""
        count = self.year.windows
        result = np.full((count, count), np.nan)
        for model in range(count):
            for window in range(model, count):
                truth = self.year.late[self.year.rows(window)]
                result[model, window] = roc_auc_score(truth, self.score(model, window))
        return result


def read_year(folder: Path = ROOT / "include/data/flights") -> Year:
    """Freeze and validate each month as the reference DAG does, and cut the rows that may be used into weeks."""
    store, frames = MemoryStore(), []
    for path in sorted(folder.glob("flights-*.parquet")):
        month = snapshot(store, source=str(path), dataset="flights", partition=path.stem[-7:], time_column=TIME)
        checked = validate(
            store,
            month,
            expectations=str(ROOT / "include/expectations/flights.json"),
            on_failure="quarantine",
            max_quarantine_share=0.05,
        )
        frames.append(read_frame(store, get_document(store, checked.summary["ok"], "dataset")))
    frame = pd.concat(frames, ignore_index=True).sort_values([TIME, "flight_id"], ignore_index=True)
    frame = frame.drop(columns="flight_id")
    day = frame[TIME].dt.tz_convert(FIRST_WINDOW.tz).dt.tz_localize(None).dt.normalize()
    week = (day - FIRST_WINDOW.tz_localize(None)).dt.days.to_numpy() // 7
    return Year(frame, np.append(np.searchsorted(week, np.arange(week[-1] + 1)), len(frame)))


def build(year: Year, cache: Path = CACHE) -> Matrix:
    """All models' scores; fitted once and kept, for they are the same each time.

    :param cache: a folder; what is in it is used only when it was made from the same rows, model and scikit-learn.
    """
    path = cache / f"{_fingerprint(year)}.npz"
    if not path.exists():
        fitted = _fit_all(year)
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=cache, suffix=".npz", delete=False) as file:
            np.savez(file, **fitted)
        Path(file.name).replace(path)
    with np.load(path) as kept:
        return Matrix(year, [kept[f"scores_{model}"] for model in range(year.windows)])


def _fit_all(year: Year) -> dict[str, Array]:
    estimator = runpy.run_path(str(ESTIMATOR))["flights_estimator"]
    features, started = year.frame[year.features], time.perf_counter()
    result = {}
    with threadpool_limits(THREADS):
        for model in range(year.windows):
            known, now = year.before(model), year.rows(model)
            fitted = estimator(max_iter=MAX_ITER).fit(features[known], year.late[known])
            result[f"scores_{model}"] = fitted.predict_proba(features[now.start :])[:, 1].astype(np.float32)
            log.info(
                "Model %d of %d, %d rows, %.0f s.", model + 1, year.windows, known.stop, time.perf_counter() - started
            )
    return result


def _fingerprint(year: Year) -> str:
    rows = pd.util.hash_pandas_object(year.frame, index=False).to_numpy().tobytes()
    source = ESTIMATOR.read_bytes()
    facts = f"{sklearn.__version__} {MAX_ITER} {year.starts.tolist()}".encode()
    return hashlib.sha256(rows + source + facts).hexdigest()[:16]
