"""Requests to retrain wake the training DAG, whoever put them: the command line, a webhook, monitoring."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow.triggers.base import BaseEventTrigger, TriggerEvent

from stoker.core import clock as time
from stoker.triggers.polling import polled

if TYPE_CHECKING:
    from stoker.loop.broker import Broker


SHOWN_AT_MOST = 10  # requests in an event, which is a row of Airflow's database


class RetrainRequestTrigger(BaseEventTrigger):
    """For an ``AssetWatcher`` on the retrain asset of a model: an event when a training may begin.

    That is when a request is open that no run serves, and neither cooldown nor budget nor breaker stands against it. Alerts rarely come
    alone, so it waits for ``quiet_seconds`` without a further one, at most four times as long, and one training serves them all. The same
    requests are announced again after ``remind_seconds``; the run claims them in the broker, where only one can have them.

    :param name: the model.
    :param policy: the policy file of the training DAG, as a path that the triggerer can read. Without it the default cadence
        decides when to wake the DAG, and the DAG's own policy when it claims.
    :param stoker_conn_id: the connection that names the store.
    :param store: a store root that wins over the connection's.
    :param poll_seconds: the pause after each look.
    :param quiet_seconds: how long no further request must have come.
    :param remind_seconds: after which requests that nobody claimed are announced again.
    """

    def __init__(
        self,
        name: str,
        policy: str | None = None,
        stoker_conn_id: str = "stoker_default",
        store: str | None = None,
        poll_seconds: float = 5,
        quiet_seconds: float = 3,
        remind_seconds: float = 120,
    ) -> None:
        super().__init__()
        self.name = name
        self.policy = policy
        self.stoker_conn_id = stoker_conn_id
        self.store = store
        self.poll_seconds = poll_seconds
        self.quiet_seconds = quiet_seconds
        self.remind_seconds = remind_seconds

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Class and arguments, for Airflow's database."""
        names = ("name", "policy", "stoker_conn_id", "store", "poll_seconds", "quiet_seconds", "remind_seconds")
        return f"{__name__}.RetrainRequestTrigger", {name: getattr(self, name) for name in names}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Look for ever. A triggerer that starts anew announces what is still open."""
        watch = RequestWatch(self._broker, quiet_seconds=self.quiet_seconds, remind_seconds=self.remind_seconds)
        async for announcement in polled(watch.due, self.poll_seconds, f"The broker of {self.name}"):
            if announcement:
                yield TriggerEvent(announcement)

    def _broker(self) -> Broker:
        from stoker.hooks.registry import StokerHook
        from stoker.loop.broker import Broker
        from stoker.loop.policy_file import load_policy

        store = StokerHook(self.stoker_conn_id, store=self.store).get_conn()
        return (
            Broker(store, self.name, policy=load_policy(self.policy).cadence)
            if self.policy
            else Broker(store, self.name)
        )


class RequestWatch:
    """Knows which requests were announced, and when. Its method blocks.

    :param open_broker: called at the first look, for it may need the network.
    :param quiet_seconds: how long no further request must have come; four times as long is waited at most.
    :param remind_seconds: after which requests that can still be claimed are due again.
    """

    def __init__(
        self,
        open_broker: Callable[[], Broker],
        *,
        quiet_seconds: float,
        remind_seconds: float,
        clock: time.Clock = time.system_clock,
    ) -> None:
        self._open_broker = open_broker
        self._quiet = timedelta(seconds=quiet_seconds)
        self._patience = timedelta(seconds=remind_seconds)
        self._clock = clock
        self._broker: Broker | None = None
        self._told: set[str] = set()
        self._told_at: datetime | None = None

    def due(self) -> dict[str, Any] | None:
        """What to announce now, if there is anything."""
        if self._broker is None:
            self._broker = self._open_broker()
        if not self._broker.pending():
            return None
        requests = self._broker.requests()
        found, now = {request.id for request in requests}, self._clock()
        newest, oldest = requests[0].time, requests[-1].time
        if now - newest < self._quiet and now - oldest < 4 * self._quiet:
            return None
        if found <= self._told and self._told_at is not None and now - self._told_at < self._patience:
            return None
        self._told, self._told_at = found, now
        shown = [{"id": request.id, "source": request.source} for request in requests[:SHOWN_AT_MOST]]
        return {"model": self._broker.model, "count": len(requests), "requests": shown}
