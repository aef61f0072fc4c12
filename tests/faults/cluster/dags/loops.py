"""Several small loops side by side, whose tasks can be held up at any of their calls."""

from __future__ import annotations

import os
from pathlib import Path

import dying
from airflow.sdk.listener import get_listener_manager

from stoker import LoopSpec, continuous_training_dags

POLICY = str(Path(__file__).resolve().parents[1] / "include/policy.yaml")
MODELS = os.environ["STOKER_MODELS"].split()
LANDING = os.environ["STOKER_LANDING"]

if not get_listener_manager().pm.is_registered(dying):
    get_listener_manager().add_listener(dying)

for model in MODELS:
    continuous_training_dags(
        LoopSpec(
            name=model,
            estimator="sklearn.linear_model.LogisticRegression",
            target="answer",
            source=f"{LANDING}/{model}",
            pattern="*.parquet",
            partition=r"(\d{4})\.parquet",
            id_columns=["id"],
            time_column="moment",
            expectations=[{"type": "expect_column_values_to_not_be_null", "kwargs": {"column": "answer"}}],
            training={"history": "all", "test_size": 0.3, "random_state": 0},
            policy=POLICY,
            poll_seconds=2,
            stable_seconds=1,
            default_args={"owner": "ml-platform", "retries": 8, "retry_delay": 3},
        )
    )
