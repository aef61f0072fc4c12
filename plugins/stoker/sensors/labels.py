"""Wait until predictions can be judged."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from stoker.core.durations import as_duration
from stoker.sensors._base import StokerSensor
from stoker.triggers.labels import LabelsMaturedTrigger


class LabelsMaturedSensor(StokerSensor):
    """Wait until the labels of a cohort of predictions are complete: its label delay is over, and enough rows have one.

    Returns a reference of kind ``predictions``. A cohort that does not exist yet is waited for. This is the one place where waiting is
    by the clock; what is judged afterwards depends on the data alone.

    :param name: the registered model.
    :param labels: the name of the dataset that holds the labels.
    :param id_columns: the columns by which predictions and labels are joined.
    :param label_column: default: the target of the version that made the predictions.
    :param label_delay: how long after its last row a cohort's labels are complete: a ``timedelta``, seconds, or a text such as ``7d``.
    :param min_coverage: the share of predicted rows that must have a label.
    :param partition: the cohort; the newest one by default.
    """

    template_fields: Sequence[str] = (
        "name", "labels", "id_columns", "label_column", "label_delay", "min_coverage", "partition",
        *StokerSensor.template_fields,
    )  # fmt: skip

    def __init__(
        self,
        *,
        name: str,
        labels: str,
        id_columns: Sequence[str],
        label_column: str | None = None,
        label_delay: timedelta | float | str = 0.0,
        min_coverage: float | str = 0.8,
        partition: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.name = name
        self.labels = labels
        self.id_columns = id_columns
        self.label_column = label_column
        self.label_delay = label_delay
        self.min_coverage = min_coverage
        self.partition = partition

    def make_trigger(self, **common: Any) -> LabelsMaturedTrigger:
        """Looks how many rows of the cohort have a label."""
        return LabelsMaturedTrigger(
            name=self.name,
            labels=self.labels,
            id_columns=self.id_columns,
            label_column=self.label_column,
            delay_seconds=as_duration(self.label_delay, "label_delay").total_seconds(),
            min_coverage=float(self.min_coverage),
            partition=self.partition,
            **common,
        )
