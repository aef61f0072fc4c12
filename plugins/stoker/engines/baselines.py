"""The plain models that every real one is measured against."""

from __future__ import annotations

import logging
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
from pandas.api.types import is_bool_dtype, is_numeric_dtype
from sklearn.compose import ColumnTransformer
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from stoker.engines.metrics import REGRESSION, Array

if TYPE_CHECKING:
    import pandas as pd

log = logging.getLogger(__name__)

MAX_ROWS = 20_000
"""A linear model gains nothing from more rows, and must cost little beside the model it is measured against."""

_MAX_CATEGORIES = 20


def fit_baselines(frame: pd.DataFrame, y: Array, *, task: str, random_state: int) -> dict[str, Any]:
    """Fit ``dummy``, which ignores its input, and ``linear``, a linear model on a seeded sample of at most 20,000 rows.

    :returns: name to fitted model. Without ``linear`` when the columns are nothing that it can be fitted on.
    """
    rows = _sample(len(frame), random_state)
    frame, y = frame.iloc[rows], y[rows]
    dummy = DummyRegressor(strategy="mean") if task == REGRESSION else DummyClassifier(strategy="prior")
    baselines = {"dummy": dummy.fit(frame, y)}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a baseline that has not quite converged is still a baseline
            baselines["linear"] = _linear(frame, task, random_state).fit(frame, y)
    except ValueError as error:
        log.warning("There is no linear baseline for these rows: %s", error)
    return baselines


def _sample(rows: int, random_state: int) -> Array:
    if rows <= MAX_ROWS:
        return np.arange(rows)
    return np.sort(np.random.default_rng(random_state).choice(rows, MAX_ROWS, replace=False))


def _linear(frame: pd.DataFrame, task: str, random_state: int) -> Any:
    numbers = [name for name in frame if is_numeric_dtype(frame[name]) and not is_bool_dtype(frame[name])]
    words = [name for name in frame if is_bool_dtype(frame[name]) or frame[name].dtype == object]
    columns = ColumnTransformer([
        (
            "numbers",
            make_pipeline(SimpleImputer(strategy="median", keep_empty_features=True), StandardScaler()),
            numbers,
        ),
        ("words", OneHotEncoder(handle_unknown="infrequent_if_exist", max_categories=_MAX_CATEGORIES), words),
    ])
    model = Ridge() if task == REGRESSION else LogisticRegression(max_iter=200, random_state=random_state)
    return make_pipeline(columns, model)
