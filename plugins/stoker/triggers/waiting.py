"""What a deferred task waits for."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import AsyncIterator
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from stoker.core.records import Reference
from stoker.triggers.polling import polled

if TYPE_CHECKING:
    from stoker.hooks.registry import StokerHook


class WaitingTrigger(BaseTrigger):
    """Fires once, when :meth:`look` has found what a task waits for.

    :param stoker_conn_id: the connection that names the store.
    :param store: a store root that wins over the connection's.
    :param poll_seconds: the pause after each look.
    """

    def __init__(
        self, *, stoker_conn_id: str = "stoker_default", store: str | None = None, poll_seconds: float = 60
    ) -> None:
        super().__init__()
        self.stoker_conn_id = stoker_conn_id
        self.store = store
        self.poll_seconds = poll_seconds

    @abstractmethod
    def look(self) -> Reference | None:
        """What the task waits for, once it is there. May block."""

    @abstractmethod
    def arguments(self) -> dict[str, Any]:
        """The arguments of the subclass's own, by name; JSON-safe and without secrets."""

    @cached_property
    def hook(self) -> StokerHook:
        """The hook behind ``stoker_conn_id``."""
        # Not at the top: DAG files reach this module.
        from stoker.hooks.registry import StokerHook

        return StokerHook(self.stoker_conn_id, store=self.store)

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Class and arguments, for Airflow's database."""
        common = {"stoker_conn_id": self.stoker_conn_id, "store": self.store, "poll_seconds": self.poll_seconds}
        return f"{type(self).__module__}.{type(self).__qualname__}", {**self.arguments(), **common}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Look until there is something, and give its reference."""
        async for found in polled(self.look, self.poll_seconds, type(self).__name__):
            if found is not None:
                yield TriggerEvent(found.to_xcom())
                return
