"""How long the parts of a step take."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager


class Timings:
    """Seconds by the name of the part.

    :ivar seconds: what was measured so far, to the millisecond.
    """

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def of(self, part: str) -> Iterator[None]:
        """Measure the body of a ``with``; one that raises is not measured."""
        started = time.perf_counter()
        yield
        self.seconds[part] = round(time.perf_counter() - started, 3)
