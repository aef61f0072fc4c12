"""The task before mapped tasks: it decides once what each of them works on."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from stoker.core.names import check_name
from stoker.core.records import Reference
from stoker.loop.plans import Plan, check_tasks, hand_out
from stoker.operators._base import StokerOperator, number, task_key
from stoker.store import layout

if TYPE_CHECKING:
    from airflow.sdk import Context

_TASKS = 32


class PlanOperator(StokerOperator):
    """The base of operators that share the work of a run out among mapped tasks.

    Their ``output`` is a list for ``expand``, with one short mapping for each task. The plan itself lies in the store: retries and
    cleared runs find it there, and share out the same work in the same way.

    :param max_tasks: how many mapped tasks there may be, 1 to 50. With more partitions than that a task takes several.
    """

    template_fields: Sequence[str] = ("max_tasks", *StokerOperator.template_fields)

    def __init__(self, *, max_tasks: int = _TASKS, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.max_tasks = max_tasks

    def execute(self, context: Context) -> Any:
        """Plan, and return what each mapped task is given: Airflow maps over nothing but a list."""
        return super().execute(context)["summary"]["shares"]

    def step(self, context: Context) -> Reference:
        """Decide, or find what was decided before, and return a reference of kind ``plan``."""
        store, model = self.hook.get_conn(), check_name(self.model_name, "model")
        tasks = check_tasks(number(self.max_tasks, "max_tasks", int), "max_tasks")
        shares = hand_out(store, model, task_key(context), lambda: self.decide(context, tasks))
        digest = shares[0]["plan"]
        reasons = [f"{len(shares)} tasks share the work: {', '.join(share['label'] for share in shares)}."[:500]]
        uri = f"{store.uri}/{layout.pin(model, digest)}"
        return Reference("plan", uri, digest, "pass", {"shares": shares, "reasons": reasons})

    @property
    @abstractmethod
    def model_name(self) -> str:
        """The registered model."""

    @abstractmethod
    def decide(self, context: Context, tasks: int) -> Plan:
        """Share the work of this run out among so many tasks at most, of which one at least has something to do."""
