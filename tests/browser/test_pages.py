"""The pages of models, as a person goes through them."""

from __future__ import annotations

import pytest

from tests.browser.browser import Browser
from tests.browser.installation import Installation
from tests.browser.seeding import BLOCKED, BUSY, CHAMPION, FAILED, QUIET

pytestmark = pytest.mark.browser

MODEL = f"/stoker/models/{BUSY}"
SECTIONS = ("Quality", "Champions", "Lineage", "Drift", "Versions", "Retraining", "Audit log")


def test_the_models_page_lists_searches_and_filters(admin: Browser) -> None:
    admin.open("/stoker/")
    admin.find("tbody tr", QUIET)
    assert "waiting" in admin.find("tbody tr", BUSY).text
    admin.shoot("models")
    admin.find("input[type=search]").send_keys("calm")
    admin.until(lambda: not [row for row in admin.all("tbody tr") if BUSY in row.text], "the filtered list")
    admin.find("tbody tr", QUIET)
    admin.open("/stoker/?state=waiting")
    admin.find("tbody tr", BUSY)
    assert not [row for row in admin.all("tbody tr") if QUIET in row.text]


def test_the_model_page_has_all_its_sections_and_draws_its_charts(admin: Browser) -> None:
    admin.open(MODEL)
    assert [one.text for one in admin.all("section.part > h2")] == list(SECTIONS)
    admin.find("#quality svg")
    admin.find("#drift table, #drift svg")
    assert "Complaints from the desk" in admin.find("#history", "Complaints").text
    assert "v3" in admin.find("#champions").text
    admin.shoot("model")
    for number, part in enumerate(("quality", "champions", "lineage", "drift", "versions", "why", "history")):
        admin.open(f"{MODEL}#{part}")
        admin.shoot(f"model-{number}-{part}")


def test_a_version_shows_its_verdict_and_its_reports_and_card(admin: Browser) -> None:
    admin.open(f"{MODEL}/versions/{FAILED}")
    assert "failed" in admin.find(".head").text
    for title, text in (("Evaluation report", "roc_auc"), ("Training report", "Rows"), ("Model card", BUSY)):
        admin.find("summary", title).click()
        fold = f"details[open] iframe[title='{title}']"
        with admin.frame(fold):
            admin.find("body", text)
        frame = admin.find(fold)
        admin.driver.execute_script("arguments[0].scrollIntoView()", frame)  # nothing is measured where nobody looks
        admin.until(lambda frame=frame: "px" in str(frame.get_attribute("style")), "a frame as high as its report")
        admin.find("details[open] > summary", title).click()
    admin.shoot("version")


def test_two_versions_are_compared_from_the_table(admin: Browser) -> None:
    admin.open(f"{MODEL}#versions")
    admin.find(f"input[name=left][value='{CHAMPION}']").click()
    admin.find(f"input[name=right][value='{BLOCKED}']").click()
    admin.find("button", "Compare the two selected").click()
    admin.find("tr.differs", "max_iter")
    admin.shoot("compare")


def test_a_document_shows_its_report(admin: Browser, installation: Installation) -> None:
    evaluation = installation.registry.version(BUSY, FAILED).manifest["evaluation"]["digest"]
    admin.open(f"/stoker/documents/{evaluation}")
    with admin.frame("iframe.report"):
        admin.find("body", "roc_auc")
    admin.shoot("document")


def test_drift_leads_to_the_report_of_a_window(admin: Browser) -> None:
    admin.open(f"{MODEL}#drift")
    links = [one.get_attribute("href") for one in admin.all("#drift a[href*='/stoker/documents/']")]
    assert links
    admin.open(str(links[-1]).removeprefix(admin.url))
    admin.find("h1", "Drift")
    with admin.frame("iframe[title=Report]"):
        admin.find("body", "wind")


def test_an_address_that_leads_nowhere_says_so(admin: Browser) -> None:
    admin.open("/stoker/models/no_such_model")
    admin.find("main", "no_such_model")
    assert [line for line in admin.complaints() if "404" in line]


@pytest.mark.parametrize("path", ["/stoker/", MODEL, f"{MODEL}/versions/5", f"{MODEL}/compare?left=2&right=5"])
def test_pages_fit_a_telephone(admin: Browser, path: str) -> None:
    admin.size(400, 800)
    admin.open(path)
    admin.find("h1")
    assert admin.driver.execute_script("return document.documentElement.scrollWidth") <= 400
    admin.shoot("telephone-" + path.strip("/").replace("/", "-").partition("?")[0])
