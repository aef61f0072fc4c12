"""What the validations of a run say together: each of the partitions that were taken in has one of its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from stoker.core.records import Reference
from stoker.core.verdicts import Outcome, Verdict, combine

_COUNTS = ("rows_in", "rows_ok", "rows_quarantined")


def taken_in(validations: Sequence[Reference]) -> dict[str, Any]:
    """The validations of mapped tasks as one: their rows added up, the worst verdict, and its reasons first.

    The rows are those that one validation of all partitions together would count, as far as each expectation looks at one row at a time.
    One about a whole table, or with ``mostly``, is about each partition by itself.

    :param validations: references of kind ``validation``; at least one.
    """
    verdicts = [Verdict(Outcome(one.verdict), tuple(one.summary.get("reasons") or ("",))) for one in validations]
    worst = combine(verdicts)
    return {
        "verdict": worst.outcome.value,
        "partitions": len(validations),
        **{name: sum(one.summary.get(name, 0) for one in validations) for name in _COUNTS},
        "reasons": list(worst.reasons),
    }
