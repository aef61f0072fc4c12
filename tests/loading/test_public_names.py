"""The public names: one list, three places."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import stoker


def imported_for_type_checkers() -> dict[str, str]:
    tree = ast.parse(Path(stoker.__file__).read_text())
    blocks = [node for node in tree.body if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"]
    imports = [node for block in blocks for node in block.body if isinstance(node, ast.ImportFrom)]
    return {alias.name: str(node.module) for node in imports for alias in node.names}


def test_the_list_the_lazy_table_and_the_type_checkers_imports_agree() -> None:
    assert imported_for_type_checkers() == stoker._HOME
    assert set(stoker.__all__) == {*stoker._HOME, "__version__"}
    assert len(stoker.__all__) == len(set(stoker.__all__))


@pytest.mark.parametrize("name", stoker.__all__)
def test_each_name_is_what_its_home_defines(name: str) -> None:
    found = getattr(stoker, name)
    assert name == "__version__" or (found.__module__, found.__name__) == (stoker._HOME[name], name)
    assert name in dir(stoker)


def test_a_name_that_is_none_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = stoker.nonsense


def test_everything_public_has_a_docstring() -> None:
    for name in stoker._HOME:
        assert getattr(stoker, name).__doc__, name
