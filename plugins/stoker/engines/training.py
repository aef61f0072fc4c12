"""Train a model on a stored dataset: one candidate document with everything that is needed to judge it later."""

from __future__ import annotations

import io
import logging
import time
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from stoker.core import wire
from stoker.core.records import Reference
from stoker.engines import baselines, candidates, metrics, splitting, tuning
from stoker.engines.environment import code_version, environment, thread_limit
from stoker.engines.estimators import (
    EstimatorSource,
    build_estimator,
    dotted,
    find_source,
    json_safe,
    resolved_params,
)
from stoker.engines.frames import store_table, to_frame
from stoker.engines.golden import golden_rows
from stoker.engines.importances import importances
from stoker.engines.learning_curves import learning_curve
from stoker.engines.persistence import dump_model
from stoker.engines.personal import personal_columns
from stoker.engines.prediction import predict
from stoker.engines.profiles import FEATURE, PREDICTION, TARGET, Profile, profile_arrays, store_profile
from stoker.engines.timings import Timings
from stoker.engines.training_rows import (
    Columns,
    Given,
    Rows,
    TrainingData,
    describe_task,
    load,
    resolve_columns,
    resolve_dataset,
)
from stoker.errors import ModelError, StokerError, UnsuitableData, UsageError
from stoker.store.base import ObjectStore
from stoker.store.documents import put_bytes, put_document

if TYPE_CHECKING:
    import pandas as pd

log = logging.getLogger(__name__)

CACHES = ("auto", "off", "refresh")


@dataclass(frozen=True)
class Recipe:
    """How to train, apart from the rows."""

    target: str
    features: tuple[str, ...] | None
    id_columns: tuple[str, ...]
    time_column: str | None
    history: int | str | None
    split: str
    test_size: float
    search: str | None
    param_grid: Mapping[str, Any] | None
    search_iterations: int
    cv: int
    scoring: str | None
    random_state: int
    learning_curve: bool


def train(
    store: ObjectStore,
    *,
    dataset: Reference,
    estimator: Callable[..., Any] | str,
    estimator_params: Mapping[str, Any] | None = None,
    target: str,
    features: Sequence[str] | None = None,
    id_columns: Sequence[str] = (),
    time_column: str | None = None,
    history: int | str | None = None,
    split: str = "auto",
    test_size: float = 0.2,
    search: str | None = None,
    param_grid: Mapping[str, Any] | None = None,
    search_iterations: int = 10,
    cv: int = 5,
    scoring: str | None = None,
    random_state: int = 0,
    learning_curve: bool = False,
    cache: str = "auto",
    origin: str | None = None,
    max_threads: int | None = None,
    trusted: Iterable[str] = (),
) -> Reference:
    """Train, hold rows out, and store the candidate.

    The same inputs give the same predictions, and with ``cache="auto"`` the very same candidate without training again.

    :param store: where datasets lie and candidates go.
    :param dataset: a reference of kind ``dataset`` or ``validation``.
    :param estimator: a function that returns an unfitted scikit-learn estimator, or its dotted path.
    :param estimator_params: keyword arguments of that function.
    :param target: the column to predict.
    :param features: the columns to predict from; all but target, time and ids without it.
    :param id_columns: columns that only name a row.
    :param time_column: the column with the time of a row; the dataset's own without it.
    :param history: how many earlier partitions of the same dataset and stage are trained on as well, or ``"all"``. The holdout always
        comes from the given partition, so that a champion trained on history alone has never seen it.
    :param split: ``time``, ``stratified``, ``random``, or ``auto``: by time when there is a time column.
    :param test_size: share of the partition that is held out, between 0 and 1.
    :param search: ``grid``, ``random``, ``halving``, or ``None`` for the parameters as they are.
    :param param_grid: parameter name to list of values.
    :param search_iterations: trials of a random search.
    :param cv: folds of a search; in the order of time when the split is.
    :param scoring: a metric or a scorer of scikit-learn that the search maximises.
    :param random_state: the one seed of everything; a whole number.
    :param learning_curve: fit the model again on 10, 25 and 50 % of its rows, and keep the scores in the candidate. It has no part in the
        fingerprint: a stored candidate without a curve stays as it is.
    :param cache: ``auto``: take the stored candidate of the same fingerprint; ``refresh``: train and store the next one; ``off``:
        train, and remember nothing.
    :param origin: the task that does it, as :attr:`~stoker.core.records.Actor.origin`; kept for whoever follows the lineage.
    :param max_threads: threads of the numeric libraries; those that the process may use without it.
    :param trusted: types beyond Stoker's own list that the model may hold.
    :returns: a reference of kind ``candidate``.
    :raises UsageError: when an argument is wrong.
    :raises DataValidationFailed: when the validation let no rows through.
    :raises UnsuitableData: when these rows cannot be trained on. Nothing is stored then.
    :raises ModelError: when the estimator cannot be built, fitted or stored, or predicts NaN. Nothing is stored then.
    """
    recipe = Recipe(
        target=target,
        features=None if features is None else tuple(features),
        id_columns=tuple(id_columns),
        time_column=time_column,
        history=history,
        split=split,
        test_size=test_size,
        search=search,
        param_grid=param_grid,
        search_iterations=search_iterations,
        cv=cv,
        scoring=scoring,
        random_state=random_state,
        learning_curve=learning_curve,
    )
    _check(recipe, cache, max_threads)
    given = resolve_dataset(store, dataset, history)
    source = find_source(estimator)
    unfitted = build_estimator(source, estimator_params or {}, random_state)
    tuning.check_search(search, param_grid, unfitted, search_iterations, cv)
    columns = resolve_columns(given.documents, target, recipe.features, recipe.id_columns, time_column)
    personal = personal_columns(store, given.validations)
    fingerprint = _fingerprint(given.documents, source, unfitted, columns, recipe, personal)
    known = candidates.newest(store, fingerprint) if cache == "auto" else None
    if known is not None:
        log.info("Nothing to train: candidate %s has the same fingerprint %s.", known[0][:12], fingerprint[:12])
        return candidates.refer(store, *known, cached=True)
    timings = Timings()
    with threadpool_limits(thread_limit(max_threads)):
        with timings.of("load"):
            data = load(store, given, columns)
        with timings.of("search" if search else "fit"):
            fitted = _train(data, unfitted, recipe)
        document = _store_candidate(store, given, data, fitted, source, recipe, tuple(trusted), timings)
    document |= {"fingerprint": fingerprint, "personal_columns": personal, "timings": timings.seconds}
    digest = put_document(store, document)
    if cache != "off":
        digest, document = candidates.remember(store, digest, document, keep_first=cache == "auto", origin=origin)
    return candidates.refer(store, digest, document, cached=False)


