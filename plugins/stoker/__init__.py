"""Stoker keeps machine-learning models trained, inside the Airflow that you already run.

The public names below are imported on first use, so that parsing a DAG pays only for what the DAG names.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from stoker.assets import model_asset
    from stoker.hooks.registry import StokerHook
    from stoker.operators.evaluate import EvaluateModelOperator
    from stoker.operators.promote import PromoteModelOperator, RollbackModelOperator
    from stoker.operators.register import RegisterModelOperator
    from stoker.operators.snapshot import SnapshotDatasetOperator
    from stoker.operators.train import TrainModelOperator
    from stoker.operators.validate import ValidateDataOperator
    from stoker.registry.registry import Registry
    from stoker.store.opening import open_store

_HOME = {
    "EvaluateModelOperator": "stoker.operators.evaluate",
    "PromoteModelOperator": "stoker.operators.promote",
    "RegisterModelOperator": "stoker.operators.register",
    "Registry": "stoker.registry.registry",
    "RollbackModelOperator": "stoker.operators.promote",
    "SnapshotDatasetOperator": "stoker.operators.snapshot",
    "StokerHook": "stoker.hooks.registry",
    "TrainModelOperator": "stoker.operators.train",
    "ValidateDataOperator": "stoker.operators.validate",
    "model_asset": "stoker.assets",
    "open_store": "stoker.store.opening",
}

__all__ = [
    "EvaluateModelOperator",
    "PromoteModelOperator",
    "RegisterModelOperator",
    "Registry",
    "RollbackModelOperator",
    "SnapshotDatasetOperator",
    "StokerHook",
    "TrainModelOperator",
    "ValidateDataOperator",
    "__version__",
    "model_asset",
    "open_store",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'stoker' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return __all__
