"""Two processes that share out the work of a battery, each with a world of its own."""

from __future__ import annotations

import logging
import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import Any, TypeVar

T = TypeVar("T")

_WORKERS = 2


def shared_out(work: Callable[..., T], portions: Sequence[Any], *given: Any) -> Iterator[T]:
    """What ``work(portion, *given)`` gives, in order. When the caller stops asking, no more portions are begun.

    :param work: importable, for the processes are started anew rather than forked.
    """
    anew = multiprocessing.get_context("spawn")
    # The many warnings of a battery would drown its figures.
    with ProcessPoolExecutor(_WORKERS, mp_context=anew, initializer=logging.disable) as pool:
        for begun in range(0, len(portions), _WORKERS):
            tasks = [pool.submit(work, portion, *given) for portion in portions[begun : begun + _WORKERS]]
            yield from [task.result() for task in tasks]
