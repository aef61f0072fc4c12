"""The small frozen description from which a model's DAGs are built."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from stoker.core import wire
from stoker.core.names import check_alias, check_name
from stoker.errors import ConfigurationError
from stoker.loop.plans import check_tasks

GRANULARITIES = ("steps", "fused")

_YEAR = 366 * 24


@dataclass(frozen=True, kw_only=True)
class LoopSpec:
    """Everything that :func:`~stoker.factory.continuous_training_dags` needs to know of one model.

    All of it is plain values, so that the same spec gives the same DAGs at every parse and on every machine. The
    estimator alone may be a function.

    :param name: the registered model, which also names the DAGs: ``<name>_train``, ``<name>_score``, ``<name>_monitor``.
    :param estimator: a function that returns an unfitted estimator, or its dotted path.
    :param target: the column to predict.
    :param source: the folder or ``s3://`` prefix in which files land.
    :param partition: a regular expression with one group, which finds the partition in a file's name.
    :param pattern: which files of the folder count.
    :param dataset: the name under which the data is kept. Default: the model's name.
    :param id_columns: columns that together name a row, at least one.
    :param time_column: the column that says when a row happened.
    :param features: columns to learn from. Default: all but target, time and ids.
    :param expectations: what the data must meet: the path of a JSON file, or a list with at least one.
    :param max_quarantine_share: share of rows, 0 to 1, above which a partition is refused.
    :param personal_columns: columns that name or describe a person; see :class:`~stoker.operators.validate.ValidateDataOperator`.
    :param training: further arguments of :class:`~stoker.operators.train.TrainModelOperator`, such as ``test_size``.
    :param policy: the path of a YAML policy file with the sections ``gate``, ``cadence``, ``drift``, ``performance``, ``triage``.
    :param schedule: cron, in UTC: when the loop looks by itself, whatever events were missed.
    :param shadow: the alias of a version that is scored beside the champion, without consequence. ``previous``, so that a regression
        after a promotion is told from data that is hard for every model; or a challenger of yours; ``None`` for none.
    :param label_delay_hours: how long after a row's time its label is known, in hours. Default: the policy's ``label_delay``.
    :param granularity: ``steps``: a task for each step; ``fused``: the same steps of the training in one task, for small
        models, where starting tasks takes longer than the work.
    :param parallel: over how many mapped tasks a run spreads its scoring, and the profiles that drift is found in, at most; 1 to 50.
        With 1 each is one task, which is quicker for the few partitions of an ordinary day.
    :param approval: whether a person has to approve each version before it becomes champion. While it waits the training is over, and
        its lease given back.
    :param approval_hours: how long people have, in hours, at most a year; what nobody answers is rejected.
    :param poll_seconds: how often the folder and the requests are looked at.
    :param stable_seconds: how long a file must stay unchanged before it counts as landed.
    :param stoker_conn_id: the connection that names the store.
    :param store: a store root that wins over the connection's.
    :param tags: further tags of the DAGs.
    :param default_args: Airflow's, for every task; plain values only.
    """

    name: str
    estimator: Callable[..., Any] | str
    target: str
    source: str
    partition: str
    id_columns: Sequence[str]
    expectations: str | Sequence[Mapping[str, Any]]
    pattern: str = "*"
    dataset: str = ""
    time_column: str | None = None
    features: Sequence[str] | None = None
    max_quarantine_share: float = 0.1
    personal_columns: Sequence[str] = ()
    training: Mapping[str, Any] = field(default_factory=lambda: {"history": "all"})
    policy: str | None = None
    schedule: str = "0 6 * * *"
    shadow: str | None = "previous"
    label_delay_hours: float | None = None
    granularity: str = "steps"
    parallel: int = 1
    approval: bool = False
    approval_hours: float = 72.0
    poll_seconds: float = 5.0
    stable_seconds: float = 5.0
    stoker_conn_id: str = "stoker_default"
    store: str | None = None
    tags: Sequence[str] = ()
    default_args: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_name(self.name, "model")
        object.__setattr__(self, "dataset", check_name(self.dataset or self.name, "dataset"))
        if self.shadow is not None:
            check_alias(self.shadow)
        if self.granularity not in GRANULARITIES:
            raise ConfigurationError(
                f"granularity must be one of {', '.join(GRANULARITIES)}; got {self.granularity!r}."
            )
        check_tasks(self.parallel, "parallel")
        if self.approval and self.granularity == "fused":
            raise ConfigurationError(
                "With approval=True granularity must be 'steps': a fused loop promotes in the task that trains, which cannot wait for a "
                "person."
            )
        if not isinstance(self.approval_hours, int | float) or not 0 < self.approval_hours <= _YEAR:
            raise ConfigurationError(
                f"approval_hours must be above 0 and at most {_YEAR}; got {self.approval_hours!r}."
            )
        _check_partition(self.partition)
        if not self.expectations:
            raise ConfigurationError(
                "expectations must hold at least one: rows that nobody checked must not train a model."
            )
        if not self.id_columns:
            raise ConfigurationError("id_columns must name at least one column: scores are joined with labels by it.")
        self._check_plain()

    def to_record(self) -> dict[str, Any]:
        """The spec as JSON; a function is named by its dotted path."""
        return {item.name: self._plain(item.name) for item in fields(self)}

    @property
    def digest(self) -> str:
        """The same for equal specs, on every machine."""
        return wire.digest(self.to_record())

    def _plain(self, name: str) -> Any:
        value = getattr(self, name)
        if name == "estimator" and callable(value):
            return f"{value.__module__}.{value.__qualname__}"
        return list(value) if isinstance(value, tuple) else value

    def _check_plain(self) -> None:
        for item in fields(self):
            try:
                wire.canonical(self._plain(item.name))
            except (TypeError, ValueError) as error:
                raise ConfigurationError(
                    f"{item.name} must be plain values that JSON can hold; {error}. Give durations in hours or seconds."
                ) from error


def _check_partition(pattern: str) -> None:
    try:
        groups = re.compile(pattern).groups
    except (re.error, TypeError) as error:
        raise ConfigurationError(f"partition must be a regular expression; {pattern!r} is none: {error}.") from error
    if groups != 1:
        raise ConfigurationError(
            f"partition must have one group, such as r'flights-(.+)\\.parquet'; {pattern!r} has {groups}."
        )
