"""Processes that begin at once."""

from __future__ import annotations

import json
import multiprocessing
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

FORK = multiprocessing.get_context("fork")
_PATIENCE = 120  # seconds


def at_once(folder: Path, works: Sequence[Callable[[Any], Any]]) -> list[Any]:
    """What each of the works returns, in a process of its own; what it is given is the barrier where all meet.

    :param folder: takes what they returned.
    """
    barrier = FORK.Barrier(len(works))

    def one(number: int) -> None:
        (folder / f"result-{number}").write_text(json.dumps(works[number](barrier)))

    started = [FORK.Process(target=one, args=(number,)) for number in range(len(works))]
    for process in started:
        process.start()
    for process in started:
        process.join(_PATIENCE)
    assert [process.exitcode for process in started] == [0] * len(works)
    return [json.loads((folder / f"result-{number}").read_text()) for number in range(len(works))]
