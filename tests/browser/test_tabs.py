"""What Stoker adds to Airflow's own pages."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest

from stoker.core.names import check_version
from stoker.store.documents import get_document
from tests.browser.browser import Browser
from tests.browser.installation import Installation
from tests.browser.seeding import ASKED, BUSY

pytestmark = pytest.mark.browser


def run_page(dag_id: str, runs: dict[str, str]) -> str:
    return f"/dags/{dag_id}/runs/{quote(runs[dag_id], safe='')}"


def returned(installation: Installation, runs: dict[str, str], task: str) -> dict[str, Any]:
    """The reference that a task of the quickstart returned."""
    place = f"/api/v2/dags/quickstart/dagRuns/{quote(runs['quickstart'])}/taskInstances/{task}"
    found: dict[str, Any] = installation.airflow.request("GET", f"{place}/xcomEntries/return_value")["value"]
    return found


def test_home_shows_the_models_that_need_a_person_and_leads_to_them(admin: Browser) -> None:
    admin.open("/")
    card = admin.find("section[aria-label='Models that need a person']", BUSY)
    assert "waits for approval" in card.text
    admin.shoot("home")
    admin.find("section[aria-label='Models that need a person'] a", BUSY).click()
    with admin.frame():
        admin.find("h1", BUSY)
    assert admin.path().startswith(f"/plugin/stoker-models/stoker/models/{BUSY}")


def test_home_says_when_the_models_cannot_be_read_and_tries_again(admin: Browser) -> None:
    card = "section[aria-label='Models that need a person']"
    with admin.without("*/stoker/api/v1/attention"):
        admin.open("/")
        admin.shoot("home-error")
        admin.find(card, "could not be read")
    admin.find(f"{card} button", "Try again").click()
    admin.find(f"{card} li", BUSY)


def test_the_navigation_has_the_models_and_keeps_their_address(admin: Browser) -> None:
    admin.open("/")
    admin.find("a", "Models").click()
    with admin.frame():
        admin.find("th a", BUSY).click()
        admin.find("h1", BUSY)
    admin.until(lambda: admin.path().endswith(f"/stoker/models/{BUSY}"), "the model's address")
    admin.driver.refresh()
    with admin.frame():
        admin.find("h1", BUSY)


def test_a_dag_shows_the_model_that_its_tag_names(admin: Browser, runs: dict[str, str]) -> None:
    admin.open("/dags/approval")
    admin.find("a[href$='/plugin/stoker-model']").click()
    with admin.frame():
        admin.find("h2 a", ASKED)
        assert "v" in admin.find(".tile", "Champion").text.splitlines()[1]
    admin.shoot("tab-dag")
    with admin.frame():
        admin.find("a.button", "Open the model").click()
        admin.find("nav.local", "Drift")


def test_a_dag_without_such_a_tag_and_without_references_says_so(admin: Browser, runs: dict[str, str]) -> None:
    admin.open("/dags/foreign/plugin/stoker-model")
    with admin.frame():
        admin.find(".empty", "No registered model belongs to this DAG")


def test_a_run_shows_the_verdicts_of_its_steps_in_their_order(admin: Browser, runs: dict[str, str]) -> None:
    admin.open(run_page("quickstart", runs))
    admin.find("a", "Verdicts").click()
    with admin.frame():
        admin.find(".steps li", "promote")
        steps = [one.text.splitlines() for one in admin.all(".steps > li")]
    assert [lines[0] for lines in steps] == ["snapshot", "validate", "train", "evaluate", "register", "promote"]
    assert {lines[1] for lines in steps} == {"passed"}
    admin.shoot("tab-run")
    with admin.frame():
        admin.find(".steps a", "Evaluation in full").click()
        admin.find("h1", "Evaluation")


def test_mapped_failed_and_unrun_steps_are_shown_as_such(admin: Browser, runs: dict[str, str]) -> None:
    admin.open(f"{run_page('checks', runs)}/plugin/stoker-verdicts")
    with admin.frame():
        admin.find(".steps li", "train")
        snapshot, validate, train = [one.text for one in admin.all(".steps > li")]
    assert "3 instances" in snapshot
    assert "passed 2" in validate.replace("\n", " ")
    assert "failed 1" in validate.replace("\n", " ")
    assert "found 2" in validate
    assert "not run" in train
    admin.shoot("tab-run-mapped")


def test_a_run_of_others_steps_says_that_there_is_nothing(admin: Browser, runs: dict[str, str]) -> None:
    admin.open(f"{run_page('foreign', runs)}/plugin/stoker-verdicts")
    with admin.frame():
        admin.find(".empty", "No step of this run is one of Stoker's")


def test_a_tab_that_cannot_be_filled_says_so_and_tries_again(admin: Browser, runs: dict[str, str]) -> None:
    with admin.without("*/xcomEntries/*"):
        admin.open(f"{run_page('quickstart', runs)}/plugin/stoker-verdicts")
        with admin.frame():
            admin.find("[role=alert]", "Airflow gave no usable answer")
    with admin.frame():
        admin.find("button", "Try again").click()
        admin.find(".steps li", "promote")


def test_references_that_somebody_made_up_stay_text(admin: Browser, installation: Installation) -> None:
    run = installation.run("foreign")
    hostile = "<img src=x onerror=\"document.title='pwned'\"></script>{{ 7*7 }}\u202e"
    summary = {"reasons": [hostile], "name": "../../x", "version": hostile, "rows": hostile}
    made_up = {"kind": "dataset", "uri": hostile, "digest": f"{'a' * 63}/", "verdict": hostile, "summary": summary}
    place = f"/api/v2/dags/foreign/dagRuns/{quote(run)}/taskInstances/greet/xcomEntries/return_value"
    installation.airflow.request("PATCH", place, {"value": made_up})
    for tab in ("plugin/stoker-verdicts", "tasks/greet/plugin/stoker-report"):
        admin.open(f"/dags/foreign/runs/{quote(run, safe='')}/{tab}")
        with admin.frame():
            assert "onerror" in admin.find(".reason", "{{ 7*7 }}").text
            assert admin.driver.execute_script("return [document.title, document.images.length]")[1] == 0
            assert [one.get_attribute("href") for one in admin.all("#tab a[href^='/stoker/documents']")] == []
        assert "pwned" not in admin.driver.title


def test_a_step_in_the_tab_leads_to_its_task_in_airflow_and_back(admin: Browser, runs: dict[str, str]) -> None:
    admin.open(f"{run_page('quickstart', runs)}/plugin/stoker-verdicts")
    with admin.frame():
        admin.find("h2 a.airflow", "evaluate").click()
    admin.until(lambda: admin.path().endswith("/tasks/evaluate"), "the task's address")
    admin.find("a", "Rendered Templates")
    admin.driver.back()
    with admin.frame():
        admin.find(".steps li", "promote")


def test_a_task_instance_shows_its_report(admin: Browser, runs: dict[str, str]) -> None:
    admin.open(f"{run_page('quickstart', runs)}/tasks/evaluate")
    admin.find("a", "Report").click()
    with admin.frame():
        assert "passed" in admin.find("section[aria-label=Verdict]", "Evaluation").text
        with admin.frame("iframe.report"):
            admin.find("body", "roc_auc")
    admin.shoot("tab-task-instance")


def test_a_mapped_task_instance_shows_its_own_report(admin: Browser, runs: dict[str, str]) -> None:
    admin.open(f"{run_page('checks', runs)}/tasks/validate/mapped/1/plugin/stoker-report")
    with admin.frame():
        assert "found 2" in admin.find("section[aria-label=Verdict]", "failed").text
        with admin.frame("iframe.report"):
            admin.find("body", "refused")


def test_a_task_that_named_a_version_shows_the_version_as_it_is_now(admin: Browser, runs: dict[str, str]) -> None:
    admin.open(f"{run_page('quickstart', runs)}/tasks/promote/plugin/stoker-report")
    with admin.frame():
        assert "champion" in admin.find(".card", "Version 1 now").text
        admin.find("a.button", "Open the version").click()
        admin.find("h1", "quickstart v1")


def test_a_task_of_others_has_no_report_and_says_so(admin: Browser, runs: dict[str, str]) -> None:
    admin.open(f"{run_page('checks', runs)}/tasks/greet/plugin/stoker-report")
    with admin.frame():
        admin.find(".empty", "not one of Stoker's")


def test_a_task_shows_its_newest_run(admin: Browser, runs: dict[str, str]) -> None:
    admin.open("/dags/quickstart/tasks/validate/plugin/stoker-task")
    with admin.frame():
        admin.find("p", runs["quickstart"])
        with admin.frame("iframe.report"):
            admin.find("body", "26,398")
    admin.open("/dags/checks/tasks/validate/plugin/stoker-task")
    with admin.frame():
        admin.find("tr", "found 2")
        assert [one.text[0] for one in admin.all("tbody tr")] == ["0", "1", "2"]


def test_the_extra_link_of_a_task_leads_to_what_it_wrote(
    admin: Browser, installation: Installation, runs: dict[str, str]
) -> None:
    for task, place in (("evaluate", "/stoker/documents/"), ("register", "/stoker/models/quickstart/versions/1")):
        admin.open(f"{run_page('quickstart', runs)}/tasks/{task}/details")
        address = str(admin.find("a", "Verdict").get_attribute("href")).removeprefix(admin.url)
        assert address.startswith(place)
        admin.open(address)
        admin.find("h1")
    reference = returned(installation, runs, "evaluate")
    assert get_document(installation.registry.store, reference["digest"])["kind"] == "evaluation"
    assert check_version(returned(installation, runs, "register")["summary"]["version"]) == 1


def test_times_are_shown_in_the_zone_that_was_chosen_in_airflow(admin: Browser) -> None:
    admin.open("/dags/approval/plugin/stoker-model")
    admin.keep("timezone", '"Asia/Tokyo"')
    with admin.frame():
        admin.find("time", "GMT+9")
    admin.keep("timezone", None)


def test_pages_follow_airflows_theme_at_once(admin: Browser) -> None:
    admin.open("/dags/approval/plugin/stoker-model")
    for theme in ("dark", "light"):
        admin.driver.execute_script("localStorage.setItem('theme', arguments[0])", theme)
        with admin.frame():
            admin.find(f"[data-theme={theme}] body", ASKED)