def _check(recipe: Recipe, cache: str, max_threads: int | None) -> None:
    if isinstance(recipe.random_state, bool) or not isinstance(recipe.random_state, int) or recipe.random_state < 0:
        raise UsageError(
            f"random_state must be a whole number from 0, so that training can be repeated; got {recipe.random_state!r}."
        )
    if isinstance(recipe.test_size, bool) or not 0 < recipe.test_size < 1:
        raise UsageError(f"test_size must be a share between 0 and 1; got {recipe.test_size!r}.")
    if recipe.split not in splitting.KINDS:
        raise UsageError(f"split must be one of {', '.join(splitting.KINDS)}; got {recipe.split!r}.")
    if cache not in CACHES:
        raise UsageError(f"cache must be one of {', '.join(CACHES)}; got {cache!r}.")
    if max_threads is not None and max_threads < 1:
        raise UsageError(f"max_threads must be at least 1; got {max_threads}.")


@dataclass(frozen=True)
class _Fitted:
    """What came out of fitting."""

    model: Any
    task: str
    classes: list[Any]
    split_kind: str
    parts: splitting.Split
    rows: Rows
    scoring: str
    trials: list[dict[str, Any]]
    seconds: float

    @property
    def rate(self) -> float:
        """Training rows per second."""
        return len(self.rows.y) / max(self.seconds, 1e-9)


def _train(data: TrainingData, estimator: Any, recipe: Recipe) -> _Fitted:
    """Divide the rows, look at them, and fit."""
    columns = data.columns
    task = describe_task(estimator, data.target(), columns.target)
    kind = splitting.resolve_kind(recipe.split, time_column=columns.time, task=task)
    scoring = metrics.scorer_name(recipe.scoring, task)
    y = data.current[columns.target].to_numpy()
    parts = splitting.split_rows(
        kind,
        y,
        data.current[columns.time] if columns.time else None,
        test_size=recipe.test_size,
        random_state=recipe.random_state,
    )
    rows = data.training_rows(parts)
    _check_rows(rows, y[parts.holdout], task)
    log.info("Training on %d rows, holding out %d.", len(rows.y), len(parts.holdout))
    started = time.perf_counter()
    cv = splitting.folds(kind, task, recipe.cv, recipe.random_state)
    model, trials = _fit(estimator, rows.frame, rows.y, cv, scoring, recipe)
    seconds = time.perf_counter() - started
    classes = [] if task == metrics.REGRESSION else json_safe(model.classes_)
    fitted = _Fitted(model, task, classes, kind, parts, rows, scoring, trials, seconds)
    log.info("Fitted %s in %.1f s, %.0f rows/s.", type(model).__name__, seconds, fitted.rate)
    return fitted


