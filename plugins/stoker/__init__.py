"""Stoker keeps machine-learning models trained, inside the Airflow that you already run.

The public names below are imported on first use, so that parsing a DAG pays only for what the DAG names.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from stoker.assets import alert_asset, data_asset, landing_asset, model_asset, predictions_asset, retrain_asset
    from stoker.factory import continuous_training_dags, partitions_of
    from stoker.hooks.registry import StokerHook
    from stoker.loop.broker import Broker
    from stoker.loop.spec import LoopSpec
    from stoker.operators.approve import ApproveModelOperator
    from stoker.operators.drift import MonitorDriftOperator
    from stoker.operators.evaluate import EvaluateModelOperator
    from stoker.operators.performance import MonitorPerformanceOperator
    from stoker.operators.predict import BatchPredictOperator, MergePredictionsOperator, PlanPredictionsOperator
    from stoker.operators.profile import PlanProfilesOperator, ProfileWindowsOperator
    from stoker.operators.promote import PromoteModelOperator, RollbackModelOperator
    from stoker.operators.register import RegisterModelOperator
    from stoker.operators.retrain import ClaimRetrainOperator, RequestRetrainOperator, SettleRetrainOperator
    from stoker.operators.snapshot import SnapshotDatasetOperator
    from stoker.operators.train import TrainModelOperator
    from stoker.operators.triage import TriageOperator
    from stoker.operators.validate import ValidateDataOperator
    from stoker.registry.registry import Registry
    from stoker.sensors.alias import ModelAliasSensor
    from stoker.sensors.labels import LabelsMaturedSensor
    from stoker.sensors.new_data import NewDataSensor
    from stoker.store.opening import open_store
    from stoker.triggers.alert_queue import AlertQueueEventTrigger
    from stoker.triggers.new_data import NewDataEventTrigger
    from stoker.triggers.requests import RetrainRequestTrigger

_HOME = {
    "AlertQueueEventTrigger": "stoker.triggers.alert_queue",
    "ApproveModelOperator": "stoker.operators.approve",
    "BatchPredictOperator": "stoker.operators.predict",
    "Broker": "stoker.loop.broker",
    "ClaimRetrainOperator": "stoker.operators.retrain",
    "EvaluateModelOperator": "stoker.operators.evaluate",
    "LabelsMaturedSensor": "stoker.sensors.labels",
    "LoopSpec": "stoker.loop.spec",
    "MergePredictionsOperator": "stoker.operators.predict",
    "ModelAliasSensor": "stoker.sensors.alias",
    "MonitorDriftOperator": "stoker.operators.drift",
    "MonitorPerformanceOperator": "stoker.operators.performance",
    "NewDataEventTrigger": "stoker.triggers.new_data",
    "NewDataSensor": "stoker.sensors.new_data",
    "PlanPredictionsOperator": "stoker.operators.predict",
    "PlanProfilesOperator": "stoker.operators.profile",
    "ProfileWindowsOperator": "stoker.operators.profile",
    "PromoteModelOperator": "stoker.operators.promote",
    "RegisterModelOperator": "stoker.operators.register",
    "Registry": "stoker.registry.registry",
    "RequestRetrainOperator": "stoker.operators.retrain",
    "RetrainRequestTrigger": "stoker.triggers.requests",
    "RollbackModelOperator": "stoker.operators.promote",
    "SettleRetrainOperator": "stoker.operators.retrain",
    "SnapshotDatasetOperator": "stoker.operators.snapshot",
    "StokerHook": "stoker.hooks.registry",
    "TrainModelOperator": "stoker.operators.train",
    "TriageOperator": "stoker.operators.triage",
    "ValidateDataOperator": "stoker.operators.validate",
    "alert_asset": "stoker.assets",
    "continuous_training_dags": "stoker.factory",
    "data_asset": "stoker.assets",
    "landing_asset": "stoker.assets",
    "model_asset": "stoker.assets",
    "open_store": "stoker.store.opening",
    "partitions_of": "stoker.factory",
    "predictions_asset": "stoker.assets",
    "retrain_asset": "stoker.assets",
}

__all__ = [
    "AlertQueueEventTrigger",
    "ApproveModelOperator",
    "BatchPredictOperator",
    "Broker",
    "ClaimRetrainOperator",
    "EvaluateModelOperator",
    "LabelsMaturedSensor",
    "LoopSpec",
    "MergePredictionsOperator",
    "ModelAliasSensor",
    "MonitorDriftOperator",
    "MonitorPerformanceOperator",
    "NewDataEventTrigger",
    "NewDataSensor",
    "PlanPredictionsOperator",
    "PlanProfilesOperator",
    "ProfileWindowsOperator",
    "PromoteModelOperator",
    "RegisterModelOperator",
    "Registry",
    "RequestRetrainOperator",
    "RetrainRequestTrigger",
    "RollbackModelOperator",
    "SettleRetrainOperator",
    "SnapshotDatasetOperator",
    "StokerHook",
    "TrainModelOperator",
    "TriageOperator",
    "ValidateDataOperator",
    "__version__",
    "alert_asset",
    "continuous_training_dags",
    "data_asset",
    "landing_asset",
    "model_asset",
    "open_store",
    "partitions_of",
    "predictions_asset",
    "retrain_asset",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'stoker' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return __all__
