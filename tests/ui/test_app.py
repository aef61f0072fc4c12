"""The pages: what they show, what they refuse, and that nothing stored can become markup."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
from fastapi.testclient import TestClient
from markupsafe import escape

from stoker.errors import StoreUnavailable
from stoker.registry.registry import Registry
from stoker.store import layout
from stoker.store.documents import put_bytes, put_document
from stoker.store.memory import MemoryStore
from stoker.ui.app import create_app
from tests.support.hostile import HOSTILE_NAMES
from tests.support.registrations import ACTOR, register

PAYLOADS = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "{{7*7}}",
    "</td><svg/onload=alert(1)>",
    "javascript:alert(1)",
)


@pytest.fixture
def registry() -> Registry:
    return Registry(MemoryStore())


@pytest.fixture
def pages(registry: Registry) -> Iterator[TestClient]:
    with TestClient(create_app(lambda: registry), raise_server_exceptions=False) as client:
        yield client


def test_an_empty_registry_says_what_to_do(pages: TestClient) -> None:
    page = pages.get("/")
    assert page.status_code == 200
    assert "No model is registered yet" in page.text


def test_the_first_page_shows_each_model_with_its_champion(pages: TestClient, registry: Registry) -> None:
    register(registry, "churn", metrics={"accuracy": 0.8125})
    register(registry, "fraud")
    registry.promote("churn", 1, actor=ACTOR, reason="good")
    page = pages.get("/")
    assert 'href="/stoker/models/churn"' in page.text
    assert "version 1" in page.text
    assert "0.8125" in page.text
    assert "none yet" in page.text


def test_a_damaged_model_says_so_and_hides_no_other(pages: TestClient, registry: Registry) -> None:
    register(registry, "churn")
    registry.store.create(f"{layout.log('fraud')}{1:020d}.json", b"no entry")
    page = pages.get("/")
    assert page.status_code == 200
    assert "damaged" in page.text
    assert 'href="/stoker/models/churn"' in page.text


def test_a_models_page_shows_versions_aliases_and_verdicts(pages: TestClient, registry: Registry) -> None:
    for outcome in ("pass", "fail", None):
        register(registry, outcome=outcome, reasons=("Judged so.",))
    registry.promote("churn", 1, actor=ACTOR, reason="good")
    registry.block("churn", 2, actor=ACTOR, reason="bad")
    page = pages.get("/models/churn").text
    assert "champion → 1" in page
    assert "blocked" in page
    assert "It was not evaluated." in page
    assert page.count("Judged so.") == 2


def test_a_models_page_is_bounded_and_says_so(pages: TestClient, registry: Registry) -> None:
    for _ in range(52):
        register(registry)
    page = pages.get("/models/churn").text
    assert page.count('<th scope="row">') == 50
    assert "The newest 50 of 52" in page


def test_a_verdict_links_to_its_document(pages: TestClient, registry: Registry) -> None:
    version = register(registry, reasons=("Judged so.",))
    digest = version.manifest["evaluation"]["digest"]
    assert f'href="/stoker/documents/{digest}"' in pages.get("/models/churn").text
    page = pages.get(f"/documents/{digest}")
    assert page.status_code == 200
    assert "Judged so." in page.text


@pytest.mark.parametrize("payload", PAYLOADS)
def test_stored_markup_is_shown_as_text(pages: TestClient, registry: Registry, payload: str) -> None:
    version = register(registry, metrics={payload: payload, "accuracy": 0.5}, reasons=(payload,), reason=payload)
    registry.promote("churn", 1, actor=ACTOR, reason=payload)
    document = put_document(registry.store, {"kind": payload, payload: [payload, {payload: payload}], "verdict": None})
    for path in (
        "/",
        "/models/churn",
        f"/documents/{version.manifest['evaluation']['digest']}",
        f"/documents/{document}",
    ):
        page = pages.get(path)
        assert page.status_code == 200
        for markup in ("<script", "<img", "<svg", 'href="javascript'):
            assert markup not in page.text, (path, markup)
    assert escape(payload) in page.text


def test_what_is_not_there_is_404(pages: TestClient, registry: Registry) -> None:
    assert pages.get("/models/nobody").status_code == 404
    assert pages.get(f"/documents/{'0' * 64}").status_code == 404
    assert pages.get("/documents/nonsense").status_code == 404
    assert pages.get("/elsewhere").status_code == 404


def test_names_that_break_the_rules_are_refused_and_shown_as_text(pages: TestClient, registry: Registry) -> None:
    assert pages.get("/models/Champion").status_code == 400
    refused = pages.get("/models/%3Cscript%3Ealert(1)%3C%2Fscript%3E")
    assert refused.status_code in {400, 404}
    assert "<script" not in refused.text
    for name in HOSTILE_NAMES:
        if len(name) < 1000:
            assert pages.get(f"/models/{quote(name, safe='')}x").status_code in {400, 404}
    assert list(registry.store.keys("")) == []


def test_a_damaged_log_is_told_and_not_shown(pages: TestClient, registry: Registry) -> None:
    register(registry)
    key = layout.numbered(layout.log("churn"), 1)
    registry.store.delete_swept(key)
    registry.store.create(key, b"<script>")
    page = Registry(registry.store)
    with TestClient(create_app(lambda: page)) as fresh:
        answer = fresh.get("/models/churn")
    assert answer.status_code == 500
    assert "That did not work" in answer.text
    assert "<script" not in answer.text


def test_a_blob_that_is_no_document_is_told(pages: TestClient, registry: Registry) -> None:
    model = put_bytes(registry.store, b"PK\x03\x04 <script>")
    answer = pages.get(f"/documents/{model.sha256}")
    assert answer.status_code == 500
    assert "<script" not in answer.text


def test_a_store_that_is_away_is_503() -> None:
    def away() -> Registry:
        raise StoreUnavailable("The store must answer; it does not. Try again.")

    with TestClient(create_app(away)) as client:
        answer = client.get("/")
    assert answer.status_code == 503
    assert "Try again." in answer.text


@pytest.mark.parametrize("path", ["/", "/models/nobody", "/models/Champion", "/static/stoker.css", "/elsewhere"])
def test_every_answer_carries_the_protective_headers(pages: TestClient, path: str) -> None:
    headers = pages.get(path).headers
    policy = dict(part.strip().split(" ", 1) for part in headers["content-security-policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["frame-ancestors"] == "'self'"
    assert "script-src" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"
    assert "no-store" in headers["cache-control"]


def test_pages_hold_no_script_and_load_nothing_from_elsewhere(pages: TestClient, registry: Registry) -> None:
    register(registry)
    for path in ("/", "/models/churn"):
        text = pages.get(path).text
        assert "<script" not in text
        assert "http" not in text.replace("http-equiv", "")


def test_nothing_can_be_changed_through_the_pages(pages: TestClient) -> None:
    for method in ("post", "put", "patch", "delete"):
        answer: Any = getattr(pages, method)("/models/churn")
        assert answer.status_code == 405


def test_a_report_is_served_in_a_sandbox_and_linked_from_its_document(pages: TestClient, registry: Registry) -> None:
    html = b"<html><script>document.title = 'drawn'</script></html>"
    report = put_bytes(registry.store, html)
    facts = {"report": {"sha256": report.sha256, "size": report.size, "seed": 0}}
    digest = put_document(registry.store, {"kind": "drift", **facts})
    assert f'href="/stoker/documents/{digest}/report"' in pages.get(f"/documents/{digest}").text
    page = pages.get(f"/documents/{digest}/report")
    assert page.content == html
    policy = page.headers["Content-Security-Policy"]
    assert policy.startswith("sandbox allow-scripts;")
    assert "allow-same-origin" not in policy
    assert "connect-src 'none'" in policy
    assert page.headers["X-Content-Type-Options"] == "nosniff"


def test_only_what_a_document_names_as_its_report_is_served_as_a_page(pages: TestClient, registry: Registry) -> None:
    plain = put_document(registry.store, {"kind": "drift", "report": None})
    assert pages.get(f"/documents/{plain}/report").status_code == 404
    blob = put_bytes(registry.store, b"<script>alert(1)</script>")
    assert pages.get(f"/documents/{blob.sha256}/report").status_code != 200
