"""The short form: the same loop from one spec, as three DAGs in Airflow.

New months alone do not retrain this model: they are taken in, scored and watched, and a new model is trained when
drift, lost quality or a person asks for it; see its policy.
"""

from __future__ import annotations

import os
from pathlib import Path

from flights_estimator import flights_estimator
from stoker import LoopSpec, continuous_training_dags

PROJECT = Path(__file__).resolve().parents[1]

continuous_training_dags(
    LoopSpec(
        name="flights_loop",
        estimator=flights_estimator,
        target="late",
        source=os.environ.get("FLIGHTS_LOOP_LANDING", str(PROJECT / "include/data/flights")),
        pattern="flights-*.parquet",
        partition=r"flights-(\d{4}-\d{2})\.parquet",
        id_columns=["flight_id"],
        time_column="scheduled_departure",
        expectations=str(PROJECT / "include/expectations/flights.json"),
        max_quarantine_share=0.05,
        training={"history": "all", "test_size": 0.3},
        policy=str(PROJECT / "include/policies/flights_loop.yaml"),
        poll_seconds=2,
        stable_seconds=2,
    )
)
