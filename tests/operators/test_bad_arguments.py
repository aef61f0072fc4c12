"""Arguments of another kind than the signature says, at every operator: refused by name before anything else happens."""

from __future__ import annotations

import inspect
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException

import stoker
from stoker.core.records import Reference
from stoker.errors import UsageError
from stoker.operators._arguments import check_arguments
from stoker.operators._base import StokerOperator
from tests.operators.test_contract import REQUIRED, Answering

OTHERS: dict[str, list[Any]] = {
    "str": [7, -1, 7.5, True, float("nan"), b"x", {"a": 1}, [], {1}, object(), 10**400],
    "Sequence[str]": [7, True, float("nan"), b"x", {"a": 1}, [None], [7], [["x"]], object()],
    "Mapping": [7, True, b"x", ["a"], {1}, object()],
}


def _kind_of(annotation: str) -> str | None:
    """The one kind beside ``None`` that an annotation allows, if it is one of :data:`OTHERS`."""
    plain = annotation.removesuffix(" | None")
    return "Mapping" if plain.startswith("Mapping[") and "|" not in plain else plain if plain in OTHERS else None


CASES = [
    (kind, name, wanted)
    for kind in sorted(REQUIRED)
    for name, parameter in inspect.signature(getattr(stoker, kind).__init__).parameters.items()
    if (wanted := _kind_of(str(parameter.annotation)))
]


def _made(kind: str, **given: Any) -> Any:
    return getattr(stoker, kind)(task_id="t", store="memory://arguments", **{**REQUIRED[kind], **given})


def test_most_arguments_are_looked_at() -> None:
    assert len(CASES) > 50
    assert {kind for kind, _, _ in CASES} == set(REQUIRED) - {"MergePredictionsOperator"}


@pytest.mark.parametrize(("kind", "name", "wanted"), CASES)
def test_an_argument_of_another_kind_is_refused_by_name(kind: str, name: str, wanted: str) -> None:
    for value in OTHERS[wanted]:
        operator = _made(kind)
        setattr(operator, name, value)  # as a template or an XCom leaves it there
        with pytest.raises(AirflowFailException, match=f"ConfigurationError: {name} must be .*; got ") as refused:
            operator.attempt({}, lambda: pytest.fail("the step began"))
        assert len(str(refused.value)) < 300


@pytest.mark.parametrize("kind", sorted(REQUIRED))
def test_good_arguments_pass(kind: str) -> None:
    check_arguments(_made(kind), StokerOperator)


def test_lists_may_come_in_any_collection() -> None:
    for columns in (["id"], ("id",), {"id"}, {"id": 1}.keys()):
        check_arguments(_made("BatchPredictOperator", id_columns=columns), StokerOperator)


def test_an_operator_of_ones_own_is_looked_at_where_its_signature_is_plain() -> None:
    class Own(StokerOperator):
        def __init__(self, *, path: str, anything: Any, count: int | str, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.path, self.anything, self.count = path, anything, count

        def step(self, context: Any) -> Reference:
            raise AssertionError

    check_arguments(Own(task_id="t", path="x", anything=object(), count=7), StokerOperator)
    with pytest.raises(AirflowFailException, match="path must be a text; got None"):
        Own(task_id="t", path=None, anything=1, count=1).execute({})


def test_a_message_is_cut_where_an_argument_in_it_has_no_end() -> None:
    with pytest.raises(AirflowFailException, match="UsageError: x must be y") as refused:
        Answering(task_id="t", answer=UsageError(f"x must be y; got {'z' * 70_000}.")).execute({})
    assert len(str(refused.value)) == 4000
