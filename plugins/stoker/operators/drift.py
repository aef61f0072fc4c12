"""Data against the profile of the model in office."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.sdk import AssetAlias, SkipMixin

from stoker.assets import alert_asset
from stoker.core.names import check_name
from stoker.core.records import Reference
from stoker.errors import ConfigurationError, VerdictError
from stoker.operators._base import StokerOperator, engine, followers, task_key
from stoker.operators._loop import section_with

if TYPE_CHECKING:
    from airflow.sdk import Context

    from stoker.core.drift import DriftPolicy

ON_ALERT = ("continue", "fail", "skip")

_SHOWN = 10  # windows in a summary


class MonitorDriftOperator(StokerOperator, SkipMixin):
    """Judge whether data has drifted from what the model in office was trained on.

    A column has drifted when its effect size reaches a threshold, which its own reference calibrates, and is significant after a
    correction for the number of columns. An alarm needs ``min_violations`` of the last ``windows`` windows, and one incident is one
    alert. Of the reference only the stored profile is read. The verdict is ``fail`` while an incident is open, ``insufficient_data``
    for too few rows, and ``not_configured`` while there is no champion.

    An alert, and nothing else, emits the asset ``x-stoker://alert/<name>`` (:func:`~stoker.assets.alert_asset`): schedule a DAG on it.

    :param name: the registered model.
    :param current: what a snapshot, validation or scoring task returned; or the name of a dataset: every partition, validated ones if
        there are any, that was not judged yet against the version in office and lies after those that it was trained on, in order. A
        partition with broken data is the last of a run; the next run goes on behind it.
    :param baseline: the alias of the version to compare with; ``champion`` by default.
    :param window: with a reference: the key of the window, by default its partition. With a name: only this partition.
    :param predictions: what the scoring task returned, to judge the predictions as well; by default the model's newest about the same
        window, as far as the version in office made them.
    :param policy: the path of a YAML policy file, of which the section ``drift`` counts. The arguments below win over it.
    :param num_method: effect size of numeric columns: ``wasserstein``, ``jensenshannon``, ``psi`` or ``ks``.
    :param cat_method: effect size of texts and booleans: ``jensenshannon``, ``psi``, ``chisquare``, ``TVD`` or ``l_infinity``.
    :param threshold: the least effect size of a drift; the method's own by default.
    :param per_column_method: column to method.
    :param per_column_threshold: column to threshold.
    :param alpha: the share of windows without drift in which any column may be called drifted.
    :param correction: ``bh``, ``holm`` or ``none``.
    :param windows: how many windows back an alarm looks.
    :param min_violations: how many of those must have drifted.
    :param cooldown: the least time between two alerts, such as ``1d`` or a ``timedelta``, from window end to window end.
    :param min_rows: rows of a window below which there is no verdict.
    :param report: when Evidently's HTML report is made: ``on_alert``, ``always`` or ``never``. No verdict depends on it.
    :param on_alert: while an incident is open: ``continue``; ``skip`` what follows; ``fail`` the task, which emits no asset then.
    :param outlets: assets of your own, emitted as usual whenever the task succeeds.
    """

    template_fields: Sequence[str] = (
        "name", "current", "baseline", "window", "predictions", "policy", "num_method", "cat_method", "threshold", "per_column_method",
        "per_column_threshold", "alpha", "correction", "windows", "min_violations", "cooldown", "min_rows", "report", "on_alert",
        *StokerOperator.template_fields,
    )  # fmt: skip
    template_fields_renderers: ClassVar[dict[str, str]] = {"per_column_method": "json", "per_column_threshold": "json"}

    def __init__(
        self,
        *,
        name: str,
        current: Any,
        baseline: str = "champion",
        window: str | None = None,
        predictions: Any = None,
        policy: str | None = None,
        num_method: str | None = None,
        cat_method: str | None = None,
        threshold: float | None = None,
        per_column_method: Mapping[str, str] | None = None,
        per_column_threshold: Mapping[str, float] | None = None,
        alpha: float | None = None,
        correction: str | None = None,
        windows: int | None = None,
        min_violations: int | None = None,
        cooldown: timedelta | str | None = None,
        min_rows: int | None = None,
        report: str = "on_alert",
        on_alert: str = "continue",
        outlets: Sequence[Any] = (),
        **kwargs: Any,
    ) -> None:
        # A plain asset would tell of an alert whenever the task succeeds; an alias tells only of what is added to it.
        super().__init__(outlets=[*outlets, AssetAlias(f"stoker.alert.{name}")], **kwargs)
        self.name = name
        self.current = current
        self.baseline = baseline
        self.window = window
        self.predictions = predictions
        self.policy = policy
        self.num_method = num_method
        self.cat_method = cat_method
        self.threshold = threshold
        self.per_column_method = per_column_method
        self.per_column_threshold = per_column_threshold
        self.alpha = alpha
        self.correction = correction
        self.windows = windows
        self.min_violations = min_violations
        self.cooldown = cooldown
        self.min_rows = min_rows
        self.report = report
        self.on_alert = on_alert

    def step(self, context: Context) -> Reference:
        """Judge all windows in question, and return the reference of the last, of kind ``drift``."""
        if self.on_alert not in ON_ALERT:
            raise ConfigurationError(f"on_alert must be one of {', '.join(ON_ALERT)}; got {self.on_alert!r}.")
        check_name(self.name, "model")
        drift, drift_windows, store = engine("drift"), engine("drift_windows"), self.hook.get_conn()
        policy, report = self._policy(), engine("drift_report").ReportPolicy(self.report)
        office = drift_windows.office_of(self.hook.registry, self.name, self.baseline)
        run = task_key(context)
        windows = self._windows(office, run)
        judged: list[Reference] = []
        for window in windows:
            reference = drift.monitor_drift(
                store, model=self.name, office=office, current=window, policy=policy, report=report, run=run
            )
            judged.append(reference)
            self.log.info(
                "Judged %d of %d windows; %s: %s.", len(judged), len(windows), window.window, reference.verdict
            )
            if reference.verdict == "fail" and "data_quality" in reference.summary["kinds"]:
                break  # what follows this task must hear of it, and hears of the last window alone
        if not judged:
            nothing: Reference = drift.nothing_to_judge(store, self.name, office, self.current)
            return nothing
        return _together(judged)

    def conclude(self, context: Context, reference: Reference) -> None:
        """Emit the alert asset when there is an alert, and let the run go on or not."""
        if reference.summary["alert"]:
            self._emit(context, reference)
        if reference.verdict != "fail" or self.on_alert == "continue":
            return
        self.publish(context, reference)
        if self.on_alert == "fail":
            raise VerdictError(f"The data must not have drifted; {' '.join(reference.summary['reasons'])}")
        self.skip(context["ti"], followers(context))

    def _emit(self, context: Context, reference: Reference) -> None:
        alias = next(
            one for one in self.outlets if isinstance(one, AssetAlias) and one.name.startswith("stoker.alert.")
        )
        told = ("model", "version", "window", "alerted", "reasons")
        extra = {**{name: reference.summary[name] for name in told}, "drift": reference.digest}
        context["outlet_events"][alias].add(alert_asset(self.name), extra=extra)

    def _windows(self, office: Any, run: str) -> list[Any]:
        store = self.hook.get_conn()
        if not isinstance(self.current, str):
            reference = Reference.from_xcom(self.current, "dataset", "validation", "predictions")
            predictions = None if self.predictions is None else Reference.from_xcom(self.predictions, "predictions")
            return [
                engine("drift").current_of(store, self.name, reference, window=self.window, predictions=predictions)
            ]
        windows: list[Any] = engine("drift_windows").pending(
            store, office, check_name(self.current, "dataset"), run=run, window=self.window
        )
        return windows

    def _policy(self) -> DriftPolicy:
        given = {
            "num_method": self.num_method,
            "cat_method": self.cat_method,
            "threshold": self.threshold,
            "per_column_method": self.per_column_method,
            "per_column_threshold": self.per_column_threshold,
            "alpha": self.alpha,
            "correction": self.correction,
            "windows": self.windows,
            "min_violations": self.min_violations,
            "cooldown": self.cooldown,
            "min_rows": self.min_rows,
        }
        policy: DriftPolicy = section_with("drift", self.policy, given)
        return policy


def _together(judged: Sequence[Reference]) -> Reference:
    """The last reference, with the alerts of all: when several windows are judged at once, an earlier one may have raised it."""
    last = judged[-1]
    alerted = [one for one in judged if one.summary["alert"]]
    return replace(
        last,
        summary={
            **last.summary,
            "alert": bool(alerted),
            "alerted": sorted({kind for one in alerted for kind in one.summary["alerted"]}),
            "due": sorted({kind for one in judged for kind in one.summary["due"]}),
            "windows": [one.summary["window"] for one in judged[-_SHOWN:]],
        },
    )
