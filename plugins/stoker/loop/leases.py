"""Keeping a lease while work takes longer than it lasts."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread

from stoker.errors import StokerError
from stoker.loop.broker import Broker

log = logging.getLogger(__name__)


@contextmanager
def kept(broker: Broker, holder: str) -> Iterator[None]:
    """Renew a lease while the block runs: a quarter of its length goes by between two signs of life.

    A renewal that fails is tried again at the next turn; the work goes on meanwhile, for what it may change is decided at the promotion.
    Does nothing for a run that holds no lease.

    :param holder: the run, as it claimed.
    """
    over = Event()
    thread = Thread(target=_renew_until, args=(over, broker, holder), name="stoker-lease", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _renew_until(over: Event, broker: Broker, holder: str) -> None:
    while not over.wait(broker.policy.lease.total_seconds() / 4):
        try:
            if not broker.renew(holder):
                log.warning(
                    "Model %s: the lease of %s is not its own any more; another run may train", broker.model, holder
                )
                return
        except StokerError as error:
            log.warning("Model %s: the lease of %s was not renewed: %s", broker.model, holder, error.message)
