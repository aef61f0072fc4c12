"""Each step notes which task it was, so that the lineage of a model leads to its tasks."""

from __future__ import annotations

from stoker.store import partitions
from stoker.ui.views import Views
from tests.operators.conftest import Loop


def test_the_lineage_of_a_champion_leads_to_the_tasks_that_made_it(old: Loop) -> None:
    stages = Views(old.registry).lineage("late").stages
    tasks = {stage.name: node.where.task_id for stage in stages for node in stage.nodes if node.where}
    assert tasks == {
        "data": "snapshot", "validation": "validate", "training": "train", "version": "register", "champion": "promote",
    }  # fmt: skip
    runs = {node.where.run_id for stage in stages for node in stage.nodes if node.where}
    assert runs == {"scheduled__2013-01"}


def test_a_repeated_step_keeps_the_task_that_was_first(old: Loop) -> None:
    old.run_id = "manual__again"
    old.snapshot("2013-02")
    pointer = partitions.last_pointer(old.store, "flights", "raw")
    assert pointer is not None
    assert pointer["origin"] == "loop/scheduled__2013-02/snapshot/-1"
