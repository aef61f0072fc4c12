"""The registration task: a candidate and its verdict become a version."""

from __future__ import annotations

import pytest

from tests.operators.conftest import Lived, Loop, twice


def test_a_version_holds_candidate_and_verdict(old: Loop, lived: Lived) -> None:
    version = old.registry.version("late", 2)
    assert version.digest == lived.february["version"]["digest"]
    assert version.manifest["candidate"]["digest"] == lived.february["model"]["digest"]
    assert version.manifest["evaluation"]["digest"] == lived.february["judged"]["digest"]
    assert (version.actor.user, version.actor.origin) == ("ada", "loop/scheduled__2013-02/register/-1")


@pytest.mark.parametrize("run_id", ["scheduled__2013-02", "manual__again"])
def test_a_retry_and_another_run_find_the_version_that_it_is(old: Loop, lived: Lived, run_id: str) -> None:
    old.run_id = run_id
    again = twice(old, lambda: old.register(lived.february["model"], evaluation=lived.february["judged"]))
    assert again["digest"] == lived.february["version"]["digest"]
    assert old.registry.state("late").versions == 2


def test_aliases_point_at_the_new_version_at_once(old: Loop, lived: Lived) -> None:
    given = {"evaluation": lived.february["judged"], "name": "shadowed", "aliases": ["challenger", "shadow"]}
    old.register(lived.february["model"], **given)
    assert old.registry.aliases("shadowed") == {"challenger": 1, "shadow": 1}


def test_without_an_evaluation_the_model_is_loaded_first(old: Loop, lived: Lived) -> None:
    assert old.register(lived.february["model"], name="unjudged")["verdict"] == "not_configured"


def test_a_scheduled_run_acts_as_airflow(old: Loop, lived: Lived) -> None:
    old.user = None
    old.register(lived.february["model"], evaluation=lived.february["judged"], name="scheduled")
    assert old.registry.version("scheduled", 1).actor.user == "airflow"
