"""One question of the doctor and its answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from stoker.errors import StokerError


@dataclass(frozen=True)
class Check:
    """The answer to one question.

    :param check: what was looked at.
    :param result: ``ok``, ``warn`` or ``fail``.
    :param finding: what was found, and what to do about it.
    """

    check: str
    result: Literal["ok", "warn", "fail"]
    finding: str


def checked(name: str, look: Callable[[], str]) -> Check:
    """What a look finds; an error of ours is its finding, and a failure."""
    try:
        return Check(name, "ok", look())
    except StokerError as error:
        return Check(name, "fail", error.message)
