"""Buttons of the pages: who may use them, what they say will happen, and that they carry what the person saw."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from fastapi import Depends
from fastapi.testclient import TestClient

from stoker.core.clock import system_clock
from stoker.core.records import Actor
from stoker.registry.registry import Registry
from stoker.store.memory import MemoryStore
from stoker.ui.access import Access, Person
from stoker.ui.app import create_app
from tests.support.markup import Element, Page, scripts_and_handlers
from tests.support.registrations import ACTOR, register

HOSTILE = '"><script>alert(1)</script>{{7*7}}'
ADA = Person("ada", lambda dag_id: True)
TASK = Actor("airflow", "train churn/manual__2026-11-21T09:00:00+00:00/approve/-1")


class Site:
    """The pages as one person sees them. Registry and person may be changed."""

    def __init__(self) -> None:
        self.registry = Registry(MemoryStore())
        self.person = ADA
        access = Access((), lambda: self.person)
        self.client = TestClient(create_app(lambda: self.registry, access=access))

    def page(self, path: str) -> Page:
        answer = self.client.get(path)
        assert answer.status_code == 200, answer.text
        return Page(answer.text)

    def button(self, path: str, kind: str) -> Element:
        (button,) = self.page(path).find("button", data_kind=kind)
        return button


@pytest.fixture(scope="module")
def empty_site() -> Site:
    """Building the application takes longer than any test here."""
    return Site()


@pytest.fixture
def site(empty_site: Site) -> Site:
    empty_site.registry, empty_site.person = Registry(MemoryStore()), ADA
    for _ in range(3):
        register(empty_site.registry)
    empty_site.registry.promote("churn", 1, actor=ACTOR, reason="good")
    empty_site.registry.promote("churn", 2, actor=ACTOR, reason="better")
    return empty_site


def seen(button: Element) -> dict[str, object]:
    body: dict[str, object] = json.loads(button.attributes["data-body"])
    return body


def test_a_promotion_says_what_changes_and_carries_the_champion_that_was_seen(site: Site) -> None:
    button = site.button("/models/churn/versions/3", "promote")
    assert "from v2 to v3" in button.attributes["data-sentence"]
    assert button.attributes["data-action"] == "/models/churn/promote"
    assert seen(button) == {"version": 3, "expected_version": 2}


def test_the_first_promotion_expects_that_there_is_no_champion(site: Site) -> None:
    register(site.registry, "fraud")
    button = site.button("/models/fraud/versions/1", "promote")
    assert "from no version to v1" in button.attributes["data-sentence"]
    assert seen(button) == {"version": 1, "expected_version": None}


def test_what_a_button_carries_is_what_the_api_takes(site: Site) -> None:
    button = site.button("/models/churn/versions/3", "promote")
    answer = site.client.post(
        f"/api/v1{button.attributes['data-action']}",
        json={**seen(button), "reason": "as seen"},
        headers={"Sec-Fetch-Site": "same-origin", "Origin": "http://testserver"},
    )
    assert answer.status_code == 200, answer.text
    assert site.registry.pointed("churn") == 3


def test_a_page_of_before_a_move_cannot_promote_after_it(site: Site) -> None:
    button = site.button("/models/churn/versions/3", "promote")
    site.registry.promote("churn", 1, actor=ACTOR, reason="meanwhile")
    answer = site.client.post(
        f"/api/v1{button.attributes['data-action']}",
        json={**seen(button), "reason": "late"},
        headers={"Sec-Fetch-Site": "same-origin", "Origin": "http://testserver"},
    )
    assert answer.status_code == 409
    assert "points at version 1" in answer.json()["error"]["message"]
    assert site.registry.pointed("churn") == 1


def test_a_rollback_names_both_versions_and_the_block(site: Site) -> None:
    button = site.button("/models/churn", "rollback")
    assert "from v2 to v1" in button.attributes["data-sentence"]
    assert "Version 2 is blocked" in button.attributes["data-sentence"]
    assert seen(button) == {"expected_version": 2, "to": 1}


def test_a_rollback_past_a_blocked_champion_leaves_the_target_to_the_registry(site: Site) -> None:
    site.registry.block("churn", 1, actor=ACTOR, reason="bad")
    button = site.button("/models/churn", "rollback")
    assert "the last champion before it that is not blocked" in button.attributes["data-sentence"]
    assert seen(button) == {"expected_version": 2, "to": None}


def test_without_an_earlier_champion_there_is_nothing_to_roll_back_to(site: Site) -> None:
    register(site.registry, "fraud")
    assert "There is no champion" in site.button("/models/fraud", "rollback").attributes["title"]
    site.registry.promote("fraud", 1, actor=ACTOR, reason="good")
    button = site.button("/models/fraud", "rollback")
    assert "disabled" in button.attributes
    assert "Nothing was champion before v1" in button.attributes["title"]


@pytest.mark.parametrize(
    ("number", "why"),
    [(2, "champion already"), (4, "blocked"), (5, "did not pass"), (6, "did not pass"), (7, "waits"), (8, "refused")],
)
def test_a_promotion_that_makes_no_sense_is_disabled_and_says_why(site: Site, number: int, why: str) -> None:
    for outcome in ("pass", "fail", None, "pass", "pass"):
        register(site.registry, outcome=outcome)
    site.registry.block("churn", 4, actor=ACTOR, reason="bad")
    for version in (7, 8):
        site.registry.ask_approval(
            "churn", version, until=system_clock() + timedelta(days=1), actor=TASK, reason="look"
        )
    evidence = site.registry.version("churn", 8).digest
    site.registry.reject("churn", 8, evidence=evidence, actor=Actor("eve", "ui"), reason="no")
    button = site.button(f"/models/churn/versions/{number}", "promote")
    assert "disabled" in button.attributes
    assert why in button.attributes["title"]
    assert "data-body" not in button.attributes
    assert "primary" not in button.attributes["class"]


def test_a_blocked_version_is_unblocked_and_any_other_blocked(site: Site) -> None:
    assert site.button("/models/churn/versions/3", "block").attributes["data-action"].endswith("/versions/3/block")
    assert "stays the champion" in site.button("/models/churn/versions/2", "block").attributes["data-sentence"]
    site.registry.block("churn", 3, actor=ACTOR, reason="bad")
    assert site.button("/models/churn/versions/3", "unblock").attributes["data-action"].endswith("/versions/3/unblock")


def test_an_approval_is_bound_to_the_evidence_and_tells_the_waiting_task(site: Site) -> None:
    until = system_clock() + timedelta(days=1)
    review = site.registry.ask_approval("churn", 3, until=until, actor=TASK, reason="look")
    for path in ("/models/churn", "/models/churn/versions/3"):
        for kind in ("approve", "reject"):
            button = site.button(path, kind)
            assert seen(button) == {"evidence": review.evidence}
            assert button.attributes["data-option"] == kind.capitalize()
            assert button.attributes["data-task"] == (
                "/dags/train%20churn/dagRuns/manual__2026-11-21T09%3A00%3A00%2B00%3A00/taskInstances/approve/-1/hitlDetails"
            )
    assert review.evidence[:12] in site.button("/models/churn", "approve").attributes["data-sentence"]
    assert "v2 stays the champion" in site.button("/models/churn", "reject").attributes["data-sentence"]


def test_whoever_asked_may_reject_but_not_approve(site: Site) -> None:
    until = system_clock() + timedelta(days=1)
    site.registry.ask_approval("churn", 3, until=until, actor=Actor("Ada", "ui"), reason="look")
    approve, reject = (site.button("/models/churn", kind) for kind in ("approve", "reject"))
    assert "somebody else has to" in approve.attributes["title"]
    assert "disabled" not in reject.attributes
    assert "data-task" not in reject.attributes


def test_a_blocked_version_is_not_decided_on(site: Site) -> None:
    until = system_clock() + timedelta(days=1)
    site.registry.ask_approval("churn", 3, until=until, actor=TASK, reason="look")
    site.registry.block("churn", 3, actor=ACTOR, reason="bad")
    page = site.page("/models/churn/versions/3")
    assert not [*page.find("button", data_kind="approve"), *page.find("button", data_kind="reject")]


def test_without_four_eyes_the_one_who_asked_may_approve(site: Site) -> None:
    until = system_clock() + timedelta(days=1)
    site.registry.ask_approval("churn", 3, until=until, four_eyes=False, actor=Actor("ada", "ui"), reason="look")
    assert "disabled" not in site.button("/models/churn", "approve").attributes


def test_a_review_that_was_decided_is_told_and_has_no_buttons(site: Site) -> None:
    until = system_clock() + timedelta(days=1)
    review = site.registry.ask_approval("churn", 3, until=until, actor=TASK, reason="look")
    site.registry.approve("churn", 3, evidence=review.evidence, actor=Actor("eve", "ui"), reason="fine")
    page = site.page("/models/churn/versions/3")
    assert "approved by eve" in page.text
    assert not list(page.find("button", data_kind="approve"))
    assert "disabled" not in next(page.find("button", data_kind="promote")).attributes


def test_a_person_who_may_only_look_finds_every_action_disabled_and_is_told_why(site: Site) -> None:
    until = system_clock() + timedelta(days=1)
    site.registry.ask_approval("churn", 3, until=until, actor=TASK, reason="look")
    site.person = Person("vic", lambda dag_id: False)
    for path in ("/models/churn", "/models/churn/versions/3", "/models/churn/compare?left=1&right=3"):
        page = site.page(path)
        buttons = [element for element in page.elements if "data-kind" in element.attributes]
        assert buttons
        assert all("disabled" in button.attributes and "data-body" not in button.attributes for button in buttons)
        assert "You may look at this model but not change it" in page.text


def test_the_right_that_counts_is_that_of_the_dag_that_registered_the_newest_version(site: Site) -> None:
    file = site.registry.version("churn", 1).manifest["files"]
    site.registry.register("churn", {"fingerprint": "f" * 64, "files": file}, actor=TASK, reason="trained")
    site.person = Person("ada", lambda dag_id: dag_id == "train churn")
    assert "disabled" not in site.button("/models/churn", "retrain").attributes
    site.person = Person("ada", lambda dag_id: dag_id == "another")
    assert "disabled" in site.button("/models/churn", "retrain").attributes
    assert "train churn" in site.page("/models/churn").text


def test_every_page_with_actions_has_one_dialog_with_a_required_reason(site: Site) -> None:
    for path in ("/models/churn", "/models/churn/versions/3", "/models/churn/compare?left=1&right=3"):
        page = site.page(path)
        (dialog,) = page.find("dialog")
        (reason,) = page.find("textarea", name="reason")
        assert {"aria-labelledby", "aria-describedby"} <= dialog.attributes.keys()
        assert "required" in reason.attributes
        assert list(page.find("label", **{"for": reason.attributes["id"]}))
        assert len(list(page.find("script", src="/stoker/static/js/actions.js"))) == 1
        ids = [element.attributes["id"] for element in page.elements if "id" in element.attributes]
        assert len(ids) == len(set(ids))


def test_what_was_written_by_others_stays_an_attribute(site: Site) -> None:
    until = system_clock() + timedelta(days=1)
    hostile = Actor(HOSTILE, f"{HOSTILE}/run/task/-1")
    site.registry.ask_approval("churn", 3, until=until, actor=hostile, reason=HOSTILE)
    for path in ("/models/churn", "/models/churn/versions/3"):
        page = site.page(path)
        assert not scripts_and_handlers(page)
        assert HOSTILE in page.text
        assert (
            next(page.find("button", data_kind="approve")).attributes["data-task"].startswith("/dags/%22%3E%3Cscript")
        )


def test_the_person_comes_from_the_login(site: Site) -> None:
    until = system_clock() + timedelta(days=1)
    site.registry.ask_approval("churn", 3, until=until, actor=Actor("eve", "ui"), reason="look")

    def eve() -> Person:
        return Person("eve", lambda dag_id: True)

    other = TestClient(create_app(lambda: site.registry, access=Access((Depends(eve),), eve)))
    (button,) = Page(other.get("/models/churn").text).find("button", data_kind="approve")
    assert "disabled" in button.attributes
