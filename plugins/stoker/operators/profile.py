"""Windows counted side by side, ahead of the task that judges whether they have drifted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowSkipException

from stoker.core.names import check_name
from stoker.core.records import Reference
from stoker.loop.plans import Plan, label_of, share_of, shared_out
from stoker.operators._base import StokerOperator, engine
from stoker.operators._plan import PlanOperator

if TYPE_CHECKING:
    from airflow.sdk import Context


class PlanProfilesOperator(PlanOperator):
    """Share the windows that drift is to be looked for in out among mapped :class:`ProfileWindowsOperator` tasks.

    Without a version in office that has a reference profile, or without a new window, the task is skipped with the reason. What follows
    the mapped tasks should run all the same: give it ``trigger_rule="none_failed"``.

    :param name: the registered model.
    :param current: the name of the dataset.
    :param baseline: as of :class:`~stoker.operators.drift.MonitorDriftOperator`.
    :param max_tasks: how many mapped tasks there may be, 1 to 50. With more windows than that a task takes several.
    """

    template_fields: Sequence[str] = ("name", "current", "baseline", *PlanOperator.template_fields)

    def __init__(self, *, name: str, current: str, baseline: str = "champion", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.name = name
        self.current = current
        self.baseline = baseline

    @property
    def model_name(self) -> str:
        """The registered model."""
        return self.name

    def decide(self, context: Context, tasks: int) -> Plan:
        """The version to compare with, and the windows of each task."""
        windows, registry = engine("drift_windows"), self.hook.registry
        office = windows.office_of(registry, self.name, self.baseline)
        if office is None or office.profile is None:
            raise AirflowSkipException(
                f"Nothing to compare with: {self.name}@{self.baseline} has no reference profile."
            )
        found = windows.pending(registry.store, office, check_name(self.current, "dataset"), repeat=False)
        if not found:
            raise AirflowSkipException(f"Nothing to count: {self.current} has no window that was not judged already.")
        shares = [[asdict(one) for one in share] for share in shared_out(found, tasks)]
        labels = [label_of(share[0]["window"], share[-1]["window"]) for share in shares]
        return Plan({"version": office.number}, shares, labels)


class ProfileWindowsOperator(StokerOperator):
    """Count the windows of one share of a plan in the cells of the version in office.

    What is counted is kept in the store under what it follows from, and :class:`~stoker.operators.drift.MonitorDriftOperator` finds it
    there instead of reading the rows. It counts for itself what it does not find, in the same way, so its answer is the same with this
    task or without.

    :param name: the registered model.
    :param windows: one element of the ``output`` of :class:`PlanProfilesOperator`; map over it.
    """

    template_fields: Sequence[str] = ("name", "windows", *StokerOperator.template_fields)

    def __init__(self, *, name: str, windows: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.name = name
        self.windows = windows

    def step(self, context: Context) -> Reference:
        """Count, and return a reference of kind ``profile``."""
        windows, registry = engine("drift_windows"), self.hook.registry
        facts, share = share_of(registry.store, check_name(self.name, "model"), self.windows)
        version = registry.version(self.name, facts["version"])
        reference: Reference = windows.profile_windows(
            registry.store,
            windows.Office(self.name, version.number, version.manifest),
            [windows.Current(one["window"], tuple(one["datasets"]), one["predictions"]) for one in share],
        )
        return reference
