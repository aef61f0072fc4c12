"""What all operators share: the connection, the way an error becomes a task state, and the verdict in the log.

DAG files import operators at every parse, so operators import at their top only what their classes are made of. What a
task needs when it runs is imported where it is used.
"""

from __future__ import annotations

import importlib
from abc import abstractmethod
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowFailException

from stoker.core.memory import limited
from stoker.core.records import AIRFLOW, Actor, Reference
from stoker.errors import StokerError, UsageError
from stoker.links import VerdictLink
from stoker.operators._arguments import check_arguments

if TYPE_CHECKING:
    from airflow.sdk import Context

    from stoker.hooks.registry import StokerHook


_MAX_MESSAGE = 4000  # characters; an argument that is repeated in it may have any length


class StokerOperator(BaseOperator):
    """The base of Stoker's operators.

    The constructor only stores. ``execute`` loads what the step needs, runs it, and returns a reference of at most 8
    KiB: ``{kind, uri, digest, verdict, summary}``. A negative verdict, bad data or a wrong call fails the task at
    once, whatever ``retries`` says; a store that is out of reach is retried as Airflow is told to.

    :param stoker_conn_id: the connection that names the store. Default ``stoker_default``, which need not exist.
    :param store: a store root that wins over the connection's, such as ``s3://bucket/prefix``.
    """

    template_fields: Sequence[str] = ("store", "stoker_conn_id")
    operator_extra_links = (VerdictLink(),)
    ui_color = "#fff4e5"
    ui_fgcolor = "#5c2b00"

    def __init__(self, *, stoker_conn_id: str = "stoker_default", store: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.stoker_conn_id = stoker_conn_id
        self.store = store

    @cached_property
    def hook(self) -> StokerHook:
        """The hook behind ``stoker_conn_id``; made when the task runs."""
        from stoker.hooks.registry import StokerHook

        return StokerHook(self.stoker_conn_id, store=self.store)

    def execute(self, context: Context) -> dict[str, Any]:
        """Run the step and return its reference.

        :raises AirflowFailException: for every error that the same call would meet again.
        """
        return self.attempt(context, lambda: self.step(context))

    def attempt(self, context: Context, work: Callable[[], Reference]) -> dict[str, Any]:
        """Run a part of the step, act on its verdict, and return its reference.

        :raises AirflowFailException: for every error that the same call would meet again.
        """
        try:
            check_arguments(self, StokerOperator)
            with limited(self.hook.settings.memory_limit):
                reference = work()
            self.log_verdict(reference)
            self.conclude(context, reference)
        except StokerError as error:
            if error.retryable:
                raise
            raise AirflowFailException(f"{type(error).__name__}: {error.message}"[:_MAX_MESSAGE]) from error
        return reference.to_xcom()

    @abstractmethod
    def step(self, context: Context) -> Reference:
        """Do the work of this operator."""

    def conclude(self, context: Context, reference: Reference) -> None:
        """Act on the verdict: skip what follows, or refuse to go on. By default the run simply goes on."""

    def publish(self, context: Context, reference: Reference) -> None:
        """Return the reference before ``conclude`` ends the task, for Airflow skips and fails by raising."""
        context["ti"].xcom_push(key="return_value", value=reference.to_xcom())

    def log_verdict(self, reference: Reference) -> None:
        """One line for the outcome, one for each reason, and where the document lies."""
        self.log.info("Verdict: %s", reference.verdict)
        for reason in reference.summary.get("reasons", ()):
            self.log.info("  because: %s", reason)
        self.log.info("Written to %s", reference.uri)


def number(value: Any, name: str, kind: type[int] | type[float] = float) -> Any:
    """A number from a template field, where it may have become text.

    :param name: the argument, for the error message.
    :param kind: ``int`` or ``float``.
    :raises UsageError: when it is none.
    """
    try:
        found = kind(value)
    except (TypeError, ValueError, OverflowError):
        found = None
    if found is None or (not isinstance(value, str) and found != value):  # int() would cut 1.5 down to 1
        wanted = "a whole number" if kind is int else "a number"
        raise UsageError(f"{name} must be {wanted}; got {ascii(value)[:80]}. Correct the argument.")
    return found


def followers(context: Context) -> list[Any]:
    """What comes directly after a task and is skipped with it: all but teardowns, which clean up whatever happened."""
    relatives = context["task"].get_direct_relatives(upstream=False)
    return [task for task in relatives if not getattr(task, "is_teardown", False)]


def engine(name: str) -> Any:
    """Load a module of :mod:`stoker.engines` by name, so that its heavy libraries are imported by tasks alone."""
    return importlib.import_module(f"stoker.engines.{name}")


def actor_of(context: Context) -> Actor:
    """Who is behind a task: the person who triggered the run, else Airflow itself; and which task it is."""
    run = context["dag_run"]
    return Actor(user=getattr(run, "triggering_user_name", None) or AIRFLOW, origin=task_key(context))


def task_key(context: Context) -> str:
    """The same text for every try of one task in one run, and for no other task."""
    ti = context["ti"]
    return f"{ti.dag_id}/{ti.run_id}/{ti.task_id}/{ti.map_index}"
