"""Reports and cards as the server gives them: in a sandbox without an origin, under names that are safe to keep them by."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient

from stoker.registry.registry import Registry
from stoker.store.documents import put_bytes, put_document
from stoker.store.memory import MemoryStore
from stoker.ui.app import create_app
from tests.support.registrations import register

_VERDICT = {"outcome": "fail", "reasons": ["<b>wind</b> drifted."], "numbers": {}}


@pytest.fixture
def registry() -> Registry:
    return Registry(MemoryStore())


@pytest.fixture
def site(registry: Registry) -> Iterator[TestClient]:
    with TestClient(create_app(lambda: registry), raise_server_exceptions=False) as client:
        yield client


def evaluation(registry: Registry, **more: object) -> str:
    return put_document(registry.store, {"kind": "evaluation", "verdict": _VERDICT, **more})


def policy_of(headers: object) -> dict[str, str]:
    rules = headers["Content-Security-Policy"].split(";")  # type: ignore[index]
    return dict((*rule.strip().split(" ", 1), "")[:2] for rule in rules)


def test_a_report_is_in_a_sandbox_in_which_only_its_own_scripts_run(site: TestClient, registry: Registry) -> None:
    address = f"/documents/{evaluation(registry)}/report"
    first, second = site.get(address), site.get(address)
    policy = policy_of(first.headers)
    assert policy["sandbox"] == "allow-scripts"
    assert policy["default-src"] == policy["connect-src"] == policy["form-action"] == policy["base-uri"] == "'none'"
    (nonce,) = re.findall(r"^'nonce-([A-Za-z0-9_-]{20,})'$", policy["script-src"])
    assert first.text.count(f'<script nonce="{nonce}">') == first.text.count("<script") > 1
    assert policy["script-src"] != policy_of(second.headers)["script-src"]
    assert "&lt;b&gt;wind" in first.text
    assert "Content-Disposition" not in first.headers


def test_a_report_comes_in_the_theme_of_the_page(site: TestClient, registry: Registry) -> None:
    address = f"/documents/{evaluation(registry)}/report"
    assert '<html lang="en" data-theme="dark">' in site.get(address, params={"theme": "dark"}).text
    assert '<html lang="en">' in site.get(address, params={"theme": '"><script>'}).text


def test_a_report_can_be_kept_as_a_file(site: TestClient, registry: Registry) -> None:
    digest = evaluation(registry)
    answer = site.get(f"/documents/{digest}/report", params={"download": "1"})
    assert answer.headers["Content-Disposition"] == f'attachment; filename="evaluation-{digest[:12]}.html"'


def test_a_card_is_in_the_same_sandbox(site: TestClient, registry: Registry) -> None:
    register(registry, reason="<script>alert(1)</script>")
    answer = site.get("/models/churn/versions/1/card", params={"download": "1"})
    assert answer.status_code == 200
    assert policy_of(answer.headers)["sandbox"] == "allow-scripts"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="churn-v1.html"'
    assert "&lt;script&gt;alert(1)" in answer.text


def test_evidentlys_report_is_served_as_it_was_stored_in_a_sandbox_of_its_own(
    site: TestClient, registry: Registry
) -> None:
    stored = put_bytes(registry.store, b"<script>theirs()</script>")
    report = {"sha256": stored.sha256, "size": stored.size}
    digest = put_document(registry.store, {"kind": "drift", "report": report})
    answer = site.get(f"/documents/{digest}/evidently")
    assert answer.text == "<script>theirs()</script>"
    policy = policy_of(answer.headers)
    assert policy["sandbox"] == "allow-scripts"
    assert policy["connect-src"] == "'none'"


def test_bytes_that_no_document_calls_a_report_are_never_a_page(site: TestClient, registry: Registry) -> None:
    stored = put_bytes(registry.store, b"<script>theirs()</script>")
    assert site.get(f"/documents/{stored.sha256}/evidently").status_code >= 400
    assert site.get(f"/documents/{evaluation(registry)}/evidently").status_code == 404
    posing = evaluation(registry, report={"sha256": stored.sha256, "size": stored.size})
    assert site.get(f"/documents/{posing}/evidently").status_code == 404
    astray = put_document(registry.store, {"kind": "drift", "report": {"sha256": "../../secret"}})
    assert site.get(f"/documents/{astray}/evidently").status_code == 404


@pytest.mark.parametrize("kind", [b"", b',"kind":[1]', b',"kind":""'])
def test_a_file_that_happens_to_be_json_is_no_document(site: TestClient, registry: Registry, kind: bytes) -> None:
    digest = put_bytes(registry.store, b'{"format":1,"weights":[4711]' + kind + b"}").sha256
    for path in (f"/documents/{digest}", f"/api/v1/documents/{digest}", f"/documents/{digest}/report"):
        answer = site.get(path)
        assert answer.status_code == 404
        assert "4711" not in answer.text


def test_half_a_character_in_a_document_is_told_of_as_damage(site: TestClient, registry: Registry) -> None:
    digest = put_bytes(registry.store, b'{"format":1,"kind":"evaluation","name":"\\ud800"}').sha256
    for path in (f"/documents/{digest}", f"/api/v1/documents/{digest}", f"/documents/{digest}/report"):
        answer = site.get(path)
        assert answer.status_code == 500
        assert "as Stoker writes it" in answer.text


@pytest.mark.parametrize("what", ["report", "evidently"])
def test_an_address_that_names_no_document_is_not_found(site: TestClient, what: str) -> None:
    assert site.get(f"/documents/{'0' * 64}/{what}").status_code == 404
    assert site.get(f"/documents/%2e%2e/{what}").status_code == 404


def test_a_document_of_another_kind_has_no_report(site: TestClient, registry: Registry) -> None:
    digest = put_document(registry.store, {"kind": "dataset"})
    assert site.get(f"/documents/{digest}/report").status_code == 404


def test_a_document_that_is_damaged_is_told_of_and_breaks_nothing(site: TestClient, registry: Registry) -> None:
    digest = put_document(registry.store, {"kind": "validation", "verdict": {"outcome": "pass", "reasons": []}})
    answer = site.get(f"/documents/{digest}/report")
    assert answer.status_code == 500
    assert "must be as Stoker writes it" in answer.text


def test_charts_and_their_licences_are_served_to_pages(site: TestClient) -> None:
    for name in ("d3.min.js", "plot.umd.min.js", "charts.js", "charts.css", "LICENSES.txt"):
        assert site.get(f"/assets/{name}").status_code == 200, name
