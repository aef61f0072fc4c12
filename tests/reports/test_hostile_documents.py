"""Data values never become markup: every text of a document is one that somebody chose to break the page."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from pathlib import Path

import pytest
from tests.reports.conftest import Made
from tests.support.payloads import PAYLOADS
from tests.support.reported import poisoned_reader

from stoker.reports import shell
from stoker.reports.render import report

_ELEMENTS = {
    "html", "head", "meta", "title", "style", "script", "body", "main", "header", "footer", "section", "h1", "h2", "h3", "p", "div", "span",
    "b", "code", "ol", "ul", "li", "dl", "dt", "dd", "table", "thead", "tbody", "tr", "th", "td", "figure", "figcaption", "details",
    "summary", "meter",
}  # fmt: skip
_ATTRIBUTES = {
    "lang", "charset", "http-equiv", "content", "name", "class", "scope", "tabindex", "role", "aria-label", "data-chart", "type", "open",
    "min", "max", "value", "data-theme", "nonce",
}  # fmt: skip


class Reader(HTMLParser):
    """What a browser would make of a report: its elements, their attributes, and its scripts."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: set[str] = set()
        self.attributes: set[str] = set()
        self.programs: list[str] = []
        self.blocks: list[str] = []
        self._inside: list[str] | None = None
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.add(tag)
        self.attributes |= {name for name, _ in attrs}
        if tag == "script":
            self._inside = self.blocks if ("type", "application/json") in attrs else self.programs
            self._inside.append("")

    def handle_endtag(self, tag: str) -> None:
        if tag == "script":
            self._inside = None

    def handle_data(self, data: str) -> None:
        if self._inside is not None:
            self._inside[-1] += data


def ours() -> list[str]:
    return [Path(shell.ASSETS / name).read_text() for name in shell.SCRIPTS]


@pytest.mark.parametrize("payload", PAYLOADS)
def test_hostile_texts_of_a_document_stay_texts(made: Made, payload: str) -> None:
    store, digests = made
    read = poisoned_reader(store, payload)
    for name, digest in digests.items():
        html = report(read(digest), digest=digest, read=read, nonce="abc")
        found = Reader(html)
        assert found.elements <= _ELEMENTS, name
        assert found.attributes <= _ATTRIBUTES, name
        assert found.programs == ours(), name
        for block in found.blocks:
            json.loads(block)
            assert not set("<>&\u2028\u2029") & set(block), name


def test_a_text_that_hides_something_is_spelled_out(made: Made) -> None:
    store, digests = made
    read = poisoned_reader(store, "\u202egnp.\x1b[31m\u200b")
    html = report(read(digests["drift"]), digest=digests["drift"], read=read)
    assert "wind\\u202egnp.\\x1b[31m\\u200b" in html
    found = Reader(html)
    shown = html[: html.index(found.programs[0][:40])] + "".join(
        json.dumps(json.loads(one), ensure_ascii=False) for one in found.blocks
    )
    assert not {"\u202e", "\x1b", "\u200b"} & set(shown)


def test_what_a_template_language_would_run_stands_as_it_is(made: Made) -> None:
    store, digests = made
    read = poisoned_reader(store, "{{ 7*7 }}{% raise %}${7*7}")
    html = report(read(digests["validation"]), digest=digests["validation"], read=read)
    assert "{{ 7*7 }}{% raise %}${7*7}" in html
