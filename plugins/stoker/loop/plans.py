"""The partitions of a run, shared out among the tasks that work on them side by side."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any, TypeVar

from stoker.core import wire
from stoker.errors import ConfigurationError, UsageError
from stoker.loop.pins import pinned_plan, plan_of
from stoker.store.base import ObjectStore

MAX_TASKS = 50
"""So many shares at most: what names them goes through XCom and stays below 8 KiB. Airflow itself maps at most 1024 tasks."""

_MAX_LABEL = 40  # characters
_FIELDS = {"plan", "share", "label"}

Item = TypeVar("Item")


@dataclass(frozen=True)
class Plan:
    """Which task of a run works on what.

    :param facts: what holds for all of them; JSON-safe.
    :param shares: the items of each task; JSON-safe.
    :param labels: a short text for each share, for people.
    """

    facts: Mapping[str, Any]
    shares: Sequence[Sequence[Any]]
    labels: Sequence[str]


def check_tasks(tasks: Any, name: str) -> int:
    """Return the number when a run may be shared out among so many tasks.

    :param name: the argument, for the error message.
    :raises ConfigurationError: unless it is a whole number between 1 and 50.
    """
    if isinstance(tasks, bool) or not isinstance(tasks, int) or not 1 <= tasks <= MAX_TASKS:
        raise ConfigurationError(f"{name} must be a whole number between 1 and {MAX_TASKS}; got {tasks!r}.")
    return tasks


def shared_out(items: Sequence[Item], tasks: int) -> list[list[Item]]:
    """Consecutive shares in the order of the items, none empty, whose sizes differ by one at most.

    :param tasks: how many shares there may be, at least 1.
    """
    count = min(tasks, len(items))
    ends = [len(items) * number // count for number in range(count + 1)] if count else []
    return [list(items[start:end]) for start, end in pairwise(ends)]


def label_of(first: str, last: str) -> str:
    """What people read about the partitions from the first to the last."""
    return (first if first == last else f"{first} to {last}")[:_MAX_LABEL]


def hand_out(store: ObjectStore, model: str, run_key: str, decide: Callable[[], Plan]) -> list[dict[str, Any]]:
    """What the mapped tasks of a run are given, one each. The first try decides it; all later ones get the same.

    :param model: the registered model.
    :param run_key: the same text for every try of the task that plans, and for no other task.
    :param decide: called when nothing is decided yet. What it raises is not remembered.
    """
    labels = pinned_plan(store, model, run_key, lambda: asdict(decide()))["labels"]
    digest = wire.sha256(run_key.encode())
    return [{"plan": digest, "share": number, "label": label} for number, label in enumerate(labels)]


def is_share(given: Any) -> bool:
    """Whether this looks like one of those that :func:`hand_out` gives."""
    return isinstance(given, Mapping) and set(given) == _FIELDS


def share_of(store: ObjectStore, model: str, given: Any) -> tuple[Mapping[str, Any], list[Any]]:
    """The facts of a plan, and the items of one share of it.

    :param given: one of those that :func:`hand_out` gave.
    :raises UsageError: when it is none of this model.
    :raises NotFound: when the plan is gone.
    """
    if is_share(given):
        plan = plan_of(store, model, given["plan"])
        shares, number = plan.get("shares", ()), given["share"]
        if type(number) is int and 0 <= number < len(shares):
            return plan["facts"], shares[number]
    raise UsageError(
        f"A mapped task must be given one share of a plan of {model} (expand over the .output of the task that plans); got "
        f"{ascii(given)[:120]}."
    )
