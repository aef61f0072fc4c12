"""The page of all models and the page of one: what they show, without a script, and that nothing stored becomes markup."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from html.parser import HTMLParser
from itertools import pairwise
from typing import Any

import pytest
from fastapi.testclient import TestClient
from markupsafe import escape

from stoker.core import clock as time
from stoker.core.records import Actor
from stoker.loop.broker import Broker
from stoker.loop.windows import WindowLog
from stoker.registry.registry import Registry
from stoker.store import layout
from stoker.store.documents import put_document
from stoker.store.memory import MemoryStore
from stoker.ui.app import create_app
from tests.support.registrations import ACTOR, register

PAYLOADS = (
    "</script><script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "{{7*7}}{%x%}",
    "</td><svg/onload=alert(1)>",
    "javascript:alert(1)",
    "' onfocus=alert(1) x='",
    "\u202etxt.exe\x1b[31m",
)
SECTIONS = ["quality", "champions", "lineage", "drift", "versions", "why", "history"]
VOID = {"meta", "link", "input", "br", "hr", "img"}


class Page(HTMLParser):
    """What a browser would make of a page, as far as the tests ask."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.headings: list[int] = []
        self.blocks: list[Any] = []
        self.open: list[str] = []
        self._script: dict[str, str | None] | None = None
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)
        if tag in {"h1", "h2", "h3", "h4"}:
            self.headings.append(int(tag[1]))
        if tag == "script":
            self._script = dict(attrs)

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag
        self._script = None

    def handle_data(self, data: str) -> None:
        if self._script is not None:
            assert self._script.get("type") == "application/json", f"a script inside the page: {data[:80]}"
            self.blocks.append(json.loads(data))

    def all(self, tag: str, name: str = "") -> list[dict[str, str | None]]:
        return [attrs for found, attrs in self.tags if found == tag and name in (attrs.get("class") or "").split(" ")]

    def ids(self) -> list[str]:
        return [attrs["id"] or "" for _, attrs in self.tags if "id" in attrs]


def look(client: TestClient, path: str) -> tuple[str, Page]:
    answer = client.get(path)
    assert answer.status_code == 200, answer.text
    page = Page(answer.text)
    assert page.open == []
    return answer.text, page


@pytest.fixture
def registry() -> Registry:
    return Registry(MemoryStore())


@pytest.fixture
def client(registry: Registry) -> Iterator[TestClient]:
    with TestClient(create_app(lambda: registry)) as client:
        yield client


def comparison(value: float, champion: float) -> dict[str, Any]:
    difference = round(value - champion, 4)
    ends = {"low": difference - 0.01, "high": difference + 0.01}
    return {"metric": "roc_auc", "challenger": value, "champion": champion, "estimate": difference, **ends}


def grown(registry: Registry, model: str = "churn", text: str = "Judged so.") -> None:
    """A model with all that its page can show, every text of which is ``text``."""
    store = registry.store
    for value in (0.70, 0.74, 0.72):
        register(registry, model, reasons=(text,), metrics={"roc_auc": value, text: value}, reason=text)
    registry.promote(model, 1, actor=ACTOR, reason=text)
    registry.promote(model, 2, actor=Actor(text, "dag/run/promote/-1"), reason=text)
    registry.promote(model, 3, actor=ACTOR, reason=text)
    registry.rollback(model, actor=Actor(text, "ui"), reason=text)
    until = time.system_clock() + timedelta(days=1)
    registry.ask_approval(model, 1, until=until, actor=Actor(text, "dag/run/approve/-1"), reason=text)
    drift, performance = WindowLog(store, model, "drift"), WindowLog(store, model, "performance")
    for month, effect in (("2026-01", 0.04), ("2026-02", 0.31)):
        found = {
            "column": text,
            "role": "feature",
            "weight": 0.5,
            "method": "wasserstein",
            "effect": effect,
            "threshold": 0.1,
        }
        odd = {
            "column": "plane",
            "role": "feature",
            "effect": None,
            "drifted": True,
            "kind": "vanished",
            "reason": text,
        }
        columns = [{**found, "drifted": effect > 0.1, "kind": "ok", "reason": text}, odd]
        digest = put_document(
            store, {"kind": "drift", "columns": columns, "verdict": {"outcome": "fail", "reasons": [text]}}
        )
        facts = {"document": digest, "verdict": "fail", "alert": True, "states": {"covariate": "alert"}}
        drift.record(month, 2, f"{month}-28T00:00:00Z", facts)
        measured = {"metric": "roc_auc", "value": 0.71, "interval": [0.69, 0.73], "baseline": 0.74, "coverage": 0.9}
        performance.record(month, 2, f"{month}-28T00:00:00Z", {"document": digest, "verdict": "pass", **measured})
    broker = Broker(store, model)
    for key in ("1", "2"):
        broker.put(source="hand", reason=text, dedupe_key=key, actor=Actor(text, "ui"))
    broker.claim("dag/run", actor=Actor(text, "dag/run/claim/-1"))
    broker.settle("dag/run", outcome="failed", reason=text)


