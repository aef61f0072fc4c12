"""The alert asset in a real Airflow: an event when there is an alert, and none otherwise."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pytest
from airflow.sdk import DAG

from stoker import MonitorDriftOperator, Registry, alert_asset, open_store
from stoker.core.records import Actor
from stoker.store.base import ObjectStore
from tests.dags.conftest import states
from tests.support.models import fit, flights, forest, manifest, put

ACTOR = Actor("ada", "python")


def events() -> list[dict[str, Any]]:
    """The extras of all events of the alert asset."""
    from airflow.models.asset import AssetEvent, AssetModel
    from airflow.utils.session import create_session
    from sqlalchemy import select

    wanted = select(AssetEvent).join(AssetModel, AssetModel.id == AssetEvent.asset_id)
    with create_session() as session:
        return [event.extra for event in session.scalars(wanted.where(AssetModel.uri == alert_asset("late").uri))]


@pytest.fixture
def store(store_uri: str) -> ObjectStore:
    """A store with a champion that was trained on January."""
    store = open_store(store_uri)
    known = manifest(store, fit(store, put(store, flights(1200)), forest))
    registry = Registry(store)
    registry.register("late", {**known, "fingerprint": known["candidate"]["fingerprint"]}, actor=ACTOR, reason="first")
    registry.promote("late", 1, expected_version=None, require_verdict=False, actor=ACTOR, reason="first")
    return store


def test_only_an_alert_becomes_an_event(store: ObjectStore, run: Callable[..., Any]) -> None:
    with DAG("watch", schedule=None) as dag:
        MonitorDriftOperator(task_id="drift", name="late", current="flights", report="never")
    told = []
    for number, shift in ((2, 0.0), (3, 1.5), (4, 1.5), (5, 1.5)):
        table = flights(1200, month=f"2013-0{number}", seed=number)
        wind = pa.array(table["wind"].to_numpy() + shift, from_pandas=True)
        put(store, table.set_column(table.column_names.index("wind"), "wind", wind), f"2013-0{number}")
        assert states(run(dag)) == {"drift": "success"}
        told.append(len(events()))
    assert told == [0, 0, 1, 1]
    (extra,) = events()
    assert (extra["model"], extra["window"], extra["alerted"]) == ("late", "2013-04", ["covariate"])
