"""Looking again and again from an event loop, without blocking it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Executor
from typing import TypeVar

log = logging.getLogger(__name__)

T = TypeVar("T")


async def polled(
    look: Callable[[], T], seconds: float, what: str, *, executor: Executor | None = None
) -> AsyncIterator[T]:
    """What ``look`` finds, for ever. A look that fails is logged, once for each message, and made again after the pause.

    :param look: runs in a thread, so it may block.
    :param seconds: the pause after each look.
    :param what: what is looked at, for the log.
    :param executor: where ``look`` runs; by default in asyncio's few threads, which are for short looks.
    """
    failure = ""
    log.info("Watching %s every %g s", what, seconds)
    while True:
        try:
            found = await asyncio.get_running_loop().run_in_executor(executor, look)
        except Exception as error:  # a watcher outlives whatever its source or its store goes through
            if str(error) != failure:
                failure = str(error)
                log.warning("%s cannot be looked at, trying again every %g s: %s", what, seconds, failure)
        else:
            if failure:
                failure = ""
                log.info("%s can be looked at again", what)
            yield found
        await asyncio.sleep(seconds)
