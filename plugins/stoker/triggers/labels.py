"""Labels that are complete enough let a waiting task go on."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from stoker.core import clock as time
from stoker.core.records import Reference
from stoker.loop.cohorts import Cohort, cohort_of
from stoker.store import layout
from stoker.triggers.waiting import WaitingTrigger


class LabelsMaturedTrigger(WaitingTrigger):
    """For a task that waits: fires when the labels of a cohort of predictions are complete.

    :param name: the registered model.
    :param labels: the name of the dataset that holds the labels.
    :param id_columns: the columns by which predictions and labels are joined.
    :param label_column: default: the target of the version that made the predictions.
    :param delay_seconds: how long after its last row a cohort's labels are complete.
    :param min_coverage: the share of predicted rows that must have a label.
    :param partition: the cohort; the newest one by default.
    """

    def __init__(
        self,
        *,
        name: str,
        labels: str,
        id_columns: Sequence[str],
        label_column: str | None = None,
        delay_seconds: float = 0.0,
        min_coverage: float = 0.8,
        partition: str | None = None,
        clock: time.Clock = time.system_clock,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.name = name
        self.labels = labels
        self.id_columns = list(id_columns)
        self.label_column = label_column
        self.delay_seconds = delay_seconds
        self.min_coverage = min_coverage
        self.partition = partition
        self._clock = clock

    def arguments(self) -> dict[str, Any]:
        """The arguments of its own."""
        names = ("name", "labels", "id_columns", "label_column", "delay_seconds", "min_coverage", "partition")
        return {name: getattr(self, name) for name in names}

    def look(self) -> Reference | None:
        """A reference of kind ``predictions``, once enough of the cohort's rows have a label after the delay."""
        cohort = cohort_of(self.hook.get_conn(), self.name, self.partition)
        if cohort is None or not cohort.matured(self._clock(), timedelta(seconds=self.delay_seconds)):
            return None
        labelled = self._labelled(cohort)
        rows = cohort.document["rows"]
        self.log.info("%d of %d rows of cohort %s have a label.", labelled, rows, cohort.partition)
        if labelled < self.min_coverage * rows:
            return None
        return Reference(
            kind="predictions",
            uri=f"{self.hook.get_conn().uri}/{layout.blob(cohort.digest)}",
            digest=cohort.digest,
            verdict="pass",
            summary={
                "partition": cohort.partition,
                "version": cohort.version,
                "rows": rows,
                "labelled": labelled,
                "reasons": [f"{labelled} of {rows} rows of cohort {cohort.partition} have a label."],
            },
        )

    def _labelled(self, cohort: Cohort) -> int:
        # Not at the top: a triggerer pays for the join only when there is something to join.
        label_join = importlib.import_module("stoker.engines.label_join")
        joined = label_join.join_labels(
            self.hook.get_conn(),
            [cohort],
            labels=self.labels,
            label_column=self.label_column or self._target(cohort),
            id_columns=self.id_columns,
            max_threads=1,
        )
        return int(joined.labelled.sum())

    def _target(self, cohort: Cohort) -> str:
        version = self.hook.registry.version(self.name, cohort.version)
        target: str = version.manifest["candidate"]["target"]
        return target
