"""What all sensors share: the connection, and waiting in the triggerer instead of in a worker."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseSensorOperator, PokeReturnValue, conf
from airflow.sdk.exceptions import AirflowFailException

from stoker.errors import StokerError

if TYPE_CHECKING:
    from airflow.sdk import Context

    from stoker.triggers.waiting import WaitingTrigger


class StokerSensor(BaseSensorOperator):
    """The base of Stoker's sensors.

    A look that the store does not answer is made again; a wrong call or a missing place fails the task at once.

    :param deferrable: wait in the triggerer, without a worker. Default: ``[operators] default_deferrable``.
    :param stoker_conn_id: the connection that names the store. Default ``stoker_default``, which need not exist.
    :param store: a store root that wins over the connection's, such as ``s3://bucket/prefix``.
    """

    template_fields: Sequence[str] = ("store", "stoker_conn_id")
    ui_color = "#fff4e5"
    ui_fgcolor = "#5c2b00"

    def __init__(
        self,
        *,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        stoker_conn_id: str = "stoker_default",
        store: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.deferrable = deferrable
        self.stoker_conn_id = stoker_conn_id
        self.store = store

    @abstractmethod
    def make_trigger(self, **common: Any) -> WaitingTrigger:
        """The trigger that looks for what this sensor waits for.

        :param common: the arguments that all such triggers have.
        """

    @cached_property
    def trigger(self) -> WaitingTrigger:
        """The trigger; it looks for this task before the triggerer does."""
        return self.make_trigger(stoker_conn_id=self.stoker_conn_id, store=self.store, poll_seconds=self.poke_interval)

    def poke(self, context: Context) -> PokeReturnValue:
        """Look once."""
        try:
            found = self.trigger.look()
        except StokerError as error:
            if not error.retryable:
                raise AirflowFailException(f"{type(error).__name__}: {error.message}") from error
            self.log.warning("The next look is in %g s: %s", self.poke_interval, error.message)
            found = None
        return PokeReturnValue(found is not None, found.to_xcom() if found else None)

    def execute(self, context: Context) -> Any:
        """Return the reference of what was waited for, as a worker or after the triggerer found it."""
        if not self.deferrable:
            return super().execute(context)
        answer = self.poke(context)
        if not answer:
            self.defer(trigger=self.trigger, method_name="found", timeout=timedelta(seconds=self.timeout))
        return answer.xcom_value

    def found(self, context: Context, event: Mapping[str, Any]) -> dict[str, Any]:
        """Return what the triggerer found."""
        return dict(event)
