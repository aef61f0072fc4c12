"""Listens to tasks, and holds one up where the harness wants to kill its worker.

An order is a file ``<dag>.<task>`` in the folder ``STOKER_ORDERS``: at which call to S3, whether before or after it was sent, and
how long. The first try that finds it takes it away, and tells its worker's name in files beside it: when it took it, and when it holds.
"""

from __future__ import annotations

import json
import os
import socket
import time
from pathlib import Path
from typing import Any

from airflow.listeners import hookimpl

_held: list[tuple[Path, float]] = []


@hookimpl
def on_task_instance_running(previous_state: Any, task_instance: Any) -> None:
    """Take an order for this task, if there is one."""
    order = Path(os.environ["STOKER_ORDERS"]) / f"{task_instance.dag_id}.{task_instance.task_id}"
    claimed = Path(f"{order}.claimed")
    try:
        order.rename(claimed)
    except FileNotFoundError:
        return
    wanted = json.loads(claimed.read_text())
    tell(order, "taken")
    _held.append((order, wanted["seconds"]))
    if wanted["call"] == 0:
        hold()
    hold_at(wanted["call"], after=wanted["after"])


@hookimpl
def on_task_instance_success(previous_state: Any, task_instance: Any) -> None:
    """Hold at the end where the task made fewer calls."""
    hold()


@hookimpl
def on_task_instance_skipped(previous_state: Any, task_instance: Any) -> None:
    """As at any other end."""
    hold()


def hold_at(call: int, *, after: bool) -> None:
    """Hold this process at its so many-th call to S3, counted from 1."""
    from botocore.client import BaseClient

    send, made = BaseClient._make_api_call, [0]

    def counted(self: Any, *arguments: Any) -> Any:
        made[0] += 1
        last = made[0] == call
        if last and not after:
            hold()
        answer = send(self, *arguments)
        if last and after:
            hold()
        return answer

    BaseClient._make_api_call = counted


def hold() -> None:
    """Tell the harness, and wait to be killed, if this process has an order."""
    if _held:
        order, seconds = _held.pop()
        tell(order, "held")
        time.sleep(seconds)


def tell(order: Path, what: str) -> None:
    """Leave this worker's name beside an order, whole at once."""
    partly = Path(f"{order}.{what}.partly")
    partly.write_text(socket.gethostname())
    partly.rename(f"{order}.{what}")
