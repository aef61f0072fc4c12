"""The checker of histories against a general one, and against each fault by name."""

from __future__ import annotations

import random

import pytest

from tests.faults.linearizability import NEVER, Fault, NotLinearizable, Read, Write, check

SEED = 20_261_121
HISTORIES = 4_000

History = list[Read | Write]


def _after(call: Read | Write, state: tuple[int, int | None]) -> tuple[int, int | None] | None:
    """The register after a call, ``None`` when the call cannot have come at this state."""
    generation, value = state
    if isinstance(call, Read):
        fits = (call.generation, call.value) == state and (call.refused is None or call.refused != value)
        return state if fits else None
    fits = call.generation == generation + 1 and call.expected == value
    return (call.generation, call.value) if fits else None


def searched(history: History, first: int, value: int | None) -> bool:
    """The algorithm of Wing and Gong with Lowe's memory: try every order that real time allows. Knows nothing of generations."""
    tried: set[tuple[int, tuple[int, int | None]]] = set()

    def search(done: int, state: tuple[int, int | None]) -> bool:
        left = [number for number in range(len(history)) if not done >> number & 1]
        if not left:
            return True
        if (done, state) in tried:
            return False
        tried.add((done, state))
        soonest = min(history[number].returned for number in left)
        for number in left:
            if history[number].called <= soonest:
                after = _after(history[number], state)
                if after is not None and search(done | 1 << number, after):
                    return True
        return False

    return search(0, (first, value))


def _made(chance: random.Random) -> History:
    """What clients of a true register would have seen."""
    history: History = []
    generation, value, moment = 0, None, 0
    for _ in range(chance.randint(2, 9)):
        moment += chance.randint(1, 4)
        called, returned = moment - chance.randint(0, 6), moment + chance.randint(0, 6)
        wanted = value if chance.random() < 0.6 else chance.choice([None, 1, 2, 3])
        if chance.random() < 0.3:
            history.append(Read(called, returned, generation, value))
        elif wanted != value:
            history.append(Read(called, returned, generation, value, wanted))
        else:
            known = NEVER if chance.random() < 0.15 else returned
            generation, value = generation + 1, chance.randint(1, 3)
            history.append(Write(called, known, generation, value, wanted))
    return history


def _spoiled(chance: random.Random, history: History) -> History:
    """The same with something changed that may make it impossible."""
    place = chance.randrange(len(history))
    call, other = history[place], chance.choice(history)
    moved = chance.randint(-12, 12)
    changed: list[Read | Write] = [
        _like(call, generation=call.generation + chance.choice([-1, 1])),
        _like(call, generation=other.generation, value=other.value),
        _like(call, value=chance.randint(1, 3)),
        _like(call, called=call.called + moved, returned=call.returned + moved),
    ]
    rest = history[:place] + history[place + 1 :]
    return rest if chance.random() < 0.1 else [*rest, chance.choice(changed)]


def _like(call: Read | Write, **changes: float | None) -> Read | Write:
    fields = {name: getattr(call, name) for name in call.__slots__}
    return type(call)(**{**fields, **changes})


def _accepted(history: History) -> bool:
    try:
        check(history, first=0, value=None)
    except NotLinearizable:
        return False
    return True


def test_it_agrees_with_a_general_search_on_random_histories() -> None:
    chance = random.Random(SEED)
    accepted = 0
    for number in range(HISTORIES):
        history = _made(chance)
        for _ in range(chance.choice([0, 1, 1, 1, 2])):
            history = _spoiled(chance, history) if history else history
        found = _accepted(history)
        assert found == searched(history, 0, None), f"history {number} of seed {SEED}: {history}"
        accepted += found
    assert HISTORIES * 0.4 < accepted < HISTORIES * 0.6  # else one of the verdicts was hardly tried


def test_a_true_history_ends_at_its_last_generation() -> None:
    chance = random.Random(SEED)
    for _ in range(200):
        history = _made(chance)
        last = max((call.generation for call in history), default=0)
        assert check(history, first=0, value=None) == last


FIRST = Write(0, 1, 1, 7, None)
SECOND = Write(2, 3, 2, 8, 7)


@pytest.mark.parametrize(
    ("fault", "generation", "history"),
    [
        (Fault.STALE_READ, 2, [FIRST, SECOND, Read(4, 5, 1, 7)]),
        (Fault.STALE_READ, 2, [FIRST, Write(2, 9, 2, 8, 7), Read(3, 4, 2, 8), Read(5, 6, 1, 7)]),
        (Fault.TWO_WINNERS, 2, [FIRST, SECOND, Write(2, 3, 2, 9, 7)]),
        (Fault.LOST_UPDATE, 2, [FIRST, Write(4, 5, 3, 9, 8)]),
        (Fault.LOST_UPDATE, 2, [FIRST, Write(2, 3, 2, 8, 6)]),
        (Fault.INVENTED, 1, [FIRST, SECOND, Read(2, 3, 1, 9)]),
        (Fault.INVENTED, 3, [FIRST, SECOND, Read(4, 5, 3, 9)]),
        (Fault.INVENTED, 2, [FIRST, Read(4, 5, 2, 8), Write(6, 7, 3, 9, 8)]),
        (Fault.GROUNDLESS, 1, [FIRST, Read(2, 3, 1, 7, refused=7)]),
        (Fault.TIME_TRAVEL, 2, [FIRST, Read(1, 1.5, 2, 8), SECOND]),
        (Fault.TIME_TRAVEL, 2, [Write(4, 5, 1, 7, None), SECOND]),
    ],
    ids=lambda value: value.name if isinstance(value, Fault) else "",
)
def test_each_fault_is_named(fault: Fault, generation: int, history: History) -> None:
    assert not searched(history, 0, None)
    with pytest.raises(NotLinearizable) as caught:
        check(history, first=0, value=None)
    assert (caught.value.fault, caught.value.generation) == (fault, generation)


def test_a_write_without_a_reply_may_have_come_at_any_later_time() -> None:
    unknown = Write(0, NEVER, 1, 7, None)
    late = [unknown, Read(50, 51, 0, None), Read(60, 61, 1, 7)]
    assert check(late, first=0, value=None) == 1
    with pytest.raises(NotLinearizable, match="Generation 1"):
        check([*late, Read(70, 71, 0, None)], first=0, value=None)
