"""Alerts from an SQS queue: deleted only once they lie in the store, and one request however often they come."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from airflow.triggers.base import BaseEventTrigger
from moto import mock_aws

from stoker.core.clock import random_id
from stoker.errors import StoreUnavailable
from stoker.hooks.registry import StokerHook
from stoker.loop.broker import Broker
from stoker.store.memory import MemoryStore
from stoker.triggers.alert_queue import AlertQueue, AlertQueueEventTrigger

VISIBLE_AFTER = 0  # seconds: what is not deleted is there again at once


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    with mock_aws():
        yield boto3.client("sqs", region_name="eu-west-1")


@pytest.fixture
def url(client: Any) -> str:
    attributes = {"VisibilityTimeout": str(VISIBLE_AFTER)}
    return str(client.create_queue(QueueName="alerts", Attributes=attributes)["QueueUrl"])


@pytest.fixture
def broker() -> Broker:
    return Broker(MemoryStore(), "delays")


@pytest.fixture
def queue(client: Any, url: str, broker: Broker) -> AlertQueue:
    return AlertQueue(client, url, broker, "delays", wait_seconds=0)


def alarm(state: str = "ALARM", at: str = "2026-11-21T12:00:00.123+0000") -> dict[str, Any]:
    return {
        "AlarmName": "late-share",
        "AlarmArn": "arn:aws:cloudwatch:eu-west-1:123456789012:alarm:late-share",
        "NewStateValue": state,
        "NewStateReason": "Threshold crossed",
        "StateChangeTime": at,
    }


def send(client: Any, url: str, *contents: Any) -> None:
    for content in contents:
        client.send_message(QueueUrl=url, MessageBody=content if isinstance(content, str) else json.dumps(content))


def left(client: Any, url: str) -> int:
    attributes = client.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    return int(attributes["ApproximateNumberOfMessages"]) + int(attributes["ApproximateNumberOfMessagesNotVisible"])


def test_a_message_becomes_a_request_and_leaves_the_queue(
    client: Any, url: str, queue: AlertQueue, broker: Broker
) -> None:
    send(client, url, alarm())
    assert queue.take() == 1
    (request,) = broker.requests()
    assert (request.source, request.reason) == ("queue", "An alert is firing: Threshold crossed")
    assert (request.actor.user, request.actor.origin) == ("sqs", "queue/alerts")
    assert left(client, url) == 0
    assert queue.take() == 0


def test_the_same_change_of_state_sent_many_times_is_one_request(
    client: Any, url: str, queue: AlertQueue, broker: Broker
) -> None:
    send(client, url, *[alarm()] * 25, {"Type": "Notification", "MessageId": "m", "Message": json.dumps(alarm())})
    assert sum(queue.take() for _ in range(5)) == 1
    send(client, url, alarm("OK", "2026-11-21T13:00:00.123+0000"), alarm(at="2026-11-21T14:00:00.123+0000"))
    assert sum(queue.take() for _ in range(3)) == 1
    assert len(broker.requests()) == 2
    assert left(client, url) == 0


def test_a_message_that_cannot_be_read_is_left_to_the_dead_letter_policy(
    client: Any, caplog: pytest.LogCaptureFixture, broker: Broker
) -> None:
    dead = client.create_queue(QueueName="dead")["QueueUrl"]
    arn = client.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    policy = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": "2"})
    attributes = {"RedrivePolicy": policy, "VisibilityTimeout": str(VISIBLE_AFTER)}
    url = client.create_queue(QueueName="alerts", Attributes=attributes)["QueueUrl"]
    queue = AlertQueue(client, url, broker, "delays", wait_seconds=0)
    send(client, url, "no\njson", alarm())
    assert [queue.take() for _ in range(4)] == [1, 0, 0, 0]
    assert (left(client, url), left(client, dead)) == (0, 1)
    told = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert len(told) == 2  # once a receive
    assert all("dead-letter" in text and "\n" not in text for text in told)


def test_nothing_is_deleted_before_it_lies_in_the_store(
    client: Any, url: str, queue: AlertQueue, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    send(client, url, alarm())

    def away(self: Broker, **_: Any) -> None:
        raise StoreUnavailable("The store must answer; it does not.")

    with monkeypatch.context() as failing:
        failing.setattr(Broker, "put", away)
        with pytest.raises(StoreUnavailable):
            queue.take()
    assert left(client, url) == 1
    assert queue.take() == 1
    assert left(client, url) == 0


def test_a_kill_between_the_store_and_the_deletion_makes_no_second_request(
    client: Any, url: str, queue: AlertQueue, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    def killed(*_: Any, **__: Any) -> None:
        raise Killed

    send(client, url, alarm())
    with monkeypatch.context() as dying:
        dying.setattr(AlertQueue, "_delete", killed)
        with pytest.raises(Killed):
            queue.take()
    assert (len(broker.requests()), left(client, url)) == (1, 1)
    assert queue.take() == 0
    assert (len(broker.requests()), left(client, url)) == (1, 0)


def test_a_message_whose_deletion_fails_is_told(
    client: Any, url: str, broker: Broker, caplog: pytest.LogCaptureFixture
) -> None:
    class Refusing:
        receive_message = staticmethod(client.receive_message)

        @staticmethod
        def delete_message_batch(QueueUrl: str, Entries: list[dict[str, str]]) -> dict[str, Any]:  # noqa: N803
            return {"Failed": [{"Id": entry["Id"], "Code": "InternalError"} for entry in Entries]}

    send(client, url, alarm())
    assert AlertQueue(Refusing(), url, broker, "delays", wait_seconds=0).take() == 1
    assert "will come again: InternalError" in caplog.text


def trigger(url: str, store: str, **changed: Any) -> AlertQueueEventTrigger:
    return AlertQueueEventTrigger(
        queue_url=url, name="delays", store=store, poll_seconds=0.01, wait_seconds=0, **changed
    )


def test_a_trigger_is_what_its_arguments_say_and_holds_no_secret() -> None:
    first = trigger("https://sqs.eu-west-1.amazonaws.com/123456789012/alerts", "memory://x", aws_conn_id="aws_alerts")
    path, arguments = first.serialize()
    module, name = path.rsplit(".", 1)
    again = getattr(__import__(module, fromlist=[name]), name)(**json.loads(json.dumps(arguments)))
    assert isinstance(again, BaseEventTrigger)
    assert again.serialize() == first.serialize()
    assert set(arguments) == {
        "queue_url", "name", "stoker_conn_id", "store", "aws_conn_id", "poll_seconds", "wait_seconds",
    }  # fmt: skip


def test_each_receive_with_news_is_one_event(client: Any, url: str) -> None:
    store = f"memory://{random_id()}"

    async def watch() -> list[Any]:
        events = []
        running = trigger(url, store).run()
        for contents in ([alarm()], [alarm(), alarm(at="2026-11-22T12:00:00Z"), alarm(at="2026-11-23T12:00:00Z")]):
            await asyncio.to_thread(send, client, url, *contents)
            events.append((await asyncio.wait_for(anext(running), 20)).payload)
        await running.aclose()
        return events

    first, *_ = asyncio.run(watch())
    assert first == {"model": "delays", "requests": 1}
    assert len(Broker(StokerHook(store=store).get_conn(), "delays").requests()) >= 2


def test_the_trigger_outlives_a_queue_that_is_away(client: Any, caplog: pytest.LogCaptureFixture) -> None:
    store = f"memory://{random_id()}"
    url = "https://sqs.eu-west-1.amazonaws.com/123456789012/alerts"

    async def watch() -> Any:
        running = trigger(url, store).run()
        waiting = asyncio.ensure_future(anext(running))
        await asyncio.sleep(0.3)
        created = await asyncio.to_thread(lambda: client.create_queue(QueueName="alerts")["QueueUrl"])
        assert created == url
        await asyncio.to_thread(send, client, url, alarm())
        event = await asyncio.wait_for(waiting, 20)
        await running.aclose()
        return event.payload

    assert asyncio.run(watch()) == {"model": "delays", "requests": 1}
    assert "trying again" in caplog.text


def test_a_trigger_that_is_stopped_in_a_long_wait_holds_up_nobody(
    client: Any, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits, released, done = threading.Event(), threading.Event(), threading.Event()

    def receive(self: AlertQueue, real: Callable[[AlertQueue], int] = AlertQueue.take) -> int:
        waits.set()
        released.wait()
        real(self)
        done.set()
        return 0

    async def watch() -> None:
        running = asyncio.ensure_future(anext(trigger(url, store).run()))
        await asyncio.to_thread(waits.wait)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):  # and the thread still waits
            await running
        assert not done.is_set()

    store = f"memory://{random_id()}"
    monkeypatch.setattr(AlertQueue, "take", receive)
    send(client, url, alarm())
    try:
        asyncio.run(watch())
    finally:
        released.set()
    assert done.wait(20)
    assert len(Broker(StokerHook(store=store).get_conn(), "delays").requests()) == 1  # what it had received is not lost


@pytest.mark.parametrize(
    ("url", "region"),
    [
        ("https://sqs.eu-west-1.amazonaws.com/123456789012/alerts", "eu-west-1"),
        ("https://sqs.cn-north-1.amazonaws.com.cn/123456789012/alerts", "cn-north-1"),
        ("https://sqs-fips.us-gov-west-1.amazonaws.com/123456789012/alerts", "us-gov-west-1"),
    ],
)
@pytest.mark.parametrize("conn_id", [None, "aws_alerts"])
def test_the_region_is_the_one_of_the_queue(
    client: Any, monkeypatch: pytest.MonkeyPatch, url: str, region: str, conn_id: str | None
) -> None:
    monkeypatch.setenv("_AIRFLOW_PROCESS_CONTEXT", "client")
    monkeypatch.setenv("AIRFLOW_CONN_AWS_ALERTS", json.dumps({"conn_type": "aws", "login": "a", "password": "b"}))
    opened = trigger(url, f"memory://{random_id()}", aws_conn_id=conn_id)._queue
    assert opened._client.meta.region_name == region
