"""From alerts to requests for retraining. Everything that comes from outside ends in the broker."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass

from stoker.core.alerts import Alert, firing
from stoker.core.records import Actor
from stoker.loop.broker import Broker

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Intake:
    """What became of some alerts.

    :param requests: new requests in the broker.
    :param ignored: alerts that asked for nothing new: resolved, repeated, or more than one delivery may hold.
    """

    requests: int
    ignored: int


def take_in(broker: Broker, alerts: Iterable[Alert], *, source: str, actor: Actor) -> Intake:
    """Put a request for each alert that fires and was not seen before.

    :param source: ``webhook`` or ``queue``.
    :raises TransportError: when the store failed. The same alerts again are then taken in without a second request.
    """
    given = list(alerts)
    tickets = [
        broker.put(
            source=source,
            reason=f"An alert is firing: {alert.summary}",
            dedupe_key=alert.dedupe_key,
            evidence=alert.evidence,
            actor=actor,
        )
        for alert in firing(given)
    ]
    new = sum(ticket.new for ticket in tickets)
    log.info("took in %d alerts from %s: %d new requests", len(given), actor.origin, new)
    return Intake(new, len(given) - new)
