"""Whether a history of concurrent calls on one alias could have happened one call after the other.

In general that is NP-hard to tell. Here it is not: each write that succeeds makes the next generation, so the order of the writes
is known, and only their moments are open. Each moment is placed as early as it can be. All that remains are latest moments,
so when one of them is missed no other placing helps: the answer is exact, in O(n log n).

The condition: the moment of generation g lies within its write's call, not before the moment of g - 1; and whoever saw g
was under way at some time from the moment of g to that of g + 1.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Final

NEVER: Final = math.inf
"""When a call returned whose reply nobody saw."""


class Fault(Enum):
    """What is wrong with a history."""

    TWO_WINNERS = "two writes made one generation"
    LOST_UPDATE = "a write did not build on the generation before it"
    INVENTED = "a value was seen that nobody wrote"
    GROUNDLESS = "a write was refused though the register was as it expected"
    STALE_READ = "a generation was seen after a later one was in force"
    TIME_TRAVEL = "a generation was in force before its write began"


@dataclass(frozen=True, slots=True)
class Read:
    """A call that saw a generation; a refused write is one.

    :param called: when it began, by a clock that all processes share.
    :param returned: when it ended.
    :param generation: which one it saw.
    :param value: the value that it saw.
    :param refused: the value that a write wanted to find, when this was a refused write.
    """

    called: float
    returned: float
    generation: int
    value: int | None
    refused: int | None = None


@dataclass(frozen=True, slots=True)
class Write:
    """A write that landed.

    :param called: when it began.
    :param returned: when it was acknowledged; :data:`NEVER` when the caller was never told, but the log has it.
    :param generation: the one that it made.
    :param value: what it wrote.
    :param expected: the value that it required to find.
    """

    called: float
    returned: float
    generation: int
    value: int | None
    expected: int | None


class NotLinearizable(AssertionError):
    """No order of the calls explains what they returned.

    :param fault: the kind.
    :param generation: where.
    :param evidence: the calls that contradict each other, as far as there are any.
    """

    def __init__(self, fault: Fault, generation: int, *evidence: Read | Write) -> None:
        super().__init__(f"Generation {generation}: {fault.value}. {' / '.join(map(str, evidence))}")
        self.fault = fault
        self.generation = generation


def check(history: Iterable[Read | Write], *, first: int, value: int | None) -> int:
    """Fail unless the history is linearizable.

    :param history: every call that may have had an effect, or that saw one.
    :param first: the generation in force before the history began.
    :param value: the value of it.
    :returns: the last generation.
    :raises NotLinearizable: with the first generation at which it is not.
    """
    writes: dict[int, Write] = {}
    reads: dict[int, list[Read]] = defaultdict(list)
    for call in history:
        if isinstance(call, Read):
            reads[call.generation].append(call)
        elif call.generation in writes or call.generation <= first:
            raise NotLinearizable(
                Fault.TWO_WINNERS, call.generation, *filter(None, [writes.get(call.generation)]), call
            )
        else:
            writes[call.generation] = call
    last = max(writes, default=first)
    _check_values(writes, reads, first, last, value)
    _check_moments(writes, reads, first, last)
    return last


def _check_values(
    writes: dict[int, Write], reads: dict[int, list[Read]], first: int, last: int, value: int | None
) -> None:
    for generation in sorted(writes.keys() | reads.keys() | set(range(first + 1, last + 1))):
        seen = reads.get(generation, [])
        if generation != first:
            write = writes.get(generation)
            if write is None:
                raise NotLinearizable(Fault.INVENTED if seen else Fault.LOST_UPDATE, generation, *seen[:1])
            if write.expected != value:
                raise NotLinearizable(Fault.LOST_UPDATE, generation, write)
            value = write.value
        for read in seen:
            if read.value != value:
                raise NotLinearizable(Fault.INVENTED, generation, read)
            if read.refused is not None and read.refused == value:
                raise NotLinearizable(Fault.GROUNDLESS, generation, read)


def _check_moments(writes: dict[int, Write], reads: dict[int, list[Read]], first: int, last: int) -> None:
    latest: Read | Write | None = None  # the call whose beginning is the earliest moment that is left
    for generation in range(first + 1, last + 1):
        write = writes[generation]
        for call in (*reads.get(generation - 1, ()), write):
            if latest is None or call.called > latest.called:
                latest = call
        assert latest is not None  # the write is there
        for call in (write, *reads.get(generation, ())):
            if call.returned < latest.called:
                fault = Fault.TIME_TRAVEL if isinstance(latest, Write) else Fault.STALE_READ
                raise NotLinearizable(fault, generation, latest, call)