def test_an_empty_registry_says_what_to_do(client: TestClient) -> None:
    text, page = look(client, "/")
    assert "No model is registered yet" in text
    assert "RegisterModelOperator" in text
    assert page.all("table") == []


def test_each_model_is_shown_with_state_champion_and_quality(client: TestClient, registry: Registry) -> None:
    register(registry, "churn", metrics={"accuracy": 0.8125})
    register(registry, "fraud")
    registry.promote("churn", 1, actor=ACTOR, reason="good")
    text, page = look(client, "/")
    assert 'href="/stoker/models/churn/versions/1">v1</a>' in text
    assert "0.8125" in text
    assert "just now" in text
    assert page.all("span", "state-healthy")
    assert page.all("span", "state-new")
    assert "needs a person" not in text


def test_models_that_need_a_person_stand_above_the_others(client: TestClient, registry: Registry) -> None:
    grown(registry)
    register(registry, "fraud")
    text, _ = look(client, "/")
    assert text.index("1 model needs a person") < text.index('id="filters"')
    assert "Look at version 1, then approve or reject it." in text
    assert 'href="/stoker/models/churn/versions/1"' in text


def test_a_damaged_model_says_so_and_hides_no_other(client: TestClient, registry: Registry) -> None:
    register(registry, "churn")
    registry.store.create(f"{layout.log('fraud')}{1:020d}.json", b"<script>no entry")
    text, page = look(client, "/")
    assert page.all("span", "state-damaged")
    assert 'href="/stoker/models/churn"' in text
    text, page = look(client, "/models/fraud")
    assert page.all("span", "state-damaged")
    assert "must be one JSON object" in text
    assert page.all("button") == []
    assert page.all("figure") == []


def test_the_list_can_be_searched_and_filtered_without_a_script(client: TestClient, registry: Registry) -> None:
    for name in ("churn_eu", "churn_us", "fraud"):
        register(registry, name)
    registry.promote("churn_eu", 1, actor=ACTOR, reason="good")
    form = look(client, "/")[1].all("form", "filters")[0]
    assert (form["method"], form["action"]) == ("get", "/stoker/")
    found, page = look(client, "/?search=churn&state=new")
    assert 'href="/stoker/models/churn_us"' in found
    assert 'href="/stoker/models/churn_eu"' not in found
    assert 'href="/stoker/models/fraud"' not in found
    assert {"value": "churn"}.items() <= next(one for one in page.all("input") if one["id"] == "search").items()
    assert "<option selected>new</option>" in found


def test_a_search_that_finds_nothing_says_so_and_offers_all(client: TestClient, registry: Registry) -> None:
    register(registry)
    text, _ = look(client, '/?search="><b>&state=damaged')
    assert "No model fits" in text
    assert "&#34;&gt;&lt;b&gt;" in text
    assert '<a href="/stoker/">Show all models</a>' in text


def test_a_state_that_does_not_exist_filters_nothing(client: TestClient, registry: Registry) -> None:
    register(registry)
    assert "/stoker/models/churn" in look(client, "/?state=splendid")[0]


def test_a_long_list_has_pages_that_keep_the_filter(client: TestClient, registry: Registry) -> None:
    for at in range(30):
        register(registry, f"model_{at:02d}")
    first, _ = look(client, "/?search=model")
    assert "model_24" in first
    assert "model_25" not in first
    assert 'href="/stoker/?search=model&amp;state=&amp;after=model_24"' in first
    second, _ = look(client, "/?search=model&after=model_24")
    assert "model_29" in second
    assert "model_24<" not in second
    assert "Next page" not in second
    assert 'href="/stoker/?search=model&amp;state="' in second


def test_a_models_page_has_every_section_and_a_way_to_each(client: TestClient, registry: Registry) -> None:
    grown(registry)
    text, page = look(client, "/models/churn")
    assert [one["id"] for one in page.all("section", "part")] == SECTIONS
    assert [f"#{name}" for name in SECTIONS] == [
        a["href"] for a in page.all("a") if (a["href"] or "").startswith("#") and a["href"] != "#main"
    ]
    assert 'aria-current="page">churn</li>' in text
    for said in (
        "champion v2",
        "Rolled back to",
        "against v2",
        "Version 1 waits for approval",
        "No run holds the right to train",
    ):
        assert said in text
    assert 'class="airflow" href="/dags/dag/runs/run/tasks/promote"' in text
    assert len(set(page.ids())) == len(page.ids())


