"""A verdict says what was found and why; what to do about it is somebody else's decision."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Outcome(StrEnum):
    """The five answers. Only ``PASS`` lets a model or a file through."""

    PASS = "pass"  # noqa: S105 - no password
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"
    INSUFFICIENT_DATA = "insufficient_data"
    NOT_CONFIGURED = "not_configured"


_WORST_FIRST = (Outcome.FAIL, Outcome.INSUFFICIENT_DATA, Outcome.INCONCLUSIVE, Outcome.NOT_CONFIGURED, Outcome.PASS)


@dataclass(frozen=True)
class Verdict:
    """The answer of one gate.

    :param outcome: one of the five answers.
    :param reasons: sentences for people, the deciding one first. Never empty.
    :param numbers: JSON-safe facts that the reasons rest on.
    """

    outcome: Outcome
    reasons: tuple[str, ...]
    numbers: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.reasons:
            raise ValueError("A verdict needs at least one reason.")

    @property
    def passed(self) -> bool:
        """Whether the gate is open."""
        return self.outcome is Outcome.PASS

    def to_record(self) -> dict[str, Any]:
        """The JSON form."""
        return {"outcome": self.outcome.value, "reasons": list(self.reasons), "numbers": self.numbers}

    @classmethod
    def from_record(cls, record: dict[str, Any]) -> Verdict:
        """The inverse of :meth:`to_record`."""
        return cls(Outcome(record["outcome"]), tuple(record["reasons"]), dict(record["numbers"]))


def combine(verdicts: Iterable[Verdict]) -> Verdict:
    """The verdict of several gates in a row: as good as the worst of them, its reasons first.

    :param verdicts: none at all gives ``not_configured``: a gate that checks nothing must not look like one that passed.
    """
    given = list(verdicts)
    if not given:
        return Verdict(Outcome.NOT_CONFIGURED, ("Nothing was configured to be checked.",))
    ordered = sorted(given, key=lambda verdict: _WORST_FIRST.index(verdict.outcome))
    numbers: dict[str, Any] = {}
    for verdict in given:
        numbers.update(verdict.numbers)
    return Verdict(ordered[0].outcome, tuple(reason for verdict in ordered for reason in verdict.reasons), numbers)
