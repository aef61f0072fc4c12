"""Arguments that are of another kind than their operator's signature says, told by name before the step begins."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

from stoker.errors import ConfigurationError


def _is_list(value: Any) -> bool:
    return isinstance(value, Collection) and not isinstance(value, str | bytes | Mapping)


_KINDS: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "str": ("a text", lambda value: isinstance(value, str)),
    "None": ("None", lambda value: value is None),
    "Sequence[str]": ("a list of texts", lambda value: _is_list(value) and all(isinstance(one, str) for one in value)),
    "Sequence": ("a list", _is_list),
    "Mapping": ("a mapping", lambda value: isinstance(value, Mapping)),
}


def check_arguments(operator: Any, base: type) -> None:
    """Check an operator's attributes against the annotations of its constructor, which wrote them down as they came.

    Only texts, lists and mappings are looked at. What else an annotation allows, such as a number that a template made a text, is
    for the step to judge.

    :param base: the last class whose constructor counts.
    :raises ConfigurationError: when one is of another kind.
    """
    for name, annotation in _annotations(type(operator), base):
        kinds = [_KINDS.get(part) or _KINDS.get(part.partition("[")[0]) for part in re.split(r"\s*\|\s*", annotation)]
        known = [kind for kind in kinds if kind]
        value = getattr(operator, name, None)
        if len(known) == len(kinds) and not any(holds(value) for _, holds in known):
            wanted = " or ".join(words for words, _ in known)
            raise ConfigurationError(f"{name} must be {wanted}; got {ascii(value)[:80]}. Correct the argument.")


def _annotations(kind: type, base: type) -> Iterator[tuple[str, str]]:
    for owner in kind.__mro__[: kind.__mro__.index(base) + 1]:
        if "__init__" in vars(owner):
            for parameter in inspect.signature(vars(owner)["__init__"]).parameters.values():
                if isinstance(parameter.annotation, str) and parameter.kind is parameter.KEYWORD_ONLY:
                    yield parameter.name, parameter.annotation
