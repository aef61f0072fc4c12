"""A model's training, scoring and monitoring DAGs, built from one small spec."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import DAG, Asset, AssetOrTimeSchedule, AssetWatcher, BaseOperator, CronTriggerTimetable, Param, task

from stoker.assets import data_asset, landing_asset, model_asset, predictions_asset, retrain_asset
from stoker.loop.spec import LoopSpec
from stoker.operators.approve import ApproveModelOperator
from stoker.operators.drift import MonitorDriftOperator
from stoker.operators.evaluate import EvaluateModelOperator
from stoker.operators.fused import FusedTrainingOperator
from stoker.operators.performance import MonitorPerformanceOperator
from stoker.operators.predict import BatchPredictOperator, MergePredictionsOperator, PlanPredictionsOperator
from stoker.operators.profile import PlanProfilesOperator, ProfileWindowsOperator
from stoker.operators.promote import PromoteModelOperator
from stoker.operators.register import RegisterModelOperator
from stoker.operators.retrain import ClaimRetrainOperator, SettleRetrainOperator
from stoker.operators.snapshot import SnapshotDatasetOperator
from stoker.operators.steps import Steps
from stoker.operators.train import TrainModelOperator
from stoker.operators.triage import TriageOperator
from stoker.operators.validate import ValidateDataOperator
from stoker.triggers.new_data import NewDataEventTrigger
from stoker.triggers.requests import RetrainRequestTrigger

PARAMS = {
    "reason": Param(
        None,
        type=["null", "string"],
        title="Reason",
        maxLength=200,
        description="Why you start this run; kept in the log of requests and in the audit log.",
    ),
}


def continuous_training_dags(spec: LoopSpec) -> tuple[DAG, DAG, DAG]:
    """Build the DAGs that keep one model trained. Airflow finds them where this is called in a DAG file.

    ``<name>_train`` runs when files land, when a retrain is requested, and on its schedule: it takes new files in,
    and where the broker grants it, trains, judges, registers and promotes; with ``approval=True`` once a person has
    approved. ``<name>_score`` scores each new partition with the champion. ``<name>_monitor`` looks for drift and for
    lost quality, and asks for a retrain or rolls back.

    :param spec: the model. The same spec gives the same DAGs.
    :returns: the three DAGs, in this order.
    """
    return training_dag(spec), scoring_dag(spec), monitoring_dag(spec)


def training_dag(spec: LoopSpec) -> DAG:
    """The DAG ``<name>_train``; see :func:`continuous_training_dags`."""
    steps = Steps(spec)
    # More than one: with a limit of one Airflow may hold a wake-up back for half a minute after a run. The broker lets one train.
    # Runs whose version waits for a person count as active for days, and must not keep others from starting.
    runs = 32 if spec.approval else 4
    with _dag(
        spec, "train", landed(spec) | requested(spec), doc=_TRAIN_DOC, params=PARAMS, max_active_runs=runs
    ) as dag:
        if spec.granularity == "fused":
            FusedTrainingOperator(task_id="train", spec=spec, outlets=[data_asset(spec.dataset)])
        else:
            _training_steps(steps)
    return dag


def scoring_dag(spec: LoopSpec) -> DAG:
    """The DAG ``<name>_score``; see :func:`continuous_training_dags`."""
    with _dag(spec, "score", data_asset(spec.dataset), doc=_SCORE_DOC) as dag:
        if spec.parallel == 1:
            BatchPredictOperator(task_id="predict", outlets=[predictions_asset(spec.name)], **Steps(spec).predict())
        else:
            _mapped_predictions(Steps(spec))
    return dag


def monitoring_dag(spec: LoopSpec) -> DAG:
    """The DAG ``<name>_monitor``; see :func:`continuous_training_dags`."""
    steps = Steps(spec)
    with _dag(spec, "monitor", predictions_asset(spec.name), doc=_MONITOR_DOC) as dag:
        # With nothing new to count the tasks before it are skipped, and it repeats its last answer.
        drift = MonitorDriftOperator(task_id="drift", trigger_rule="none_failed", **steps.drift())
        if spec.parallel > 1:
            _mapped_profiles(steps) >> drift
        performance = MonitorPerformanceOperator(task_id="performance", **steps.performance())
        TriageOperator(task_id="triage", drift=drift.output, performance=performance.output, **steps.triage())
    return dag


def landed(spec: LoopSpec) -> Asset:
    """The folder of the spec as an asset that wakes whoever is scheduled on it when a file has landed."""
    trigger = NewDataEventTrigger(
        source=spec.source,
        pattern=spec.pattern,
        dataset=spec.dataset,
        poll_seconds=spec.poll_seconds,
        stable_seconds=spec.stable_seconds,
        stoker_conn_id=spec.stoker_conn_id,
        store=spec.store,
    )
    return landing_asset(
        spec.dataset, spec.source, watchers=[AssetWatcher(name=f"{spec.dataset}_landed", trigger=trigger)]
    )


def requested(spec: LoopSpec) -> Asset:
    """The requests of the model as an asset that wakes whoever is scheduled on it when one is open."""
    trigger = RetrainRequestTrigger(
        name=spec.name,
        policy=spec.policy,
        poll_seconds=spec.poll_seconds,
        stoker_conn_id=spec.stoker_conn_id,
        store=spec.store,
    )
    return retrain_asset(spec.name, watchers=[AssetWatcher(name=f"{spec.name}_requested", trigger=trigger)])


@task(task_id="landed")
def partitions_of(claim: Any) -> list[dict[str, Any]]:
    """The partitions that a claim found, for ``expand_kwargs`` of a snapshot task.

    :param claim: what :class:`~stoker.operators.retrain.ClaimRetrainOperator` returned.
    """
    return list(claim["summary"]["partitions"])


def _training_steps(steps: Steps) -> None:
    claim = ClaimRetrainOperator(task_id="claim", only_with_lease=["train"], **steps.claim())
    snapshot = SnapshotDatasetOperator.partial(task_id="snapshot", **steps.snapshot()).expand_kwargs(
        partitions_of(claim.output)
    )
    validate = ValidateDataOperator.partial(
        task_id="validate", outlets=[data_asset(steps.spec.dataset)], **steps.validate()
    ).expand(dataset=snapshot.output)
    # Without new files there is nothing to validate, and the newest partition is trained on again.
    train = TrainModelOperator(task_id="train", trigger_rule="none_failed_min_one_success", **steps.train())
    [claim, validate] >> train
    evaluate = EvaluateModelOperator(task_id="evaluate", model=train.output, **steps.evaluate())
    register = RegisterModelOperator(
        task_id="register", model=train.output, evaluation=evaluate.output, **steps.register()
    )
    version: BaseOperator = register
    if steps.spec.approval:
        version = ApproveModelOperator(task_id="approve", version=register.output, **steps.approve())
    promote = PromoteModelOperator(
        task_id="promote", version=version.output, outlets=[model_asset(steps.spec.name)], **steps.promote()
    )
    # A run must not hold the lease while a person thinks.
    end = ("registration", register) if steps.spec.approval else ("promotion", promote)
    SettleRetrainOperator(
        task_id="settle",
        claim=claim.output,
        validation=validate.output,
        evaluation=evaluate.output,
        **{end[0]: end[1].output, **steps.settle()},
    ).as_teardown()


def _mapped_predictions(steps: Steps) -> None:
    plan = PlanPredictionsOperator(task_id="plan", **steps.plan_predictions())
    predict = BatchPredictOperator.partial(task_id="predict", **steps.predict_share()).expand(dataset=plan.output)
    MergePredictionsOperator(
        task_id="merge",
        predictions=predict.output,
        outlets=[predictions_asset(steps.spec.name)],
        **steps.merge_predictions(),
    )


def _mapped_profiles(steps: Steps) -> Any:
    plan = PlanProfilesOperator(task_id="windows", **steps.plan_profiles())
    return ProfileWindowsOperator.partial(task_id="profile", **steps.profile()).expand(windows=plan.output)


def _dag(
    spec: LoopSpec,
    step: str,
    assets: Any,
    *,
    doc: str,
    params: dict[str, Any] | None = None,
    max_active_runs: int = 1,
) -> DAG:
    return DAG(
        f"{spec.name}_{step}",
        # The clock is the safety net: whatever events Airflow merged or lost, the truth is in the store. Airflow's default
        # would make up for a tick of hours ago as soon as the DAG is switched on.
        schedule=AssetOrTimeSchedule(
            timetable=CronTriggerTimetable(spec.schedule, timezone="UTC", run_immediately=timedelta(0)), assets=assets
        ),
        catchup=False,
        max_active_runs=max_active_runs,
        tags=["stoker", spec.name, *spec.tags],
        default_args=dict(spec.default_args),
        params=params or {},
        doc_md=doc,
    )


_TRAIN_DOC = "Takes landed files in and, where the broker grants it, trains, judges, registers and promotes."
_SCORE_DOC = "Scores each new partition with the champion."
_MONITOR_DOC = "Looks for drift and lost quality; asks for a retrain or rolls back."