def _store_candidate(
    store: ObjectStore,
    given: Given,
    data: TrainingData,
    fitted: _Fitted,
    source: EstimatorSource,
    recipe: Recipe,
    trusted: Iterable[str],
    timings: Timings,
) -> dict[str, Any]:
    """Everything from the fitted model to the candidate document. Nothing is stored before all that can fail has passed."""
    held_out = data.current_table.take(pa.array(fitted.parts.holdout))
    features = held_out.select(list(data.columns.features))
    frame = to_frame(features)
    truth = data.current[data.columns.target].to_numpy()[fitted.parts.holdout]
    output = predict(fitted.model, frame, task=fitted.task, classes=fitted.classes)
    with timings.of("baselines"):
        files = _files(features, output, fitted, recipe, trusted)
    with timings.of("profile"):
        profile = _profile(fitted, data.columns.target, output)
    with timings.of("importances"):
        shares = importances(
            fitted.model,
            frame,
            truth,
            task=fitted.task,
            classes=fitted.classes,
            random_state=recipe.random_state,
        )
    curve = None
    if recipe.learning_curve:
        with timings.of("learning_curve"):
            curve = _learning_curve(fitted, (frame, truth), recipe)
    current = given.documents[-1]
    with timings.of("store"):
        stored = {name: asdict(put_bytes(store, content)) for name, content in files.items()}
        holdout, _ = store_table(
            store,
            held_out,
            dataset=current["dataset"],
            partition=current["partition"],
            stage="holdout",
            time_column=data.columns.time,
            source=current["source"],
            parent=given.digests[-1],
        )
    return {
        "kind": "candidate",
        "datasets": list(given.digests),
        "validations": list(given.validations),
        "dataset_name": current["dataset"],
        "partition": current["partition"],
        "holdout": holdout,
        "files": stored,
        "profile": store_profile(store, profile),
        "importances": shares,
        "learning_curve": curve,
        "hashed_columns": list(data.current_table.column_names),
        "rows": {"train": len(fitted.rows.y), "holdout": held_out.num_rows},
        "environment": environment(),
        "code": code_version(source.file),
        **_describe_model(fitted, data.columns, source),
        **_describe_training(fitted, recipe),
    }


def _learning_curve(fitted: _Fitted, holdout: tuple[pd.DataFrame, metrics.Array], recipe: Recipe) -> dict[str, Any]:
    return learning_curve(
        fitted.model,
        (fitted.rows.frame, fitted.rows.y),
        holdout,
        scoring=fitted.scoring,
        by_time=fitted.split_kind == "time",
        random_state=recipe.random_state,
    )


def _files(
    features: pa.Table, output: metrics.Output, fitted: _Fitted, recipe: Recipe, trusted: Iterable[str]
) -> dict[str, bytes]:
    """The content of every file of a candidate.

    :param features: the features of the held-out rows.
    :param output: what the model says about them.
    """
    rows, seed = fitted.rows, recipe.random_state
    simple = baselines.fit_baselines(rows.frame, rows.y, task=fitted.task, random_state=seed)
    return {
        "model.skops": dump_model(fitted.model, trusted=trusted),
        "training_rows.npy": _npy(rows.hashes),
        "golden.parquet": golden_rows(features, output, seed),
        **{f"baseline_{name}.skops": dump_model(model) for name, model in simple.items()},
    }


def _profile(fitted: _Fitted, target: str, output: metrics.Output) -> Profile:
    """What later data are compared with: the training rows, and the predictions about the held-out ones.

    Predictions about training rows would look surer than those to come.
    """
    rows = fitted.rows
    columns: dict[str, Any] = {str(name): values for name, values in rows.frame.items()}
    roles = dict.fromkeys(columns, FEATURE) | {target: TARGET}
    columns[target] = rows.y
    time_column = None if rows.times is None else str(rows.times.name)
    if time_column:
        columns[time_column] = rows.times
    classes = () if fitted.task == metrics.REGRESSION else (target,)
    profile = profile_arrays(columns, roles=roles, order_by=time_column, categorical=classes)
    said = _said(fitted, output)
    if said is None or PREDICTION in roles:
        log.warning("There is no profile of the predictions: they are only classes, or a column has their name.")
        return profile
    classes = (PREDICTION,) if fitted.task == metrics.MULTICLASS else ()
    predicted = profile_arrays({PREDICTION: said}, roles={PREDICTION: PREDICTION}, categorical=classes)
    return replace(profile, columns=profile.columns | predicted.columns)


def _said(fitted: _Fitted, output: metrics.Output) -> Any:
    """What the model predicts as one column: the value, the score of the second class, or the class of several."""
    if fitted.task == metrics.MULTICLASS:
        return pa.array(fitted.classes).take(pa.array(output.labels))
    return output.labels if fitted.task == metrics.REGRESSION else output.scores


