"""What Airflow 3.2 lacks of 3.3, in one place. Everything else asks nothing about versions."""

from __future__ import annotations

import logging
import sys
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from airflow.providers.standard.operators.hitl import HITLOperator
    from airflow.sdk import Context

try:
    from airflow.triggers.shared_stream import AdvanceItem, SharedStreamProducer
except ImportError:
    # Without shared streams Airflow runs every watcher by itself, and never says which events it stored.
    AdvanceItem, SharedStreamProducer = Any, object  # type: ignore[assignment,misc]

__all__ = ["AdvanceItem", "SharedStreamProducer", "keep_logs_off_stdout", "wait_on"]


def wait_on(task: HITLOperator, context: Context, patience: timedelta) -> NoReturn:
    """Leave the worker once more, with the question in Airflow's form as it stands.

    :param task: continues in ``execute_complete``.
    :param patience: after which it continues without an answer.
    """
    try:
        from airflow.sdk.exceptions import TaskAwaitingInput
    except ImportError:
        _defer(task, context, patience)
    raise TaskAwaitingInput(method_name="execute_complete", timeout=patience)


def _defer(task: HITLOperator, context: Context, patience: timedelta) -> NoReturn:
    """As the operator itself does on Airflow 3.2, but without asking anew, which would take back an answer just given."""
    from airflow.providers.standard.triggers.hitl import HITLTrigger

    from stoker.core.clock import system_clock

    trigger = HITLTrigger(
        ti_id=context["task_instance"].id,
        options=task.options,
        defaults=task.defaults,
        params=task.serialized_params,
        multiple=task.multiple,
        timeout_datetime=system_clock() + patience,
    )
    task.defer(trigger=trigger, method_name="execute_complete")


def keep_logs_off_stdout() -> None:
    """Send Airflow's log lines to standard error, for ``--json`` owns standard output."""
    try:
        from airflow.cli.utils import redirect_stdout_log_handlers_to_stderr
    except ImportError:
        _redirect()
    else:
        redirect_stdout_log_handlers_to_stderr()


def _redirect() -> None:
    for handler in logging.getLogger().handlers:
        if isinstance(handler, logging.StreamHandler) and handler.stream is sys.stdout:
            handler.setStream(sys.stderr)
