"""What a model predicted, partition by partition, and when the labels of it are complete."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from stoker.core import clock as time
from stoker.errors import UnsuitableData
from stoker.store import partitions
from stoker.store.base import ObjectStore
from stoker.store.documents import get_document

STAGE = "predictions"
"""Predictions are a dataset of this stage, under the name of the model and the partition that was scored."""


@dataclass(frozen=True)
class Cohort:
    """The rows that were predicted together: one partition of a model's predictions.

    :param digest: of the dataset document of the predictions.
    """

    partition: str
    digest: str
    document: Mapping[str, Any]

    @property
    def version(self) -> int:
        """The version that made the predictions."""
        return scored_by(self.document)

    @property
    def shadow(self) -> int | None:
        """The version that scored the same rows beside, without consequence; ``None`` when there is none, or it failed."""
        made_by = self.document["source"][0]
        number: int | None = None if made_by.get("shadow_failure") else made_by.get("shadow_version")
        return number

    @property
    def end(self) -> str | None:
        """The time of its last row."""
        end: str | None = self.document["time_max"]
        return end

    def trained(self, candidate: Mapping[str, Any]) -> bool:
        """Whether a model learned from these rows: its own predictions of them say nothing about how good it is.

        The last partition of a training, and all of the same dataset that sort before it, count as learned.

        :param candidate: the content of the model's candidate document.
        """
        if self.document["parent"] in candidate["datasets"]:
            return True
        last, same = candidate["partition"], self.document["source"][0]["dataset"] == candidate["dataset_name"]
        return same and last is not None and self.partition <= last

    def matured(self, as_of: datetime, label_delay: timedelta) -> bool:
        """Whether its labels are complete by then.

        :param label_delay: how long after its last row that is.
        :raises UnsuitableData: when a delay is given and the predictions carry no time to add it to.
        """
        if self.end is not None:
            return time.from_text(self.end) + label_delay <= as_of
        if label_delay:
            raise UnsuitableData(
                f"A label delay needs predictions with a time column; those of partition {self.partition!r} have none. Score with "
                "time_column, or without a label delay."
            )
        return True


def cohorts(store: ObjectStore, model: str, *, until: str | None = None) -> list[Cohort]:
    """All partitions of a model's predictions, in the order of their names.

    :param until: the last one wanted.
    """
    known = partitions.partitions(store, model, STAGE, until=until)
    return [Cohort(partition, digest, get_document(store, digest, "dataset")) for partition, digest in known]


def cohort_of(store: ObjectStore, model: str, partition: str | None = None) -> Cohort | None:
    """One partition of a model's predictions, the last one by default; ``None`` when there is none."""
    pointer = (
        partitions.last_pointer(store, model, STAGE)
        if partition is None
        else partitions.newest_pointer(store, model, STAGE, partition)
    )
    if pointer is None:
        return None
    return Cohort(pointer["partition"], pointer["snapshot"], get_document(store, pointer["snapshot"], "dataset"))


def unscored(store: ObjectStore, model: str, dataset: str) -> list[str]:
    """The digests of the snapshots of a dataset that the model's predictions do not rest on yet, oldest partition first."""
    scored = {
        get_document(store, digest, "dataset")["parent"] for _, digest in partitions.partitions(store, model, STAGE)
    }
    return [digest for _, digest in partitions.usable_partitions(store, dataset) if digest not in scored]


def scored_by(document: Mapping[str, Any]) -> int:
    """The number of the version that made a document of predictions."""
    number: int = document["source"][0]["version"]
    return number
