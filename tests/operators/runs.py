"""One task of one run without a database: what the operators at both ends of a loop see of Airflow."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from types import SimpleNamespace
from typing import Any

from airflow.sdk import DAG
from airflow.sdk.bases.operator import BaseOperator
from airflow.sdk.exceptions import AirflowSkipException, DownstreamTasksSkipped

from stoker.core.clock import random_id
from stoker.core.verdicts import Outcome
from stoker.registry.registry import Registry
from stoker.store.base import ObjectStore
from stoker.store.documents import put_document
from stoker.store.opening import open_store
from tests.registry.cases import ALICE, MODEL, START, fingerprint, manifest, promote


@dataclass
class Run:
    """A run of a DAG over one store."""

    uri: str = field(default_factory=lambda: f"memory://{random_id()}")
    run_id: str = "scheduled__1"
    run_type: str = "scheduled"
    run_after: datetime = START
    conf: dict[str, Any] = field(default_factory=dict)
    params: dict[str, Any] = field(default_factory=dict)
    pushed: dict[str, Any] = field(default_factory=dict)
    skipped: list[str] = field(default_factory=list)
    refusal: str = ""

    @property
    def store(self) -> ObjectStore:
        return open_store(self.uri)

    @property
    def registry(self) -> Registry:
        return Registry(self.store)

    def of(self, run_id: str, run_type: str = "scheduled", **more: Any) -> Run:
        """Another run over the same store."""
        return Run(uri=self.uri, run_id=run_id, run_type=run_type, **more)

    def execute(self, operator: type[Any], **given: Any) -> dict[str, Any]:
        """What the task returns, or published before it skipped itself or others."""
        self.pushed, self.skipped, self.refusal = {}, [], ""
        with DAG("churn_train", schedule=None) as dag:
            task = operator(task_id="own", store=self.uri, **given)
            task >> [BaseOperator(task_id="intake"), BaseOperator(task_id="train"), BaseOperator(task_id="settle")]
        ti = SimpleNamespace(
            dag_id="churn_train", run_id=self.run_id, task_id="own", map_index=-1, task=task, xcom_push=self._push
        )
        run = SimpleNamespace(
            run_id=self.run_id,
            run_type=self.run_type,
            run_after=self.run_after,
            conf=self.conf,
            triggering_user_name="ada" if self.run_type == "manual" else None,
        )
        context: Any = {
            "ti": ti,
            "dag_run": run,
            "run_id": self.run_id,
            "task": task,
            "dag": dag,
            "params": self.params,
        }
        task.render_template_fields(context)
        try:
            return task.execute(context)  # type: ignore[no-any-return]
        except DownstreamTasksSkipped as skipped:
            self.skipped = sorted(name if isinstance(name, str) else name[0] for name in skipped.tasks)
        except AirflowSkipException as skipped:
            self.refusal = str(skipped)
        return self.pushed.get("return_value", {})  # type: ignore[no-any-return]

    def _push(self, key: str, value: Any) -> None:
        self.pushed[key] = value

    def office(self, versions: int = 1) -> None:
        """Let the model have so many versions, each of which became champion in its turn."""
        for number in range(1, versions + 1):
            found = manifest(self.store, number, candidate={"digest": self.candidate(number)})
            version = Registry(self.store, clock=lambda: START).register(MODEL, found, actor=ALICE, reason="trained")
            promote(self.registry, version.number)

    def candidate(self, number: int, seconds: float = 1.0) -> str:
        """The digest of what training ``number`` made."""
        document = {"kind": "candidate", "fingerprint": fingerprint(number), "training": {"seconds": seconds}}
        return put_document(self.store, document)

    def reference(self, kind: str, outcome: str = "pass", **summary: Any) -> dict[str, Any]:
        """What a task of that kind would have returned."""
        candidate = summary.pop("candidate", None) or self.candidate(2)
        document = {"kind": kind, "candidate": candidate, "outcome": outcome, "summary": summary}
        return {
            "kind": kind,
            "uri": "memory://elsewhere",
            "digest": put_document(self.store, document),
            "verdict": Outcome(outcome).value,
            "summary": {"reasons": [f"The {kind} was {outcome}."], **summary},
        }
