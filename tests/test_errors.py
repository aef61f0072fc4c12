from __future__ import annotations

import inspect
import pickle

import pytest

from stoker import errors

TREE = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if kind.__module__ == errors.__name__]


@pytest.mark.parametrize("kind", TREE)
def test_an_error_keeps_its_facts_from_process_to_process(kind: type[errors.StokerError]) -> None:
    copy = pickle.loads(pickle.dumps(kind("It must hold.", seen=7)))
    assert type(copy) is kind
    assert copy.message == str(copy) == "It must hold."
    assert copy.details == {"seen": 7}


def test_only_transport_errors_are_worth_a_retry() -> None:
    assert {kind for kind in TREE if kind.retryable} == {
        kind for kind in TREE if issubclass(kind, errors.TransportError)
    }


@pytest.mark.parametrize("kind", TREE)
def test_the_tree_in_the_docstring_names_every_error(kind: type[errors.StokerError]) -> None:
    assert kind.__name__ in (errors.__doc__ or "")
