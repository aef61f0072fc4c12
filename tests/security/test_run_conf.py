"""What a person gives a run of the reference DAGs: refused by its schema, or a text that stays one to the end."""

from __future__ import annotations

import importlib
from typing import Any

import pytest
from airflow.sdk import DAG
from airflow.sdk.exceptions import ParamValidationError

from stoker.factory import training_dag
from stoker.loop.spec import LoopSpec

FILES = ["flights_backfill", "flights_rollback", "flights_scoring", "flights_training", "stoker_retention"]
MARKER = "/tmp/stoker-run-conf-marker"
PAYLOADS: dict[str, Any] = {
    "a shell": f";touch {MARKER}",
    "a substitution": f"$(touch {MARKER})",
    "backticks": f"`touch {MARKER}`",
    "a template": "{{7*7}}",
    "a template that calls": "{{ cycler.__init__.__globals__.os.system('id') }}",
    "a template tag": "{% for x in range(9) %}{{ x }}{% endfor %}",
    "a variable": "a${IFS}b",
    "a newline": "2013-03\nDROP",
    "a newline at the end": "2013-03\n",
    "a way up": "../../etc/passwd",
    "an address": "file:///etc/passwd",
    "markup": "<script>alert(1)</script>",
    "a quote": "' OR 1=1 --",
    "a zero byte": "a\0b",
    "10 MB": "x" * 10_000_000,
    "nothing": "",
    "a list": ["x"],
    "an object": {"x": 1},
    "a huge number": 10**400,
    "a fraction": 7.5,
    "a negative number": -1,
    "a number in words": "12",
}
REFUSED_ALWAYS = {"10 MB", "a list", "an object", "a huge number", "a fraction", "a negative number"}


@pytest.fixture(scope="module")
def dags() -> list[DAG]:
    spec = LoopSpec(
        name="churn",
        estimator="a.b",
        target="late",
        source="/x",
        partition="(x)",
        id_columns=["id"],
        expectations="x.json",
    )
    return [training_dag(spec), *(getattr(importlib.import_module(name), name)() for name in FILES)]


def _given(dag: DAG, name: str, payload: Any) -> Any:
    """What a run gets when a person gives that; ``None`` when the schema refuses it."""
    try:
        return dag.params.get_param(name).resolve(payload)
    except ParamValidationError:
        return None


def test_there_is_something_to_give(dags: list[DAG]) -> None:
    assert sum(len(dag.params) for dag in dags) >= 8


@pytest.mark.parametrize("case", PAYLOADS)
def test_a_param_takes_no_value_that_is_not_of_its_kind_and_changes_none(dags: list[DAG], case: str) -> None:
    for dag in dags:
        for name in dag.params:
            given = _given(dag, name, PAYLOADS[case])
            assert given is None or case not in REFUSED_ALWAYS, f"{dag.dag_id}: {name}"
            assert given is None or given == PAYLOADS[case]


@pytest.mark.parametrize("case", PAYLOADS)
def test_what_a_param_takes_is_put_in_its_place_as_text_and_never_read_again(dags: list[DAG], case: str) -> None:
    for dag in dags:
        for name in dag.params:
            given = _given(dag, name, PAYLOADS[case])
            if isinstance(given, str) and given:  # an empty one means the default
                for template in _templates(dag, name):
                    context: Any = {"params": {**dict.fromkeys(dag.params), name: given}, "dag": dag, "run_id": "r"}
                    assert _rendered(dag, template, context) == _rendered(
                        dag, template, _harmless(context, name)
                    ).replace("harmless", given)


def _templates(dag: DAG, param: str) -> list[str]:
    fields = [getattr(task, field, None) for task in dag.tasks for field in task.template_fields]
    return [text for text in fields if isinstance(text, str) and f"params.{param}" in text]


def _rendered(dag: DAG, template: str, context: Any) -> str:
    return str(dag.get_template_env().from_string(template).render(**context))


def _harmless(context: Any, name: str) -> Any:
    return {**context, "params": {**context["params"], name: "harmless"}}
