"""How well the model in office predicts, on labels that came late."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.sdk import SkipMixin

from stoker.core.clock import from_text
from stoker.core.durations import as_duration
from stoker.core.names import check_name
from stoker.core.records import Reference
from stoker.errors import ConfigurationError, GateFailed, UsageError
from stoker.operators._base import StokerOperator, engine, followers
from stoker.operators._loop import section_with
from stoker.operators._pinned import pinned_version
from stoker.store.documents import get_document

if TYPE_CHECKING:
    from airflow.sdk import Context

    from stoker.core.performance import PerformancePolicy

ON_FAILURE = ("continue", "skip", "fail")


class MonitorPerformanceOperator(StokerOperator, SkipMixin):
    """Compare what the champion predicted with what came true.

    Judges the newest cohorts of predictions whose label delay is over, so the answer is final however late, often and out of order labels
    arrive. ``fail``: the champion is worse than at its own evaluation, surely enough, or breaks a threshold. With too few labels there is
    no verdict: those that are there may be the easy ones. The verdict is always written, with its reasons. Where
    :class:`~stoker.operators.predict.BatchPredictOperator` let another version score the same rows, the summary's ``shadow`` compares
    the two; without labels enough, or with several such versions, it is ``None``.

    :param name: the registered model.
    :param labels: the name of the dataset that holds them, all of its partitions; or what a snapshot or validation task returned, or a
        list of that.
    :param label_column: default: the target of the model.
    :param id_columns: the columns by which predictions and labels are joined.
    :param label_delay: how long after its last row a cohort's labels are complete: a ``timedelta``, seconds, or a text such as ``7d``.
    :param as_of: the moment that decides what has matured, as ISO 8601 with a zone. Default: the end of the run's data interval, else the
        time that the run was due after.
    :param window: judge the cohort of this partition as if it were the newest.
    :param policy: the path of a YAML policy file, of which section ``performance`` is used. The arguments below win over it.
    :param thresholds: metric to bounds, such as ``{"roc_auc": {"min": 0.7}}``.
    :param max_drop: by how much it may be worse than at its evaluation; in units of the metric.
    :param min_coverage: the share of predicted rows that must have labels.
    :param on_failure: when the verdict is ``fail``: ``continue``; ``skip`` what follows; ``fail`` the task.
    """

    template_fields: Sequence[str] = (
        "name", "labels", "label_column", "id_columns", "label_delay", "as_of", "window", "policy", "thresholds", "max_drop",
        "min_coverage", "on_failure", *StokerOperator.template_fields,
    )  # fmt: skip
    template_fields_renderers: ClassVar[dict[str, str]] = {"thresholds": "json"}

    def __init__(
        self,
        *,
        name: str,
        labels: Any,
        id_columns: Sequence[str],
        label_column: str | None = None,
        label_delay: timedelta | float | str | None = None,
        as_of: datetime | str | None = None,
        window: str | None = None,
        policy: str | None = None,
        thresholds: Mapping[str, Mapping[str, float]] | None = None,
        max_drop: float | None = None,
        min_coverage: float | None = None,
        on_failure: str = "continue",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.name = name
        self.labels = labels
        self.id_columns = id_columns
        self.label_column = label_column
        self.label_delay = label_delay
        self.as_of = as_of
        self.window = window
        self.policy = policy
        self.thresholds = thresholds
        self.max_drop = max_drop
        self.min_coverage = min_coverage
        self.on_failure = on_failure

    def step(self, context: Context) -> Reference:
        """Judge, and return a reference of kind ``performance``."""
        if self.on_failure not in ON_FAILURE:
            raise ConfigurationError(f"on_failure must be one of {', '.join(ON_FAILURE)}; got {self.on_failure!r}.")
        champion = pinned_version(self.hook.registry, self.name, "champion", context)
        reference: Reference = engine("performance").monitor_performance(
            self.hook.get_conn(),
            model=self.name,
            version_number=champion.number if champion else None,
            manifest=champion.manifest if champion else None,
            labels=self._labels(),
            label_column=self.label_column or None,
            id_columns=list(self.id_columns),
            as_of=_moment(self.as_of, context),
            policy=self._policy(),
            window=self.window or None,
            manifest_of=lambda number: self.hook.registry.version(self.name, number).manifest,
            max_threads=self.hook.settings.max_threads,
        )
        return reference

    def conclude(self, context: Context, reference: Reference) -> None:
        """Let the run go on, or not. The verdict stands either way."""
        if reference.verdict != "fail" or self.on_failure == "continue":
            return
        self.publish(context, reference)
        if self.on_failure == "fail":
            raise GateFailed(f"The model in office must keep its quality; {' '.join(reference.summary['reasons'])}")
        self.skip(context["ti"], followers(context))

    def _labels(self) -> str | list[dict[str, Any]]:
        if isinstance(self.labels, str):
            return check_name(self.labels, "dataset")
        store = self.hook.get_conn()
        given = self.labels if isinstance(self.labels, Sequence) else [self.labels]
        references = [Reference.from_xcom(value, "dataset", "validation") for value in given]
        follow = engine("training_rows").follow
        return [get_document(store, follow(store, reference)[0], "dataset") for reference in references]

    def _policy(self) -> PerformancePolicy:
        given = {
            "thresholds": self.thresholds,
            "max_drop": self.max_drop,
            "min_coverage": self.min_coverage,
            "label_delay": None if self.label_delay in {None, ""} else as_duration(self.label_delay, "label_delay"),
        }
        policy: PerformancePolicy = section_with("performance", self.policy, given)
        return policy


def _moment(as_of: Any, context: Context) -> datetime:
    """The moment that a run stands for: what the argument says, else its data interval's end, else when it was due."""
    given = as_of or context.get("data_interval_end") or context["dag_run"].run_after
    try:
        return from_text(given.isoformat() if isinstance(given, datetime) else str(given))
    except ValueError as error:
        raise UsageError(f"as_of must be a time with a zone, such as 2026-11-21T12:00:00Z; got {given!r}.") from error
