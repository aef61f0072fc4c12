"""Many writers at one key, again and again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from stoker.errors import AlreadyExists, TransportError
from stoker.store.base import ObjectStore


def race(stores: Sequence[ObjectStore], rounds: int, tell: Callable[[int], None] = lambda _: None) -> list[str]:
    """Let a writer per store create one key at once, in each round.

    :param stores: the same place, through a client of its own each.
    :param tell: called with the number of each round.
    :returns: the rounds that had not exactly one winner, or another's bytes in the end.
    """
    start = Barrier(len(stores))

    def write(number: int, key: str) -> bool:
        start.wait(60)
        while True:
            try:
                stores[number].create(key, f"writer {number}".encode())
            except AlreadyExists:
                return False
            except TransportError:
                continue  # the same call again finds out
            return True

    wrong = []
    with ThreadPoolExecutor(len(stores)) as pool:
        for turn in range(rounds):
            tell(turn)
            key = f"race/{turn}"
            won = list(pool.map(lambda number, key=key: write(number, key), range(len(stores))))
            winners = [f"writer {number}" for number, one in enumerate(won) if one]
            stayed = stores[0].read(key).decode()
            if winners != [stayed]:
                wrong.append(f"round {turn}: {', '.join(winners) or 'nobody'} won, the bytes are of {stayed}")
    return wrong
