"""From alerts to requests in the broker."""

from __future__ import annotations

from dataclasses import replace

from stoker.core.alerts import MAX_ALERTS, Alert
from stoker.core.records import Actor
from stoker.loop.alert_intake import Intake, take_in
from stoker.loop.broker import MAX_WAITING, Broker
from stoker.store.memory import MemoryStore

ACTOR = Actor("webhook", "webhook/alertmanager")
ALERT = Alert("delays", "firing", "f-1", "Late flights doubled", "2026-11-21T12:00:00.000000Z", {"severity": "page"})


def broker() -> Broker:
    return Broker(MemoryStore(), "delays")


def test_a_firing_alert_becomes_a_request_that_says_why() -> None:
    asked = broker()
    assert take_in(asked, [ALERT], source="webhook", actor=ACTOR) == Intake(requests=1, ignored=0)
    (request,) = asked.requests()
    assert request.source == "webhook"
    assert request.reason == "An alert is firing: Late flights doubled"
    assert request.evidence == {"fingerprint": "f-1", "starts_at": ALERT.starts_at, "labels": {"severity": "page"}}
    assert request.actor == ACTOR


def test_a_repeated_or_resolved_alert_asks_for_nothing() -> None:
    asked = broker()
    take_in(asked, [ALERT], source="webhook", actor=ACTOR)
    for alert in (ALERT, replace(ALERT, summary="in other words"), replace(ALERT, status="resolved")):
        assert take_in(asked, [alert], source="webhook", actor=ACTOR) == Intake(requests=0, ignored=1)
    assert len(asked.requests()) == 1


def test_an_alert_that_fires_anew_asks_again() -> None:
    asked = broker()
    later = replace(ALERT, starts_at="2026-11-22T12:00:00.000000Z")
    assert take_in(asked, [ALERT, later, ALERT], source="queue", actor=ACTOR) == Intake(requests=2, ignored=1)


def test_a_flood_of_different_alerts_is_bounded() -> None:
    asked = broker()
    flood = [replace(ALERT, fingerprint=f"f-{n}") for n in range(20 * MAX_ALERTS)]
    bodies = [flood[n : n + 2 * MAX_ALERTS] for n in range(0, len(flood), 2 * MAX_ALERTS)]
    intakes = [take_in(asked, body, source="webhook", actor=ACTOR) for body in bodies]
    assert sum(intake.requests for intake in intakes) == len(asked.requests(limit=1000)) == MAX_WAITING
    assert sum(intake.requests + intake.ignored for intake in intakes) == len(flood)
