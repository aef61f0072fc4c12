"""Alerts from an SQS queue: CloudWatch alarms, SNS notifications, or what else puts messages there."""

from __future__ import annotations

import logging
import re
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow.triggers.base import BaseEventTrigger, TriggerEvent

from stoker.core.records import Actor
from stoker.errors import ConfigurationError, UnreadableData
from stoker.triggers.polling import polled

if TYPE_CHECKING:
    from stoker.core.alerts import Alert
    from stoker.loop.broker import Broker

log = logging.getLogger(__name__)

_AT_ONCE = 10
_MAX_WAIT = 20
_REGION = re.compile(r"https://(?:sqs|sqs-fips)\.(?P<region>[a-z0-9-]+)\.amazonaws\.com(?:\.cn)?/")


class AlertQueueEventTrigger(BaseEventTrigger):
    """Turns messages of an SQS queue into requests for retraining, and wakes whoever watches with one event per receive.

    A message is deleted only when its request lies in the store. What is killed in between comes again after the queue's
    visibility timeout, and is recognised by what it reports: at least once in the queue, once in the broker. For the same
    reason no event needs to be acknowledged: one that is lost leaves its request in the store, which
    ``RetrainRequestTrigger`` announces.

    A message that cannot be read is left to the queue's own dead-letter policy; give the queue one.

    :param queue_url: the queue, such as ``https://sqs.eu-west-1.amazonaws.com/123456789012/alerts``.
    :param name: the model that the alerts are about.
    :param stoker_conn_id: the connection of the store.
    :param store: a store root that wins over the connection's.
    :param aws_conn_id: Airflow connection through which SQS is reached; ``None`` uses boto3's own credential chain.
    :param poll_seconds: pause after each receive, and after a failure.
    :param wait_seconds: how long one receive waits for messages; 0 to 20, as SQS has it.
    """

    def __init__(
        self,
        *,
        queue_url: str,
        name: str,
        stoker_conn_id: str = "stoker_default",
        store: str | None = None,
        aws_conn_id: str | None = None,
        poll_seconds: float = 1,
        wait_seconds: int = _MAX_WAIT,
    ) -> None:
        super().__init__()
        self.queue_url = queue_url
        self.name = name
        self.stoker_conn_id = stoker_conn_id
        self.store = store
        self.aws_conn_id = aws_conn_id
        self.poll_seconds = poll_seconds
        self.wait_seconds = wait_seconds

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Where the class lies, and its arguments."""
        return f"{type(self).__module__}.{type(self).__qualname__}", {
            "queue_url": self.queue_url,
            "name": self.name,
            "stoker_conn_id": self.stoker_conn_id,
            "store": self.store,
            "aws_conn_id": self.aws_conn_id,
            "poll_seconds": self.poll_seconds,
            "wait_seconds": self.wait_seconds,
        }

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Receive for ever. An event tells the model and how many requests are new."""
        # A thread of its own, since a receive waits for most of its life.
        thread = ThreadPoolExecutor(1, thread_name_prefix="stoker-alert-queue")
        try:
            async for new in polled(self._take, self.poll_seconds, f"The queue {self.queue_url}", executor=thread):
                if new:
                    yield TriggerEvent({"model": self.name, "requests": new})
        finally:
            # Not waited for: that would hold up every other trigger. Messages that it still receives reach the store.
            thread.shutdown(wait=False, cancel_futures=True)

    def _take(self) -> int:
        return self._queue.take()

    @cached_property
    def _queue(self) -> AlertQueue:
        """Opened in the thread, since reading a connection blocks."""
        from stoker.hooks.registry import StokerHook
        from stoker.loop.broker import Broker

        store = StokerHook(self.stoker_conn_id, store=self.store).get_conn()
        client = _sqs_client(self.queue_url, self.aws_conn_id)
        return AlertQueue(client, self.queue_url, Broker(store, self.name), self.name, wait_seconds=self.wait_seconds)


class AlertQueue:
    """A queue whose messages become requests of one model.

    :param client: a boto3 SQS client.
    :param wait_seconds: how long one receive waits for messages.
    """

    def __init__(self, client: Any, url: str, broker: Broker, model: str, *, wait_seconds: int) -> None:
        self._client = client
        self._url = url
        self._broker = broker
        self._model = model
        self._wait_seconds = wait_seconds

    def take(self) -> int:
        """Receive once, at most ten messages; store what they ask for; then delete them.

        :return: how many requests are new.
        """
        from stoker.loop.alert_intake import take_in

        received = self._client.receive_message(
            QueueUrl=self._url, MaxNumberOfMessages=_AT_ONCE, WaitTimeSeconds=self._wait_seconds
        )
        new = 0
        done = []
        for message in received.get("Messages", []):
            alerts = self._read(message)
            if alerts is not None:
                actor = Actor("sqs", f"queue/{self._url.rsplit('/', 1)[-1]}")
                new += take_in(self._broker, alerts, source="queue", actor=actor).requests
                done.append(message)
        self._delete(done)
        return new

    def _read(self, message: dict[str, Any]) -> tuple[Alert, ...] | None:
        from stoker.core.alerts import read_message

        try:
            return read_message(self._model, message["Body"].encode(), message["MessageId"])
        except UnreadableData as error:
            log.warning(
                "message %s of %s is left to the dead-letter policy: %s", message["MessageId"], self._url, error.message
            )
            return None

    def _delete(self, messages: list[dict[str, Any]]) -> None:
        if not messages:
            return
        entries = [{"Id": str(n), "ReceiptHandle": m["ReceiptHandle"]} for n, m in enumerate(messages)]
        answer = self._client.delete_message_batch(QueueUrl=self._url, Entries=entries)
        for failed in answer.get("Failed", []):
            log.warning("a message of %s was not deleted and will come again: %s", self._url, failed.get("Code"))


def _sqs_client(queue_url: str, aws_conn_id: str | None) -> Any:
    found = _REGION.match(queue_url)
    region = found["region"] if found else None
    if aws_conn_id is None:
        import boto3

        return boto3.client("sqs", region_name=region)
    try:
        from airflow.providers.amazon.aws.hooks.sqs import SqsHook
    except ImportError as error:
        raise ConfigurationError(
            "The Amazon provider must be installed for aws_conn_id; it is not. Install airflow-provider-stoker[s3], or "
            "leave aws_conn_id out."
        ) from error
    return SqsHook(aws_conn_id=aws_conn_id, region_name=region).get_conn()
