"""Links into Airflow."""

from __future__ import annotations

import pytest

from stoker.ui.views.places import run_place, task_place


def test_a_task_is_found_again_by_its_origin() -> None:
    place = task_place("my dag/manual__2026-01-01T00:00:00+00:00/train/-1")
    assert place is not None
    assert (place.dag_id, place.task_id, place.map_index) == ("my dag", "train", -1)
    assert place.href == "/dags/my%20dag/runs/manual__2026-01-01T00%3A00%3A00%2B00%3A00/tasks/train"


def test_a_mapped_task_keeps_its_index() -> None:
    place = task_place("dag/run/group.task/12")
    assert place is not None
    assert place.href == "/dags/dag/runs/run/tasks/group.task/mapped/12"


def test_a_run_may_be_named_with_slashes() -> None:
    place = task_place("dag/by/hand/task/-1")
    assert place is not None
    assert place.run_id == "by/hand"
    assert "/runs/by%2Fhand/tasks/task" in place.href


@pytest.mark.parametrize(
    "origin",
    ["cli", "ui", "python", "", None, 7, "webhook/grafana", "dag/run/task", "dag/run/task/x", "dag/run/task/-2", "a//b/-1",
     "../run/task/-1", "dag/../task/-1", "dag/run/./0"],
)  # fmt: skip
def test_other_origins_lead_nowhere(origin: object) -> None:
    assert task_place(origin) is None


def test_markup_in_an_origin_becomes_part_of_an_address() -> None:
    place = task_place('"><script>/javascript:alert(1)/t\x1b/0')
    assert place is not None
    assert place.href == "/dags/%22%3E%3Cscript%3E/runs/javascript%3Aalert%281%29/tasks/t%1B/mapped/0"


def test_a_lease_leads_to_its_run() -> None:
    place = run_place("dag/run 1")
    assert place is not None
    assert place.href == "/dags/dag/runs/run%201"
    assert place.task_id is None


@pytest.mark.parametrize("holder", ["ada", "", "dag/", "/run", "../run", None])
def test_other_holders_lead_nowhere(holder: object) -> None:
    assert run_place(holder) is None