def test_headings_go_down_one_step_at_a_time(client: TestClient, registry: Registry) -> None:
    grown(registry)
    for path in ("/", "/models/churn"):
        levels = look(client, path)[1].headings
        assert levels[0] == 1
        assert levels.count(1) == 1
        assert all(after <= before + 1 for before, after in pairwise(levels)), levels


def test_every_chart_has_a_sentence_its_data_and_a_table(client: TestClient, registry: Registry) -> None:
    grown(registry)
    text, page = look(client, "/models/churn")
    kinds = [one["data-chart"] for one in page.all("figure", "chart")]
    assert kinds == ["quality-versions", "quality-windows", "timeline"]
    versions, windows, timeline = page.blocks
    assert [one["champion"] for one in versions["points"]] == [True, True, True]
    assert [one["blocked"] for one in versions["points"]] == [False, False, True]
    assert [(one["window"], one["low"]) for one in windows["points"]] == [("2026-01", 0.69), ("2026-02", 0.69)]
    assert [one["version"] for one in timeline["spans"]] == [1, 2, 3, 2]
    assert [one["until"] is None for one in timeline["spans"]] == [False, False, False, True]
    for figure in text.split("<figure")[1:]:
        body = figure.split("</figure>")[0]
        assert "<figcaption>" in body
        assert "<table" in body
        assert '<th scope="row"' in body
    assert page.tags.count(("table", {"class": "data"})) == len(kinds)


def test_the_drift_map_is_a_table_with_words_beside_its_colours(client: TestClient, registry: Registry) -> None:
    grown(registry, text="seats")
    text, page = look(client, "/models/churn")
    assert [cell["class"] for cell in page.all("td", "heat-1") + page.all("td", "heat-4")] == [
        "heat-1",
        "heat-4 drifted",
    ]
    assert page.all("td", "heat-4")[0]["title"] == "2026-02 against v2: seats"
    assert '3.1<span class="hidden-visually"> drifted</span>' in text
    assert [cell["class"] for cell in page.all("td", "odd")] == ["odd drifted", "odd drifted"]
    assert text.count(">vanished</td>") == 2


def test_a_window_whose_document_is_gone_keeps_its_verdict(client: TestClient, registry: Registry) -> None:
    register(registry)
    facts = {"document": "0" * 64, "verdict": "fail", "alert": False, "states": {}}
    WindowLog(registry.store, "churn", "drift").record("2026-01", 1, None, facts)
    text, page = look(client, "/models/churn")
    assert page.all("span", "mark")[0]["class"] == "mark fail"
    assert f"/stoker/documents/{'0' * 64}" not in text.split('id="drift"')[1].split("</section>")[0]


def test_a_model_that_nothing_happened_to_says_what_would_fill_its_page(client: TestClient, registry: Registry) -> None:
    register(registry, outcome=None)
    text, page = look(client, "/models/churn")
    assert page.all("figure") == []
    for said in ("No version was evaluated yet", "No version took office yet", "No window was compared yet"):
        assert said in text


def test_versions_and_entries_have_older_pages(client: TestClient, registry: Registry) -> None:
    for _ in range(23):
        register(registry)
    text, _ = look(client, "/models/churn")
    assert "/versions/4" in text
    assert 'href="/stoker/models/churn?versions_before=4#versions"' in text
    assert 'href="/stoker/models/churn?history_before=4#history"' in text
    older, _ = look(client, "/models/churn?versions_before=4&history_before=4")
    assert 'value="3"' in older
    assert 'value="4"' not in older
    assert "#versions" not in older.split('id="versions"')[1].split("</section>")[0]


@pytest.mark.parametrize("payload", PAYLOADS)
def test_stored_texts_are_shown_as_texts(client: TestClient, registry: Registry, payload: str) -> None:
    grown(registry, text=payload)
    for path in ("/", "/models/churn"):
        text, page = look(client, path)
        assert escape(payload) in text
        assert {tag for tag, _ in page.tags} & {"img", "svg", "iframe", "object", "base", "style"} == set()
        for tag, attrs in page.tags:
            assert not [name for name in attrs if name.startswith("on") or name in {"style", "srcdoc"}], (tag, attrs)
            assert not (attrs.get("href") or "").startswith("javascript"), attrs
            if tag == "script" and attrs.get("type") != "application/json":
                assert (attrs["src"] or "").startswith(("/stoker/static/js/", "/stoker/assets/")), attrs


@pytest.mark.parametrize("query", ["versions_before=x", "history_before=1.5"])
def test_a_page_that_is_no_number_is_refused(client: TestClient, registry: Registry, query: str) -> None:
    register(registry)
    assert client.get(f"/models/churn?{query}").status_code == 400


def test_what_is_not_there_is_404(client: TestClient) -> None:
    assert client.get("/models/nobody").status_code == 404
