"""The arguments of each step of a loop, from its spec: the same whether the steps are tasks of their own or fused in one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from stoker.loop.spec import LoopSpec

REASON = "{{ params.get('reason') or 'trained by ' ~ dag.dag_id }}"


@dataclass(frozen=True)
class Steps:
    """What each operator of a loop is given, apart from what earlier steps return.

    :param spec: the model.
    """

    spec: LoopSpec

    def claim(self) -> dict[str, Any]:
        """Of :class:`~stoker.operators.retrain.ClaimRetrainOperator`."""
        spec = self.spec
        return {
            "name": spec.name,
            "policy": spec.policy,
            "source": spec.source,
            "pattern": spec.pattern,
            "partition": spec.partition,
            "dataset": spec.dataset,
            "stable_seconds": spec.stable_seconds,
            **self._store(),
        }

    def snapshot(self) -> dict[str, Any]:
        """Of :class:`~stoker.operators.snapshot.SnapshotDatasetOperator`."""
        return {"dataset": self.spec.dataset, "time_column": self.spec.time_column, **self._store()}

    def validate(self) -> dict[str, Any]:
        """Of :class:`~stoker.operators.validate.ValidateDataOperator`."""
        spec = self.spec
        return {
            "expectations": spec.expectations if isinstance(spec.expectations, str) else list(spec.expectations),
            "on_failure": "quarantine",
            "max_quarantine_share": spec.max_quarantine_share,
            "personal_columns": list(spec.personal_columns),
            **self._store(),
        }

    def train(self) -> dict[str, Any]:
        """Of :class:`~stoker.operators.train.TrainModelOperator`."""
        spec = self.spec
        return {
            "dataset": spec.dataset,
            "estimator": spec.estimator,
            "target": spec.target,
            "features": None if spec.features is None else list(spec.features),
            "id_columns": list(spec.id_columns),
            "time_column": spec.time_column,
            "renew_lease_of": spec.name,
            "policy": spec.policy,
            **spec.training,
            **self._store(),
        }

    def evaluate(self) -> dict[str, Any]:
        """Of :class:`~stoker.operators.evaluate.EvaluateModelOperator`."""
        return {"name": self.spec.name, "policy": self.spec.policy, **self._store()}

    def register(self) -> dict[str, Any]:
        """Of :class:`~stoker.operators.register.RegisterModelOperator`."""
        return {"name": self.spec.name, "reason": REASON, **self._store()}

    def approve(self) -> dict[str, Any]:
        """Of :class:`~stoker.operators.approve.ApproveModelOperator`."""
        timeout = timedelta(hours=self.spec.approval_hours)
        return {"name": self.spec.name, "timeout": timeout, "reason": REASON, **self._store()}

    def promote(self) -> dict[str, Any]:
        """Of :class:`~stoker.operators.promote.PromoteModelOperator`."""
        return {
            "name": self.spec.name,
            "require_approval": self.spec.approval or None,
            "reason": REASON,
            **self._store(),
        }

    def settle(self) -> dict[str, Any]:
        """Of :class:`~stoker.operators.retrain.SettleRetrainOperator`."""
        return {"name": self.spec.name, "policy": self.spec.policy, **self._store()}

    def predict(self) -> dict[str, Any]:
        """Of :class:`~stoker.operators.predict.BatchPredictOperator` in one task."""
        return {**self.predict_share(), "dataset": self.spec.dataset, "shadow": self.spec.shadow}

    def plan_predictions(self) -> dict[str, Any]:
        """Of :class:`~stoker.operators.predict.PlanPredictionsOperator`."""
        spec = self.spec
        return {
            "model": f"{spec.name}@champion",
            "dataset": spec.dataset,
            "shadow": spec.shadow,
            "max_tasks": spec.parallel,
            **self._store(),
        }

    def predict_share(self) -> dict[str, Any]:
        """Of :class:`~stoker.operators.predict.BatchPredictOperator` in mapped tasks, but for the share of each."""
        spec = self.spec
        return {"model": f"{spec.name}@champion", "id_columns": list(spec.id_columns), **self._store()}

    def merge_predictions(self) -> dict[str, Any]:
        """Of :class:`~stoker.operators.predict.MergePredictionsOperator`."""
        return self._store()

    def drift(self) -> dict[str, Any]:
        """Of :class:`~stoker.operators.drift.MonitorDriftOperator`."""
        return {"name": self.spec.name, "current": self.spec.dataset, "policy": self.spec.policy, **self._store()}

    def plan_profiles(self) -> dict[str, Any]:
        """Of :class:`~stoker.operators.profile.PlanProfilesOperator`."""
        spec = self.spec
        return {"name": spec.name, "current": spec.dataset, "max_tasks": spec.parallel, **self._store()}

    def profile(self) -> dict[str, Any]:
        """Of :class:`~stoker.operators.profile.ProfileWindowsOperator`."""
        return {"name": self.spec.name, **self._store()}

    def performance(self) -> dict[str, Any]:
        """Of :class:`~stoker.operators.performance.MonitorPerformanceOperator`."""
        spec = self.spec
        return {
            "name": spec.name,
            "labels": spec.dataset,
            "label_column": spec.target,
            "id_columns": list(spec.id_columns),
            "label_delay": None if spec.label_delay_hours is None else spec.label_delay_hours * 3600,
            "policy": spec.policy,
            **self._store(),
        }

    def triage(self) -> dict[str, Any]:
        """Of :class:`~stoker.operators.triage.TriageOperator`."""
        return {"name": self.spec.name, "policy": self.spec.policy, **self._store()}

    def _store(self) -> dict[str, Any]:
        return {"stoker_conn_id": self.spec.stoker_conn_id, "store": self.spec.store}
