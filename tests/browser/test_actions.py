"""What people do, and what the audit log says of it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from urllib.parse import quote

import pytest
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys

from stoker.core.clock import system_clock
from stoker.loop.broker import Broker
from stoker.registry.entries import Entry
from tests.browser.browser import Browser
from tests.browser.installation import Installation
from tests.browser.seeding import ASKED
from tests.support.registrations import ACTOR, register

pytestmark = pytest.mark.browser


def model_of(installation: Installation, name: str, versions: int = 2) -> str:
    """A model of a test's own, whose first version is its champion."""
    for _ in range(versions):
        register(installation.registry, name)
    installation.registry.promote(name, 1, expected_version=None, actor=ACTOR, reason="The first.")
    return f"/stoker/models/{name}"


def newest(installation: Installation, name: str) -> Entry:
    """The last entry of a model's log."""
    return list(installation.registry.history(name))[-1]


def decide(browser: Browser, button: str, reason: str, answer: str) -> None:
    """Press a button, give a reason, and wait for what the page says afterwards."""
    browser.find("button", button).click()
    browser.find("dialog h2")
    browser.find("dialog textarea").send_keys(reason)
    browser.find("dialog button[type=submit]").click()
    browser.find("#status", answer)


def test_an_operator_promotes_a_version(installation: Installation, enter: Callable[[str], Browser]) -> None:
    page = model_of(installation, "to_promote")
    olivia = enter("olivia")
    olivia.open(f"{page}/versions/2")
    decide(olivia, "Promote", "It is better at night.", "Version 2 is the champion")
    entry = newest(installation, "to_promote")
    assert installation.registry.resolve("to_promote").number == 2
    assert (entry.actor.user, entry.actor.origin, entry.reason) == ("olivia", "ui", "It is better at night.")


def test_the_dialog_says_what_will_happen_before_it_does(installation: Installation, admin: Browser) -> None:
    admin.open(f"{model_of(installation, 'to_read')}/versions/2")
    admin.find("button", "Promote").click()
    assert "from v1 to v2" in admin.find("dialog").text
    ActionChains(admin.driver).send_keys(Keys.ESCAPE).perform()
    admin.until(lambda: not admin.all("dialog[open]"), "the closed dialog")
    assert installation.registry.resolve("to_read").number == 1


def test_a_promotion_by_keyboard_alone(installation: Installation, admin: Browser) -> None:
    admin.open(f"{model_of(installation, 'to_type')}/versions/2")
    keys = ActionChains(admin.driver)
    for _ in range(60):
        keys.send_keys(Keys.TAB).perform()
        if admin.driver.switch_to.active_element.get_attribute("data-kind") == "promote":
            break
    keys.send_keys(Keys.ENTER).perform()
    admin.find("dialog[open] textarea")
    keys.send_keys("By hand.", Keys.ENTER).perform()
    admin.find("#status", "Version 2 is the champion")
    assert newest(installation, "to_type").reason == "By hand."


def test_who_saw_an_older_state_is_told_and_changes_nothing(installation: Installation, admin: Browser) -> None:
    admin.open(f"{model_of(installation, 'to_race', 3)}/versions/2")
    admin.find("h1")
    installation.registry.promote("to_race", 3, expected_version=1, actor=ACTOR, reason="Faster.")
    admin.find("button", "Promote").click()
    admin.find("dialog textarea").send_keys("Slower.")
    admin.find("dialog button[type=submit]").click()
    assert "3" in admin.find("dialog [role=alert]").text
    admin.find("dialog button", "Reload")
    assert installation.registry.resolve("to_race").number == 3
    assert [line for line in admin.complaints() if "409" in line]


def test_a_rollback_puts_the_previous_version_back(installation: Installation, admin: Browser) -> None:
    page = model_of(installation, "to_roll_back")
    installation.registry.promote("to_roll_back", 2, expected_version=1, actor=ACTOR, reason="Better.")
    admin.open(page)
    decide(admin, "Roll back", "It is worse on Mondays.", "rolled back")
    assert installation.registry.resolve("to_roll_back").number == 1
    assert newest(installation, "to_roll_back").actor.user == "admin"
    admin.open(f"{page}/versions/2")
    decide(admin, "Unblock", "The data was wrong.", "not blocked any more")
    assert newest(installation, "to_roll_back").reason == "The data was wrong."
    assert not installation.registry.version("to_roll_back", 2).blocked


def test_a_training_is_requested_with_a_reason(installation: Installation, enter: Callable[[str], Browser]) -> None:
    page = model_of(installation, "to_train")
    olivia = enter("olivia")
    olivia.open(page)
    decide(olivia, "Request training", "The airline changed its timetable.", "requested")
    (request,) = Broker(installation.registry.store, "to_train").state().requests
    assert (request.actor.user, request.source) == ("olivia", "hand")
    assert "timetable" in request.reason
    assert "timetable" in olivia.find("#why").text


def test_an_approval_lets_the_waiting_run_go_on(
    installation: Installation, enter: Callable[[str], Browser], runs: dict[str, str]
) -> None:
    olivia = enter("olivia")  # four eyes: the administrator asked
    run = f"/dags/approval/runs/{quote(runs['approval'], safe='')}"
    olivia.open(f"{run}/tasks/approve/plugin/stoker-report")
    with olivia.frame():
        olivia.find(".empty", "Somebody has to approve or reject")
        olivia.find("a", ASKED)
    olivia.shoot("tab-waiting")
    olivia.open(f"/stoker/models/{ASKED}/versions/2")
    olivia.shoot("waiting")
    decide(olivia, "Approve", "Looked at the slices.", "approved")
    review = installation.registry.state(ASKED).reviews[2]
    assert (review.status, review.decided_by) == ("approved", "olivia")
    installation.wait("approval", quote(runs["approval"]))
    assert installation.registry.resolve(ASKED).number == 2


def test_a_rejection_keeps_the_champion(installation: Installation, admin: Browser) -> None:
    page = model_of(installation, "to_refuse")
    until = system_clock() + timedelta(days=1)
    installation.registry.ask_approval("to_refuse", 2, until=until, actor=ACTOR, reason="A person has to look.")
    admin.open(page)
    decide(admin, "Reject", "Worse on holidays.", "rejected")
    review = installation.registry.state("to_refuse").reviews[2]
    assert (review.status, review.decided_by) == ("rejected", "admin")
    assert newest(installation, "to_refuse").reason == "Worse on holidays."
    assert installation.registry.resolve("to_refuse").number == 1


def test_a_viewer_sees_no_action_and_is_refused(installation: Installation, enter: Callable[[str], Browser]) -> None:
    page = model_of(installation, "to_look_at")
    victor = enter("victor")
    victor.open(page)
    assert "look at this model but not change it" in victor.text()
    assert [button for button in victor.all("button[data-action]") if button.is_enabled()] == []
    victor.shoot("viewer")
    script = """
      const [path, body, done] = arguments;
      fetch(path, {method: "POST", headers: {"Content-Type": "application/json"}, body}).then((answer) => done(answer.status));
    """
    body = '{"version": 2, "expected_version": 1, "reason": "I may not."}'
    status = victor.driver.execute_async_script(script, "/stoker/api/v1/models/to_look_at/promote", body)
    assert status == 403
    assert installation.registry.resolve("to_look_at").number == 1
    assert [line for line in victor.complaints() if "403" in line]
