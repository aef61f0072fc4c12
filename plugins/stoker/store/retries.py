"""How often, how long and how visibly a call to a server is tried again."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

_log = logging.getLogger(__name__)


def _random_fraction() -> Callable[[], float]:
    return random.Random().random  # noqa: S311 - spreads waiting clients, keeps no secret


@dataclass(frozen=True)
class Patience:
    """Exponential backoff with jitter, bounded in tries and in time.

    :param tries: how many times at most, the first included.
    :param seconds: no wait begins that would end later than this after the first try. One try itself may take as long as the
        time limits of its client allow.
    :param first_wait: seconds before the second try; doubled for each further one, up to ``longest_wait``.
    :param longest_wait: in seconds.
    :param sleep: waits that many seconds.
    :param jitter: a fraction from 0 to 1; half of each wait is multiplied with it, so that clients do not come back in step.
    :param now: a monotonic clock in seconds.
    """

    tries: int = 6
    seconds: float = 30.0
    first_wait: float = 0.2
    longest_wait: float = 5.0
    sleep: Callable[[float], None] = time.sleep
    jitter: Callable[[], float] = field(default_factory=_random_fraction)
    now: Callable[[], float] = time.monotonic

    def attempts(self, doing: str) -> Iterator[int]:
        """The numbers of the tries, from 1, with the waits between them. The caller leaves the loop when it has its answer.

        :param doing: what is tried, for the log.
        """
        started = self.now()
        for attempt in range(1, self.tries + 1):
            yield attempt
            wait = min(self.longest_wait, self.first_wait * 2 ** (attempt - 1)) * (1 + self.jitter()) / 2
            if attempt == self.tries or self.now() - started + wait > self.seconds:
                return
            _log.warning("Try %d of %d of %s failed; trying again in %.2f s.", attempt, self.tries, doing, wait)
            self.sleep(wait)
