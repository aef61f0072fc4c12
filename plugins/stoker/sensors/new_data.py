"""Wait until files have landed that are in no snapshot yet."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from stoker.sensors._base import StokerSensor
from stoker.triggers.new_data import NewDataTrigger


class NewDataSensor(StokerSensor):
    """Wait until a finished file has landed that is neither taken into a snapshot nor refused.

    Returns a reference of kind ``landing`` that names the first files. To have a DAG started by files rather than a task held back, use
    :class:`~stoker.triggers.new_data.NewDataEventTrigger`.

    :param source: a folder as an absolute path or ``file:///`` address, or ``s3://bucket/prefix``.
    :param dataset: whose ledger tells which files were taken or refused.
    :param pattern: a glob relative to the source; no wildcard crosses a slash.
    :param stable_seconds: a file counts once it has not changed for this long.
    :param success_marker: such as ``_SUCCESS``: files count as soon as a file of this name lies in their folder.
    """

    template_fields: Sequence[str] = ("source", "dataset", "pattern", "success_marker", *StokerSensor.template_fields)

    def __init__(
        self,
        *,
        source: str,
        dataset: str,
        pattern: str = "*",
        stable_seconds: float = 5,
        success_marker: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.source = source
        self.dataset = dataset
        self.pattern = pattern
        self.stable_seconds = stable_seconds
        self.success_marker = success_marker

    def make_trigger(self, **common: Any) -> NewDataTrigger:
        """Looks for pending files."""
        return NewDataTrigger(
            source=self.source,
            dataset=self.dataset,
            pattern=self.pattern,
            stable_seconds=self.stable_seconds,
            success_marker=self.success_marker,
            **common,
        )
