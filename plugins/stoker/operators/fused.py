"""The whole training loop in one task, for models that are trained faster than tasks are started."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowSkipException

from stoker.core.records import Reference
from stoker.errors import DataValidationFailed
from stoker.loop.spec import LoopSpec
from stoker.operators._base import StokerOperator
from stoker.operators.evaluate import EvaluateModelOperator
from stoker.operators.promote import PromoteModelOperator
from stoker.operators.register import RegisterModelOperator
from stoker.operators.retrain import ClaimRetrainOperator, SettleRetrainOperator
from stoker.operators.snapshot import SnapshotDatasetOperator
from stoker.operators.steps import Steps
from stoker.operators.train import TrainModelOperator
from stoker.operators.validate import ValidateDataOperator

if TYPE_CHECKING:
    from airflow.sdk import Context


class FusedTrainingOperator(StokerOperator):
    """Claim, snapshot, validate, train, evaluate, register, promote and settle, one after another in this task.

    The steps are those of the operators of these names, with the same arguments, verdicts, versions and reports. What
    each returned is pushed to XCom under the step's name; the task returns the last one. A retry begins anew, and what
    is done already is found done.

    :param spec: the model.
    """

    template_fields: Sequence[str] = StokerOperator.template_fields

    def __init__(self, *, spec: LoopSpec, **kwargs: Any) -> None:
        super().__init__(**{"stoker_conn_id": spec.stoker_conn_id, "store": spec.store, **kwargs})
        self.spec = spec

    def step(self, context: Context) -> Reference:
        """Run the steps, and return the reference of the last one that ran."""
        run = _Run(self, context)
        claim = run.do("claim", ClaimRetrainOperator)
        granted = claim.summary["granted"]
        if not granted and not claim.summary["partitions"]:
            raise AirflowSkipException(f"There is nothing to do: {' '.join(claim.summary['reasons'])}")
        try:
            run.take_in(claim)
            return run.train() if granted else claim
        finally:
            results = run.results("validation", "evaluation", "promotion")
            run.do("settle", SettleRetrainOperator, claim=claim.to_xcom(), **results)


class _Run:
    """One run of the steps, and what they returned so far."""

    def __init__(self, task: FusedTrainingOperator, context: Context) -> None:
        self._task = task
        self._context = context
        self._steps = Steps(task.spec)
        self._returned: dict[str, Any] = {}

    def do(self, name: str, operator: type[StokerOperator], *, returns: str | None = None, **given: Any) -> Reference:
        """Run a step.

        :param returns: the name under which its reference is kept for the last step.
        """
        step = operator(task_id=f"{self._task.task_id}.{name}", **{**getattr(self._steps, name)(), **given})
        step.render_template_fields(self._context)
        self._task.log.info("Step %s", name)
        reference = step.step(self._context)
        step.log_verdict(reference)
        self._context["ti"].xcom_push(key=name, value=reference.to_xcom())
        if returns:
            self._returned[returns] = reference.to_xcom()
        return reference

    def results(self, *names: str) -> dict[str, Any]:
        """What the steps returned, ``None`` for those that did not run."""
        return {name: self._returned.get(name) for name in names}

    def take_in(self, claim: Reference) -> None:
        """Freeze and validate what has landed."""
        for landed in claim.summary["partitions"]:
            snapshot = self.do("snapshot", SnapshotDatasetOperator, **landed)
            validation = self.do("validate", ValidateDataOperator, returns="validation", dataset=snapshot.to_xcom())
            if validation.verdict == "fail":
                raise DataValidationFailed(
                    f"The data must meet its expectations; {' '.join(validation.summary['reasons'])} The whole result: "
                    f"{validation.uri}"
                )

    def train(self) -> Reference:
        """Train and judge, and let the model take over if it passed."""
        model = self.do("train", TrainModelOperator).to_xcom()
        evaluation = self.do("evaluate", EvaluateModelOperator, returns="evaluation", model=model)
        if evaluation.verdict != "pass":
            return evaluation
        version = self.do("register", RegisterModelOperator, model=model, evaluation=evaluation.to_xcom())
        return self.do("promote", PromoteModelOperator, returns="promotion", version=version.to_xcom())
