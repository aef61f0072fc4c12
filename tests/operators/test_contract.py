"""What holds for every operator, whatever it does."""

from __future__ import annotations

import inspect
import sys
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException

import stoker
from stoker.core import memory
from stoker.core.records import Reference
from stoker.errors import DataValidationFailed, StoreUnavailable
from stoker.operators._base import StokerOperator, actor_of, task_key

REQUIRED: dict[str, dict[str, Any]] = {
    "SnapshotDatasetOperator": {"source": "/nowhere/x.parquet", "dataset": "d"},
    "ValidateDataOperator": {"dataset": {}, "expectations": "/nowhere/x.json"},
    "TrainModelOperator": {"dataset": {}, "estimator": "nowhere.estimator", "target": "y"},
    "EvaluateModelOperator": {"model": {}, "name": "m", "policy": "/nowhere/x.yaml"},
    "RegisterModelOperator": {"model": {}, "name": "m"},
    "ApproveModelOperator": {"name": "m", "version": 1},
    "PromoteModelOperator": {"name": "m", "version": 1},
    "RollbackModelOperator": {"name": "m", "reason": "worse"},
    "BatchPredictOperator": {"model": "m@champion", "dataset": "d", "id_columns": ["id"]},
    "PlanPredictionsOperator": {"model": "m@champion", "dataset": "d"},
    "MergePredictionsOperator": {"predictions": []},
    "PlanProfilesOperator": {"name": "m", "current": "d"},
    "ProfileWindowsOperator": {"name": "m", "windows": {}},
    "MonitorDriftOperator": {"name": "m", "current": "d", "policy": "/nowhere/x.yaml"},
    "MonitorPerformanceOperator": {"name": "m", "labels": "d", "id_columns": ["id"], "policy": "/nowhere/x.yaml"},
    "TriageOperator": {"name": "m", "policy": "/nowhere/x.yaml"},
    "RequestRetrainOperator": {"name": "m", "reason": "worse"},
    "ClaimRetrainOperator": {"name": "m", "source": "/nowhere", "policy": "/nowhere/x.yaml"},
    "SettleRetrainOperator": {"name": "m", "claim": {}},
}


@pytest.fixture(params=sorted(REQUIRED))
def operator(request: pytest.FixtureRequest) -> StokerOperator:
    made: StokerOperator = getattr(stoker, request.param)(task_id="t", **REQUIRED[request.param])
    return made


def test_every_operator_is_held_to_this_contract() -> None:
    assert {name for name in stoker.__all__ if name.endswith("Operator")} == set(REQUIRED)


def test_a_constructor_does_no_work() -> None:
    touched: list[str] = []
    armed = [True]

    def watch(event: str, arguments: tuple[Any, ...]) -> None:
        if armed and event in ("open", "socket.connect", "subprocess.Popen", "os.listdir", "os.mkdir"):
            touched.append(f"{event} {arguments!r}")

    for name, arguments in REQUIRED.items():
        kind = getattr(stoker, name)
        kind(task_id="warm", **arguments)
    sys.addaudithook(watch)
    for name, arguments in REQUIRED.items():
        getattr(stoker, name)(task_id="t", **arguments)
    armed.clear()
    assert touched == []


def test_arguments_are_given_by_name(operator: StokerOperator) -> None:
    parameters = inspect.signature(type(operator).__init__).parameters.values()
    assert all(p.kind in (p.KEYWORD_ONLY, p.VAR_KEYWORD) for p in parameters if p.name != "self")


def test_every_argument_is_stored_unchanged_under_its_name(operator: StokerOperator) -> None:
    arguments = REQUIRED[type(operator).__name__]
    assert {name: getattr(operator, name) for name in arguments} == arguments


def test_every_template_field_is_an_attribute(operator: StokerOperator) -> None:
    assert {"store", "stoker_conn_id"} <= set(operator.template_fields)
    for field in operator.template_fields:
        assert hasattr(operator, field)


def test_an_unknown_argument_is_refused(operator: StokerOperator) -> None:
    with pytest.raises(TypeError, match="no_such_argument"):
        type(operator)(task_id="t", no_such_argument=1, **REQUIRED[type(operator).__name__])


def test_every_operator_documents_every_argument(operator: StokerOperator) -> None:
    documentation = inspect.getdoc(type(operator)) or ""
    own = [name for name in inspect.signature(type(operator).__init__).parameters if name not in ("self", "kwargs")]
    assert [name for name in own if f":param {name}:" not in documentation] == []


class Answering(StokerOperator):
    """Returns or raises what it is given."""

    def __init__(self, *, answer: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.answer = answer

    def step(self, context: Any) -> Reference:
        if isinstance(self.answer, Exception):
            raise self.answer
        assert isinstance(self.answer, Reference)
        return self.answer


def test_a_verdict_fails_the_task_for_good() -> None:
    with pytest.raises(AirflowFailException, match="DataValidationFailed: too many nulls"):
        Answering(task_id="t", answer=DataValidationFailed("too many nulls")).execute({})  # type: ignore[arg-type]


def test_a_transport_error_is_left_to_airflows_retries() -> None:
    with pytest.raises(StoreUnavailable):
        Answering(task_id="t", answer=StoreUnavailable("no answer")).execute({})  # type: ignore[arg-type]


def test_an_operator_returns_a_plain_reference() -> None:
    reference = Reference("dataset", "memory://x/blobs/aa", "a" * 64, "pass", {"reasons": ["One.", "Two."]})
    assert Answering(task_id="t", answer=reference).execute({}) == reference.to_xcom()  # type: ignore[arg-type]


def test_the_actor_is_who_triggered_the_run() -> None:
    ti = SimpleNamespace(dag_id="d", run_id="r", task_id="t", map_index=-1)
    by_hand = {"ti": ti, "dag_run": SimpleNamespace(triggering_user_name="ada")}
    by_schedule = {"ti": ti, "dag_run": SimpleNamespace(triggering_user_name=None)}
    assert actor_of(by_hand).user == "ada"  # type: ignore[arg-type]
    assert actor_of(by_schedule).user == "airflow"  # type: ignore[arg-type]
    assert task_key(by_hand) == actor_of(by_hand).origin == "d/r/t/-1"  # type: ignore[arg-type]


def test_a_step_works_within_the_memory_limit_of_the_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    class Hungry(StokerOperator):
        def step(self, context: Any) -> Reference:
            memory.require(10**6, "This step")
            raise AssertionError("it went on")

    monkeypatch.setenv("AIRFLOW__STOKER__MEMORY_LIMIT", "1kB")
    with pytest.raises(AirflowFailException, match="DataTooLarge: This step needs about 1 MB"):
        Hungry(task_id="hungry", store="memory://hungry").execute({})
    assert memory.room() is None or "memory_limit" not in memory.room().limit
