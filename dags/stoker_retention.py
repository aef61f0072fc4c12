"""What nothing needs any more is given up: every Sunday night a plan, and a sweep when the parameter says so.

A plan writes nothing; its task log says what would go and why the rest stays. To let a sweep go on its own every week, set the default
of ``sweep`` to true. Nothing is removed by the sweep that finds it, but by the next one after a grace of two days.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import CronTriggerTimetable, Param, dag, get_current_context, task


@task(multiple_outputs=False, retries=2, retry_delay=timedelta(minutes=15))
def retain() -> Any:
    """Plan, and sweep if asked to. Returns the counts."""
    import logging

    from stoker import StokerHook
    from stoker.core.records import AIRFLOW, Actor
    from stoker.loop.policy_file import load_policy
    from stoker.registry.retention import plan, sweep

    context = get_current_context()
    params, log = context["params"], logging.getLogger(__name__)
    policy = load_policy(params["policy"]).retention if params["policy"] else None
    registry = StokerHook().registry
    if not params["sweep"]:
        found = plan(registry, policy, tell=log.info)
        for model in found.models:
            log.info("%s: %d versions to archive; kept: %s", model.model, len(model.archive), model.kept)
        return {"unneeded": found.unneeded, "bytes": found.bytes, "expired": found.expired}
    done = sweep(
        registry, policy, actor=Actor(AIRFLOW, f"{context['ti'].dag_id}/{context['ti'].run_id}"), tell=log.info
    )
    return {"removed": done.removed, "bytes": done.bytes, "condemned": done.condemned}


@dag(
    schedule=CronTriggerTimetable("0 3 * * 0", timezone="UTC"),
    catchup=False,
    max_active_runs=1,
    tags=["stoker"],
    params={
        "sweep": Param(
            False, type="boolean", title="Sweep", description="Remove what may go; otherwise only say what would."
        ),
        "policy": Param(
            None,
            type=["null", "string"],
            maxLength=1000,
            title="Policy file",
            description="A file with a section 'retention'.",
        ),
    },
    doc_md=__doc__,
)
def stoker_retention() -> None:
    """One step."""
    retain()


stoker_retention()
