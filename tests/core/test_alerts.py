"""From what monitoring systems send to plain alerts: nothing in a body is trusted."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stoker.core import wire
from stoker.core.alerts import FORMS, MAX_ALERTS, Alert, firing, read_message, read_webhook
from stoker.errors import UnreadableData


def alert(**changed: Any) -> dict[str, Any]:
    return {
        "status": "firing",
        "labels": {"alertname": "LateShare", "severity": "page"},
        "annotations": {"summary": "Late flights doubled"},
        "startsAt": "2026-11-21T12:00:00.123456789Z",
        "endsAt": "0001-01-01T00:00:00Z",
        "fingerprint": "1a30ba71cca2921f",
        **changed,
    }


def alertmanager(*alerts: dict[str, Any], **changed: Any) -> bytes:
    return json.dumps({"version": "4", "status": "firing", "receiver": "stoker", "alerts": alerts, **changed}).encode()


def grafana(*alerts: dict[str, Any]) -> bytes:
    return json.dumps({"version": "1", "orgId": 1, "title": "t", "state": "alerting", "alerts": alerts}).encode()


def one(body: bytes, form: str = "alertmanager") -> Alert:
    (found,) = read_webhook(form, "delays", body)
    return found


def generic(**given: Any) -> bytes:
    return json.dumps({"fingerprint": "schema", "starts_at": "2026-11-21T12:00:00Z", **given}).encode()


@pytest.mark.parametrize(("form", "write"), [("alertmanager", alertmanager), ("grafana", grafana)])
def test_the_bodies_of_alertmanager_and_grafana_are_read(form: str, write: Any) -> None:
    found = read_webhook(form, "delays", write(alert(), alert(status="resolved")))
    assert [each.status for each in found] == ["firing", "resolved"]
    assert found[0] == Alert(
        model="delays",
        status="firing",
        fingerprint="1a30ba71cca2921f",
        summary="Late flights doubled",
        starts_at="2026-11-21T12:00:00.123456Z",
        labels={"alertname": "LateShare", "severity": "page"},
    )


def test_a_generic_body_is_one_alert() -> None:
    found = one(generic(summary="A column is gone", labels={"table": "flights"}), "generic")
    assert (found.status, found.summary, found.labels) == ("firing", "A column is gone", {"table": "flights"})
    assert one(generic(status="resolved"), "generic").status == "resolved"


def test_the_address_says_which_model_and_the_body_does_not() -> None:
    lies = alert(labels={"model": "fraud"}, model="fraud")
    assert one(alertmanager(lies, model="fraud")).model == "delays"


def test_a_repeated_alert_has_the_same_key_and_a_new_one_another() -> None:
    first = one(alertmanager(alert()))
    again = one(
        alertmanager(alert(annotations={"summary": "other words"}, startsAt="2026-11-21T14:00:00.123456789+02:00"))
    )
    assert again.dedupe_key == first.dedupe_key
    others = (
        one(alertmanager(alert(startsAt="2026-11-21T12:00:01Z"))),
        one(alertmanager(alert(fingerprint="1a30ba71cca29220"))),
        read_webhook("alertmanager", "fraud", alertmanager(alert()))[0],
    )
    assert len({first.dedupe_key, *(other.dedupe_key for other in others)}) == 4


def test_an_alert_without_a_fingerprint_is_known_by_its_labels() -> None:
    keys = [one(alertmanager(alert(fingerprint=None, labels={"a": label}))).dedupe_key for label in ("x", "x", "y")]
    assert keys[0] == keys[1] != keys[2]


@pytest.mark.parametrize(
    ("alert_", "summary"),
    [
        (alert(annotations={"description": "what it is"}), "what it is"),
        (alert(annotations={}), "LateShare"),
        (alert(annotations=None), "LateShare"),
        (alert(annotations=7, labels=None), "no summary"),
        (alert(annotations={"summary": ["x"]}, labels={}), "no summary"),
    ],
)
def test_the_summary_is_the_first_text_that_says_something(alert_: dict[str, Any], summary: str) -> None:
    assert one(alertmanager(alert_)).summary == summary


def test_texts_are_one_short_line_without_control_signs() -> None:
    hostile = "a\nb\r\x1b[31mc\u202ed\ud800e\x00" + "x" * 10_000
    found = one(alertmanager(alert(annotations={"summary": hostile}, labels={hostile: hostile}, fingerprint=hostile)))
    for text in (found.summary, found.fingerprint, *found.labels, *found.labels.values()):
        assert text.isprintable()
        assert len(text) <= 300
    assert found.summary.startswith("a b [31mc d e x")


@given(st.dictionaries(st.text(), st.text() | st.integers() | st.none() | st.lists(st.text())), st.text())
def test_evidence_is_small_whatever_the_labels_are(labels: dict[str, Any], text: str) -> None:
    many = {f"{name}{n}": value for n in range(30) for name, value in labels.items()}
    found = one(alertmanager(alert(labels=many, fingerprint=text or "x", annotations={"summary": text})))
    assert len(wire.canonical(found.evidence)) <= 4096
    assert found.fingerprint


def test_labels_are_kept_until_they_are_too_many() -> None:
    found = one(alertmanager(alert(labels={f"label{n:03d}": "ü" * 100 for n in range(100)})))
    assert list(found.labels) == [f"label{n:03d}" for n in range(len(found.labels))]
    assert 5 <= len(found.labels) < 20


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"7",
        b"null",
        b"\xff\xfe\xfd",
        b'{"version": "4", "alerts": NaN}',
        b'{"version": "4", "alerts": [], "alerts": [], "fingerprint": "a", "fingerprint": "b"}',
        b"[" * 100_000,
        b'{"a": ' * 1000 + b"1" + b"}" * 1000,
        b'{"a": ' + b"9" * 10_000 + b"}",
        b'{"version": "4"}',
        b'{"version": "4", "alerts": {}}',
        b'{"version": "4", "alerts": ["x"]}',
    ],
    ids=lambda body: ascii(body[:20]),
)
def test_what_is_no_strict_json_of_its_form_is_refused(form: str, body: bytes) -> None:
    with pytest.raises(UnreadableData):
        read_webhook(form, "delays", body)


@pytest.mark.parametrize(
    "changed",
    [
        {"status": "unheard-of"},
        {"status": None},
        {"status": ["firing"]},
        {"startsAt": None},
        {"startsAt": "yesterday"},
        {"startsAt": "2026-11-21T12:00:00"},
        {"startsAt": "0001-01-01T00:00:00+14:00"},
        {"startsAt": 1700000000},
    ],
    ids=str,
)
def test_an_alert_needs_a_status_and_a_time_with_its_zone(changed: dict[str, Any]) -> None:
    with pytest.raises(UnreadableData, match=r"firing|startsAt"):
        read_webhook("alertmanager", "delays", alertmanager(alert(**changed)))


def test_an_alertmanager_body_of_another_version_is_refused() -> None:
    with pytest.raises(UnreadableData, match="version '4'"):
        read_webhook("alertmanager", "delays", alertmanager(version="5"))


@pytest.mark.parametrize(
    "given", [{"fingerprint": ""}, {"fingerprint": 7}, {"fingerprint": "\x00"}, {"starts_at": None}]
)
def test_a_generic_alert_must_be_recognisable(given: dict[str, Any]) -> None:
    with pytest.raises(UnreadableData, match=r"fingerprint|starts_at"):
        read_webhook("generic", "delays", generic(**given))


def test_firing_alerts_are_taken_once_each_up_to_a_number() -> None:
    alerts = read_webhook(
        "alertmanager",
        "delays",
        alertmanager(
            *(alert(fingerprint=f"{n:016x}") for n in range(30)), alert(fingerprint="0" * 16), alert(status="resolved")
        ),
    )
    assert len(alerts) == 32
    assert len({each.dedupe_key for each in firing(alerts)}) == len(firing(alerts)) == MAX_ALERTS


ALARM = {
    "AlarmName": "late-share",
    "AlarmArn": "arn:aws:cloudwatch:eu-west-1:123456789012:alarm:late-share",
    "AWSAccountId": "123456789012",
    "Region": "EU (Ireland)",
    "OldStateValue": "OK",
    "NewStateValue": "ALARM",
    "NewStateReason": "Threshold crossed",
    "StateChangeTime": "2026-11-21T12:00:00.123+0000",
}
EVENT = {
    "id": "c4c1c1c9-6542-e61b-6ef0-8c4d36933a92",
    "detail-type": "CloudWatch Alarm State Change",
    "source": "aws.cloudwatch",
    "account": "123456789012",
    "region": "eu-west-1",
    "detail": {
        "alarmName": "late-share",
        "state": {"value": "ALARM", "reason": "Threshold crossed", "timestamp": "2026-11-21T12:00:00.123+0000"},
    },
}


def message(content: Any, message_id: str = "m-1") -> Alert:
    (found,) = read_message("delays", json.dumps(content).encode(), message_id)
    return found


def enveloped(content: Any, message_id: str = "sns-1") -> dict[str, Any]:
    return {
        "Type": "Notification",
        "MessageId": message_id,
        "Message": json.dumps(content),
        "TopicArn": "arn:aws:sns:x",
    }


@pytest.mark.parametrize(
    "content", [ALARM, EVENT, enveloped(ALARM), enveloped(EVENT)], ids=["sns", "event", "in1", "in2"]
)
def test_a_cloudwatch_alarm_is_read_however_it_came(content: dict[str, Any]) -> None:
    found = message(content)
    assert (found.model, found.status, found.summary) == ("delays", "firing", "Threshold crossed")
    assert found.starts_at == "2026-11-21T12:00:00.123000Z"
    assert "late-share" in found.fingerprint
    assert message(content, "m-2").dedupe_key == found.dedupe_key  # the same change of state, sent twice


@pytest.mark.parametrize(
    ("state", "status"), [("OK", "resolved"), ("INSUFFICIENT_DATA", "resolved"), ("ALARM", "firing")]
)
def test_only_the_state_alarm_fires(state: str, status: str) -> None:
    assert message(ALARM | {"NewStateValue": state}).status == status


def test_a_webhooks_body_may_lie_in_a_queue_too() -> None:
    found = read_message("delays", alertmanager(alert(), alert()), "m-1")
    assert len(found) == 2


def test_a_generic_message_is_known_by_its_own_id_unless_it_brings_one() -> None:
    bare = {"summary": "A column is gone"}
    assert message(bare).dedupe_key == message(bare).dedupe_key != message(bare, "m-2").dedupe_key
    inside = message(enveloped(bare))
    assert inside.fingerprint == "sns-1"
    own = {**bare, "fingerprint": "schema", "starts_at": "2026-11-21T12:00:00Z"}
    assert message(own).dedupe_key == message(own, "m-2").dedupe_key


@pytest.mark.parametrize(
    "content",
    [
        [],
        "text",
        ALARM | {"NewStateValue": "UNHEARD"},
        ALARM | {"NewStateValue": ["ALARM"]},
        ALARM | {"StateChangeTime": None},
        EVENT | {"detail": {}},
        EVENT | {"detail": {"state": []}},
        enveloped("no object"),
        {"Type": "Notification", "Message": "plain text"},
        {"Type": "Notification", "Message": "\ud800{}"},
        {"alerts": "x"},
        {"fingerprint": 7},
    ],
    ids=lambda content: ascii(content)[:40],
)
def test_a_message_that_is_none_of_these_is_refused(content: Any) -> None:
    with pytest.raises(UnreadableData):
        read_message("delays", json.dumps(content).encode(), "m-1")


@given(st.recursive(st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(), lambda inner: st.lists(inner) | st.dictionaries(
    st.sampled_from(["alerts", "status", "labels", "annotations", "startsAt", "AlarmName", "detail", "source", "Type", "Message", "x"]),
    inner)))  # fmt: skip
def test_any_json_is_read_or_refused(content: Any) -> None:
    body = json.dumps(content).encode()
    for read in (lambda: read_message("delays", body, "m-1"), lambda: read_webhook("grafana", "delays", body)):
        try:
            found = read()
        except UnreadableData:
            continue
        assert all(isinstance(each, Alert) for each in found)
