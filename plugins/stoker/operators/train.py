"""From a validated dataset to a candidate model."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any, ClassVar

from stoker.core.names import check_name
from stoker.core.records import Reference
from stoker.operators._base import StokerOperator, engine, number, task_key
from stoker.operators._loop import broker_of, holder_of, loop_policy

if TYPE_CHECKING:
    from airflow.sdk import Context


class TrainModelOperator(StokerOperator):
    """Fit a scikit-learn estimator and store it, with all that is needed to judge it later.

    The holdout is taken from the given partition alone, never from its history: a champion that was trained earlier
    cannot have seen it. The same data, code, parameters and libraries give the same fingerprint, and with
    ``cache="auto"`` the model of that fingerprint instead of another fit.

    Refuses, without a retry and with nothing written, a target that is missing, has one class, or holds NaN or
    infinity; a target among the features; an all-null feature; an estimator that is fitted already, predicts NaN, or
    cannot be stored without pickle. Does not judge the model.

    :param dataset: what a snapshot or validation task returned, or the name of a dataset: its newest validated partition.
    :param estimator: a function that returns an unfitted estimator or Pipeline, or its dotted path. Called when the
        task runs; give it as a plain function beside the DAG, and import scikit-learn inside it.
    :param estimator_params: keyword arguments of that function.
    :param target: the column to predict.
    :param features: columns to learn from. Default: all but target, time column and id columns.
    :param id_columns: columns that name a row and say nothing about it.
    :param time_column: overrides the dataset's.
    :param history: how many earlier partitions to train on as well: a number, ``"all"``, or ``None`` for none.
    :param split: ``time`` (the holdout is what happened last), ``stratified``, ``random``, or ``auto``: ``time``
        where there is a time column.
    :param test_size: share of the partition that becomes the holdout, 0 to 1.
    :param search: ``grid``, ``random`` or ``halving`` over ``param_grid``; ``None`` fits once.
    :param param_grid: parameter name to values, as in scikit-learn.
    :param search_iterations: trials of a random search.
    :param cv: folds of a search; in order of time when the split is.
    :param scoring: the metric that a search maximises, in scikit-learn's words.
    :param random_state: the seed of everything random.
    :param learning_curve: fit again on 10, 25 and 50 % of the rows as well, so that the report shows whether more rows would help. A
        stored model of the same fingerprint is taken as it is, with a curve or without.
    :param cache: ``auto``, ``off``, or ``refresh`` to train anew and remember that.
    :param renew_lease_of: the registered model for which the run has claimed a training. Its lease is renewed while this task runs,
        however long that takes; without it another run may begin when ``cadence.lease`` is over.
    :param policy: the path of a YAML policy file; the length of the lease counts.
    """

    template_fields: Sequence[str] = (
        "dataset", "estimator_params", "target", "features", "id_columns", "time_column", "history", "split", "test_size", "search",
        "param_grid", "search_iterations", "cv", "scoring", "random_state", "cache", "renew_lease_of", "policy",
        *StokerOperator.template_fields,
    )  # fmt: skip
    template_fields_renderers: ClassVar[dict[str, str]] = {"estimator_params": "json", "param_grid": "json"}

    def __init__(
        self,
        *,
        dataset: Any,
        estimator: Callable[..., Any] | str,
        target: str,
        estimator_params: Mapping[str, Any] | None = None,
        features: Sequence[str] | None = None,
        id_columns: Sequence[str] = (),
        time_column: str | None = None,
        history: int | str | None = None,
        split: str = "auto",
        test_size: float = 0.2,
        search: str | None = None,
        param_grid: Mapping[str, Sequence[Any]] | None = None,
        search_iterations: int = 10,
        cv: int = 5,
        scoring: str | None = None,
        random_state: int = 0,
        learning_curve: bool = False,
        cache: str = "auto",
        renew_lease_of: str | None = None,
        policy: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.dataset = dataset
        self.estimator = estimator
        self.target = target
        self.estimator_params = estimator_params
        self.features = features
        self.id_columns = id_columns
        self.time_column = time_column
        self.history = history
        self.split = split
        self.test_size = test_size
        self.search = search
        self.param_grid = param_grid
        self.search_iterations = search_iterations
        self.cv = cv
        self.scoring = scoring
        self.random_state = random_state
        self.learning_curve = learning_curve
        self.cache = cache
        self.renew_lease_of = renew_lease_of
        self.policy = policy

    def step(self, context: Context) -> Reference:
        """Train, and return a reference of kind ``candidate``."""
        with self._lease(context):
            return self._train(context)

    def _lease(self, context: Context) -> AbstractContextManager[None]:
        if not self.renew_lease_of:
            return nullcontext()
        from stoker.loop.leases import kept

        return kept(broker_of(self.hook.get_conn(), self.renew_lease_of, loop_policy(self.policy)), holder_of(context))

    def _train(self, context: Context) -> Reference:
        settings, store = self.hook.settings, self.hook.get_conn()
        by_name = isinstance(self.dataset, str)
        result: Reference = engine("training").train(
            store,
            dataset=engine("training_rows").newest_of(store, check_name(self.dataset, "dataset"))
            if by_name
            else Reference.from_xcom(self.dataset, "dataset", "validation"),
            estimator=self.estimator,
            estimator_params=self.estimator_params or {},
            target=self.target,
            features=self.features,
            id_columns=tuple(self.id_columns),
            time_column=self.time_column,
            history=self.history,
            split=self.split,
            test_size=number(self.test_size, "test_size"),
            search=self.search,
            param_grid=self.param_grid,
            search_iterations=number(self.search_iterations, "search_iterations", int),
            cv=number(self.cv, "cv", int),
            scoring=self.scoring,
            random_state=number(self.random_state, "random_state", int),
            learning_curve=self.learning_curve,
            cache=self.cache,
            origin=task_key(context),
            max_threads=settings.max_threads,
            trusted=settings.trusted_types,
        )
        return result