def _describe_model(fitted: _Fitted, columns: Columns, source: EstimatorSource) -> dict[str, Any]:
    inputs = [{"name": name, "type": columns.types[name]} for name in columns.features]
    output = {"name": columns.target, "type": columns.types[columns.target], "classes": fitted.classes}
    return {
        "estimator": {"source": source.name, "source_sha256": source.sha256, "class": dotted(type(fitted.model))},
        "params": resolved_params(fitted.model),
        "target": columns.target,
        "features": inputs,
        "time_column": columns.time,
        "task": fitted.task,
        "classes": fitted.classes,
        "signature": {"inputs": inputs, "output": output},
    }


def _describe_training(fitted: _Fitted, recipe: Recipe) -> dict[str, Any]:
    boundary = fitted.parts.boundary
    return {
        "split": {
            "kind": fitted.split_kind,
            "test_size": recipe.test_size,
            "boundary": None if boundary is None else boundary.isoformat(),
        },
        "search": None if recipe.search is None else {"kind": recipe.search, "cv": recipe.cv, "trials": fitted.trials},
        "scoring": fitted.scoring,
        "random_state": recipe.random_state,
        "training": {"seconds": round(fitted.seconds, 3), "rows_per_second": round(fitted.rate, 1)},
    }


def _fit(
    estimator: Any, frame: pd.DataFrame, y: metrics.Array, cv: Any, scoring: str, recipe: Recipe
) -> tuple[Any, list[dict[str, Any]]]:
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("default")
            fitted = _fit_or_search(estimator, frame, y, cv, scoring, recipe)
    except (StokerError, MemoryError):
        raise
    except Exception as error:  # user code and library code alike
        raise ModelError(
            f"The estimator must be fitted on {len(frame)} rows of {list(frame)}; it raised {type(error).__name__}: "
            f"{str(error)[:400]}. Correct the estimator or its parameters, or choose other features."
        ) from error
    for text in sorted({f"{warning.category.__name__}: {warning.message}"[:300] for warning in caught}):
        log.warning("While fitting: %s", text)
    return fitted


def _fit_or_search(
    estimator: Any, frame: pd.DataFrame, y: metrics.Array, cv: Any, scoring: str, recipe: Recipe
) -> tuple[Any, list[dict[str, Any]]]:
    if recipe.search is None:
        return estimator.fit(frame, y), []
    return tuning.search_params(
        recipe.search,
        estimator,
        frame,
        y,
        param_grid=recipe.param_grid or {},
        iterations=recipe.search_iterations,
        cv=cv,
        scoring=scoring,
        random_state=recipe.random_state,
    )


def _check_rows(rows: Rows, held_out: metrics.Array, task: str) -> None:
    frame, y = rows.frame, rows.y
    empty = [str(name) for name in frame if frame[name].isna().all()]
    if empty:
        raise UnsuitableData(
            f"Every feature needs a value in some training row; {', '.join(empty)} has none. Leave it out of features."
        )
    if task == metrics.REGRESSION:
        return
    classes = set(y.tolist())
    if len(classes) < 2:
        raise UnsuitableData(
            f"The training rows must hold at least two classes; all {len(y)} have {next(iter(classes))!a}. Train on more rows, "
            "or another split."
        )
    unseen = sorted(set(held_out.tolist()) - classes, key=str)
    if unseen:
        raise UnsuitableData(
            f"Every class of the held-out rows must occur in the training rows; {unseen} does not. Add history, or use "
            "split='stratified'."
        )


def _fingerprint(
    documents: Sequence[Mapping[str, Any]],
    source: EstimatorSource,
    estimator: Any,
    columns: Columns,
    recipe: Recipe,
    personal: Sequence[str],
) -> str:
    made_with = environment()
    return wire.digest({
        "data": [document["data_id"] for document in documents],
        "source": [source.name, source.sha256],
        "class": dotted(type(estimator)),
        "params": resolved_params(estimator),
        "target": columns.target,
        "features": list(columns.features),
        "time_column": columns.time,
        "split": [recipe.split, recipe.test_size],
        "search": [recipe.search, json_safe(recipe.param_grid), recipe.search_iterations, recipe.cv],
        "scoring": recipe.scoring,
        "random_state": recipe.random_state,
        "python": made_with["python"].rsplit(".", 1)[0],
        "packages": {name: made_with["packages"][name] for name in ("sklearn", "numpy", "pandas")},
        # A stored candidate of before must not show what is personal now; without such columns the fingerprint is what it always was.
        **({"personal_columns": list(personal)} if personal else {}),
    })


def _npy(hashes: metrics.Array) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.unique(hashes), allow_pickle=False)
    return buffer.getvalue()
