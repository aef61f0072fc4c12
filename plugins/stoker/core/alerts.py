"""What a monitoring system sent, as plain alerts.

Nothing in a body is trusted: which model an alert is about is decided by the address that it was sent to, texts are cut and
freed of control characters, and everything else is left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from stoker.core import wire
from stoker.core.clock import from_text, to_text
from stoker.errors import UnreadableData

MAX_ALERTS = 20
"""Firing alerts of one body that are looked at; the rest is counted only. One is enough to have a model retrained."""

FIRING, RESOLVED = "firing", "resolved"
FORMS = ("alertmanager", "grafana", "generic")

_MAX_SUMMARY = 300
_MAX_FINGERPRINT = 200
_MAX_LABEL = 120
_MAX_LABEL_BYTES = 2048
_ALARM_STATES = {"ALARM": FIRING, "OK": RESOLVED, "INSUFFICIENT_DATA": RESOLVED}


@dataclass(frozen=True)
class Alert:
    """One alert about one model.

    :param model: the model that it is about, by the address and never by the body.
    :param status: ``firing`` or ``resolved``.
    :param fingerprint: what the sender knows the alert by; the same at every repetition.
    :param summary: one line for people.
    :param starts_at: when it began to fire, in UTC, or empty where the sender knows no such time.
    :param labels: evidence for people.
    """

    model: str
    status: str
    fingerprint: str
    summary: str
    starts_at: str
    labels: Mapping[str, str]

    @property
    def dedupe_key(self) -> str:
        """The same for every repetition of this alert, and another when it fires anew."""
        return wire.digest(["alert", self.model, self.fingerprint, self.starts_at])

    @property
    def evidence(self) -> dict[str, Any]:
        """The alert as JSON, at most 4 KiB."""
        return {"fingerprint": self.fingerprint, "starts_at": self.starts_at, "labels": dict(self.labels)}


def read_webhook(form: str, model: str, body: bytes) -> tuple[Alert, ...]:
    """The alerts in the body of a webhook.

    :param form: ``alertmanager`` (version 4), ``grafana`` (its default payload) or ``generic``: one object with
        ``fingerprint`` and ``starts_at``, and ``status``, ``summary`` and ``labels`` where known.
    :param model: the model that the webhook is for.
    :raises UnreadableData: when the body is no strict JSON of this form.
    """
    content = _object(body, "The body of a webhook")
    if form == "generic":
        return (_generic(content, model),)
    if form == "alertmanager" and content.get("version") != "4":
        raise UnreadableData(
            f"An Alertmanager webhook must have version '4'; got {ascii(content.get('version'))[:40]}. Send that version."
        )
    return tuple(_listed(content, model))


def read_message(model: str, body: bytes, message_id: str) -> tuple[Alert, ...]:
    """The alerts in a message of a queue: a CloudWatch alarm, bare, from EventBridge or in an SNS envelope; the body of any
    webhook; or a generic object.

    :param message_id: what the queue knows the message by; the fingerprint of a message that brings none.
    :raises UnreadableData: when it is none of these.
    """
    content = _object(body, "A message")
    if content.get("Type") == "Notification" and isinstance(content.get("Message"), str):
        message_id = _text(content.get("MessageId"), _MAX_FINGERPRINT) or message_id
        content = _object(content["Message"].encode(errors="replace"), "The message inside the SNS envelope")
    if "AlarmName" in content:
        return (_alarm(model, content),)
    if content.get("source") == "aws.cloudwatch" and isinstance(content.get("detail"), dict):
        return (_alarm_event(model, content),)
    if "alerts" in content:
        return tuple(_listed(content, model))
    return (_generic({"fingerprint": message_id, "starts_at": "", **content}, model),)


def firing(alerts: Iterable[Alert]) -> list[Alert]:
    """The alerts that ask for something: those that fire, each once, and at most :data:`MAX_ALERTS`."""
    distinct = {alert.dedupe_key: alert for alert in alerts if alert.status == FIRING}
    return list(distinct.values())[:MAX_ALERTS]


def _listed(content: dict[str, Any], model: str) -> Iterator[Alert]:
    """The common shape of Alertmanager's and Grafana's bodies."""
    alerts = content.get("alerts")
    if not isinstance(alerts, list) or not all(isinstance(alert, dict) for alert in alerts):
        raise UnreadableData("A webhook must have a list 'alerts' of objects; it has none. Send the default payload.")
    for alert in alerts:
        labels = _labels(alert.get("labels"))
        notes = alert.get("annotations")
        notes = notes if isinstance(notes, dict) else {}
        yield Alert(
            model=model,
            status=_status(alert.get("status")),
            fingerprint=_text(alert.get("fingerprint"), _MAX_FINGERPRINT) or wire.digest(labels),
            summary=_summary(notes.get("summary"), notes.get("description"), labels.get("alertname")),
            starts_at=_time(alert.get("startsAt"), "startsAt"),
            labels=labels,
        )


def _generic(content: dict[str, Any], model: str) -> Alert:
    fingerprint = _text(content.get("fingerprint"), _MAX_FINGERPRINT)
    if not fingerprint:
        raise UnreadableData(
            "An alert must have a 'fingerprint', which is the same whenever it is repeated; it has none. Send one."
        )
    return Alert(
        model=model,
        status=_status(content.get("status", FIRING)),
        fingerprint=fingerprint,
        summary=_summary(content.get("summary"), fingerprint),
        starts_at="" if content.get("starts_at") == "" else _time(content.get("starts_at"), "starts_at"),
        labels=_labels(content.get("labels")),
    )


def _alarm(model: str, content: dict[str, Any]) -> Alert:
    """What CloudWatch publishes to SNS when an alarm changes its state."""
    name = _text(content["AlarmName"], _MAX_LABEL)
    return Alert(
        model=model,
        status=_state(content.get("NewStateValue")),
        fingerprint=_text(content.get("AlarmArn"), _MAX_FINGERPRINT) or name,
        summary=_summary(content.get("NewStateReason"), name),
        starts_at=_time(content.get("StateChangeTime"), "StateChangeTime"),
        labels=_labels({key: content.get(key) for key in ("AlarmName", "Region", "AWSAccountId")}),
    )


def _alarm_event(model: str, content: dict[str, Any]) -> Alert:
    """The same from EventBridge."""
    detail = content["detail"]
    state = detail.get("state")
    state = state if isinstance(state, dict) else {}
    name = _text(detail.get("alarmName"), _MAX_LABEL)
    return Alert(
        model=model,
        status=_state(state.get("value")),
        fingerprint=f"{_text(content.get('region'), _MAX_LABEL)}:{name}",
        summary=_summary(state.get("reason"), name),
        starts_at=_time(state.get("timestamp"), "timestamp"),
        labels=_labels({"alarmName": name, "region": content.get("region"), "account": content.get("account")}),
    )


def _object(body: bytes, what: str) -> dict[str, Any]:
    try:
        content = wire.strict_json(body)
    except ValueError as error:
        raise UnreadableData(
            f"{what} must be one JSON object; it cannot be read as one. Send JSON in UTF-8."
        ) from error
    if not isinstance(content, dict):
        raise UnreadableData(f"{what} must be one JSON object; it is a {type(content).__name__}. Send an object.")
    return content


def _status(value: Any) -> str:
    if value not in (FIRING, RESOLVED):
        raise UnreadableData(
            f"An alert must be 'firing' or 'resolved'; its status is {ascii(value)[:40]}. Send either."
        )
    return str(value)


def _state(value: Any) -> str:
    if not isinstance(value, str) or value not in _ALARM_STATES:
        raise UnreadableData(f"An alarm must be in state {', '.join(_ALARM_STATES)}; got {ascii(value)[:40]}.")
    return _ALARM_STATES[value]


def _time(value: Any, name: str) -> str:
    """The time in one spelling, so that a repetition in another time zone is the same alert."""
    try:
        return to_text(from_text(value))
    except (TypeError, ValueError, OverflowError) as error:
        raise UnreadableData(
            f"An alert's '{name}' must be a time with its zone, such as 2026-11-21T12:00:00Z; got {ascii(value)[:60]}."
        ) from error


def _summary(*texts: Any) -> str:
    """The first text that says something."""
    return next((text for text in (_text(value, _MAX_SUMMARY) for value in texts) if text), "no summary")


def _labels(value: Any) -> dict[str, str]:
    """As many labels as fit, in the order of their names."""
    kept: dict[str, str] = {}
    if not isinstance(value, dict):
        return kept
    for name in sorted(value):
        text = _text(value[name], _MAX_LABEL)
        longer = {**kept, _text(name, _MAX_LABEL): text}
        if text and len(wire.canonical(longer)) <= _MAX_LABEL_BYTES:
            kept = longer
    return kept


def _text(value: Any, length: int) -> str:
    """One line that can break no log, terminal or page; empty for what is no text."""
    if not isinstance(value, str):
        return ""
    clean = "".join(sign if sign.isprintable() else " " for sign in value[: 4 * length])
    return " ".join(clean.split())[:length]
