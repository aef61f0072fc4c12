"""How many requests are worked on at once. A store that hangs must not take the threads that all pages of Airflow share."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from anyio import Semaphore, fail_after
from fastapi import Depends

from stoker.ui.failures import Refused

MOST = 16
"""Requests at once; Airflow's server has 40 threads."""

_WAIT = 20
"""Seconds until a request that gets no turn is turned away."""


def in_turn() -> Any:
    """A dependency of all routes of one application, under which :data:`MOST` of them run and the others wait without a thread.

    :returns: what raises :class:`~stoker.ui.failures.Refused` with 503 for a request that waited for 20 seconds.
    """
    free = Semaphore(MOST)

    async def turn() -> AsyncIterator[None]:
        try:
            with fail_after(_WAIT):
                await free.acquire()
        except TimeoutError:
            raise Refused(
                503, "Busy", "Stoker must have time for this; other requests take all of it. Try again in a minute."
            ) from None
        try:
            yield
        finally:
            free.release()

    # Given back before the answer is sent: a slow reader of it keeps nobody waiting.
    return Depends(turn, scope="function")
