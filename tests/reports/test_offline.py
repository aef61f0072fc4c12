"""A report is one file: it fetches nothing, and runs nothing but our own scripts, wherever it is opened."""

from __future__ import annotations

import base64
import hashlib
import re

import pytest
from tests.reports.conftest import Made
from tests.support.markup import Page

from stoker.reports import shell
from stoker.reports.render import report
from stoker.store.documents import get_document

_MOST = 700 * 1024
_NAMESPACES = re.compile(r"https?://www\.w3\.org/|https://d3js\.org v7")


def reports(made: Made, **options: str) -> dict[str, str]:
    store, digests = made
    return {
        name: report(get_document(store, digest), digest=digest, read=lambda one: get_document(store, one), **options)
        for name, digest in digests.items()
    }


def test_a_report_refers_to_nothing_outside(made: Made) -> None:
    for name, html in reports(made).items():
        for element in Page(html).elements:
            assert not {"src", "href", "srcset", "action", "data", "poster"} & set(element.attributes), name
        assert not re.search(r"https?://", _NAMESPACES.sub("", _without_d3s_parser(html))), name
        assert not re.search(r"@import|url\(", "".join(next(Page(html).find("style")).texts)), name


def _without_d3s_parser(html: str) -> str:
    """Plot knows links in data by their beginning; that is a pattern, and no address."""
    return html.replace("https?:", "")


def test_a_report_is_smaller_than_a_picture(made: Made) -> None:
    assert max(len(html.encode()) for html in reports(made).values()) < _MOST


def test_a_report_that_was_kept_as_a_file_lets_nothing_run_but_our_scripts(made: Made) -> None:
    page = Page(reports(made)["performance"])
    policy = next(page.find("meta", **{"http-equiv": "Content-Security-Policy"})).attributes["content"]
    programs = [script for script in page.find("script") if script.attributes.get("type") != "application/json"]
    allowed = {
        f"'sha256-{base64.b64encode(hashlib.sha256(''.join(one.texts).encode()).digest()).decode()}'"
        for one in programs
    }
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert set(rules["script-src"].split()) == allowed
    assert rules["default-src"] == "'none'"
    assert len(programs) == len(shell.SCRIPTS)


def test_scripts_carry_the_nonce_where_there_is_one(made: Made) -> None:
    page = Page(reports(made, nonce="abc")["performance"])
    programs = [script for script in page.find("script") if script.attributes.get("type") != "application/json"]
    assert {script.attributes.get("nonce") for script in programs} == {"abc"}
    assert all("nonce" not in script.attributes for script in Page(reports(made)["performance"]).find("script"))


@pytest.mark.parametrize("name", shell.SCRIPTS)
def test_no_script_of_ours_ends_the_element_that_it_stands_in(name: str) -> None:
    text = (shell.ASSETS / name).read_text().lower()
    assert "</script" not in text
    assert "<!--" not in text


def test_the_licences_of_what_is_not_ours_come_along() -> None:
    text = (shell.ASSETS / "LICENSES.txt").read_text()
    assert "Mike Bostock" in text
    assert "Observable, Inc." in text
