"""What a stored record must look like before anybody reads a field of it.

A shape is a form, a mapping of field names to shapes, or a list with the one shape of all its items. Fields beyond those
of a mapping are allowed, since a later Stoker of the same format may write more.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from stoker.core.clock import from_text
from stoker.errors import TamperedRecord

_DIGEST = re.compile(r"[0-9a-f]{64}")
_LARGEST = 2**63 - 1


@dataclass(frozen=True)
class Form:
    """What one value must be.

    :param name: in words, for the error message.
    :param holds: whether a JSON value is that.
    """

    name: str
    holds: Callable[[Any], bool]


@dataclass(frozen=True)
class Maybe:
    """A field that may be ``null`` or absent; ``shape`` is what it must be otherwise."""

    shape: Shape


Shape = Form | Maybe | Mapping[str, "Shape"] | list["Shape"]


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= _LARGEST_NUMBER


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _LARGEST


def _is_moment(value: Any) -> bool:
    try:
        from_text(value)
    except (TypeError, ValueError, OverflowError):
        return False
    return True


_LARGEST_NUMBER = 1.7e308  # an integer may be larger, and then is no number to any library

TEXT = Form("a text", lambda value: isinstance(value, str))
FLAG = Form("true or false", lambda value: isinstance(value, bool))
NUMBER = Form("a number", _is_number)
COUNT = Form("a whole number from 0", _is_count)
DIGEST = Form("64 hexadecimal digits", lambda value: isinstance(value, str) and bool(_DIGEST.fullmatch(value)))
MOMENT = Form("a time with its zone", _is_moment)
OBJECT = Form("a JSON object", lambda value: isinstance(value, dict))
LIST = Form("a list", lambda value: isinstance(value, list))


def conform(value: Any, shape: Shape, what: str, *, partial: bool = False) -> None:
    """Check a record against a shape.

    :param value: any JSON value.
    :param what: the name of the record, for the error message.
    :param partial: let fields of the record itself be absent.
    :raises TamperedRecord: when it does not have the shape; the message and ``details["field"]`` name the first field.
    """
    fault = _fault(value, shape, "", partial)
    if fault:
        field, wanted, found = fault
        raise TamperedRecord(
            f"{what} must have {wanted} in {field!a}; {found}. Something else than Stoker wrote it: find out what, and restore it from a "
            "backup.",
            record=what,
            field=field,
        )


def _fault(value: Any, shape: Shape, at: str, partial: bool = False) -> tuple[str, str, str] | None:
    """The first field that is not as it must be: its place, what must be there, and what is."""
    if isinstance(shape, Maybe):
        return None if value is None else _fault(value, shape.shape, at)
    whole = shape if isinstance(shape, Form) else LIST if isinstance(shape, list) else OBJECT
    if not whole.holds(value):
        return at, whole.name, f"it has {ascii(value)[:80]}"
    if isinstance(shape, list):
        faults = (_fault(item, shape[0], f"{at}[{number}]") for number, item in enumerate(value))
    elif isinstance(shape, Mapping):
        faults = (
            _field_fault(value, name, inner, f"{at}.{name}".lstrip("."), partial) for name, inner in shape.items()
        )
    else:
        return None
    return next(filter(None, faults), None)


def _field_fault(
    value: Mapping[str, Any], name: str, shape: Shape, at: str, partial: bool
) -> tuple[str, str, str] | None:
    if name in value:
        return _fault(value[name], shape, at)
    if partial or isinstance(shape, Maybe):
        return None
    return at, shape.name if isinstance(shape, Form) else "a value", "it is missing"
