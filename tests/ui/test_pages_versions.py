"""The pages of a version, of two side by side, and of a document."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient

from stoker.core import wire
from stoker.core.cadence import CadencePolicy
from stoker.core.records import Actor
from stoker.core.verdicts import Outcome, Verdict
from stoker.loop.broker import Broker
from stoker.registry.registry import Registry, Version
from stoker.store.documents import put_bytes, put_document
from stoker.store.memory import MemoryStore
from stoker.ui.app import create_app
from tests.support.markup import Page, scripts_and_handlers
from tests.support.registrations import ACTOR, register

PAYLOADS = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "{{7*7}}",
    "</td></script><svg/onload=alert(1)>",
    "javascript:alert(1)",
    "\x1b[31mred\u202e",
)


@pytest.fixture(scope="module")
def registries() -> list[Registry]:
    """The last one is shown: building the application takes longer than any test here."""
    return []


@pytest.fixture(scope="module")
def pages(registries: list[Registry]) -> Iterator[TestClient]:
    with TestClient(create_app(lambda: registries[-1]), raise_server_exceptions=False) as client:
        yield client


@pytest.fixture(autouse=True)
def registry(registries: list[Registry]) -> Registry:
    registries.append(Registry(MemoryStore()))
    return registries[-1]


def get(pages: TestClient, path: str) -> Page:
    answer = pages.get(path)
    assert answer.status_code == 200, answer.text
    return Page(answer.text)


def register_whole(registry: Registry, text: str = "churned", *, rate: float = 0.1) -> Version:
    """A version with everything that a training and an evaluation note.

    :param text: stands wherever a name or a value of somebody's data can.
    """
    number = registry.state("churn").versions + 1 if registry.models() else 1
    file = put_bytes(registry.store, f"model {number}".encode())
    stored = {"model.skops": {"sha256": file.sha256, "size": file.size}}
    snapshot = put_document(registry.store, {"kind": "dataset", "name": text, "number": number})
    candidate: dict[str, Any] = {
        "kind": "candidate", "dataset_name": text, "datasets": [snapshot], "target": text, "task": "binary",
        "features": [{"name": text, "type": "string"}, {"name": "age", "type": "int64"}], "importances": {text: 0.5},
        "params": {text: text, "rate": rate}, "rows": {"train": 1200, "holdout": 300},
        "estimator": {"class": "sklearn.tree.Tree", "source": text, "source_sha256": "a" * 64},
        "code": {"commit": "b" * 40, "dirty": False}, "environment": {"python": "3.12", "packages": {text: "1"}},
        "files": stored,
    }  # fmt: skip
    candidate["digest"] = put_document(registry.store, candidate)
    evaluation: dict[str, Any] = {
        "kind": "evaluation", "rows": 300, "baseline_version": 1 if number > 1 else None,
        "verdict": Verdict(Outcome.PASS, (f"Better in {text}.", text)).to_record(),
        "metrics": {text: 0.25, "roc_auc": 0.75}, "champion_metrics": {"roc_auc": 0.5},
        "baselines": {"dummy": {"roc_auc": 0.5}}, "policy": {"metric": "roc_auc", "label": text},
        "comparison": {"metric": "roc_auc", "challenger": 0.75, "champion": 0.5, "estimate": 0.25, "low": 0.2, "high": 0.3},
    }  # fmt: skip
    evaluation["digest"] = put_document(registry.store, evaluation)
    manifest = {
        "fingerprint": wire.digest([text, number]),
        "files": stored,
        "candidate": candidate,
        "evaluation": evaluation,
    }
    return registry.register("churn", manifest, actor=Actor("airflow", "train/run 1/register/-1"), reason=text)


def test_a_versions_page_tells_everything_that_was_noted(pages: TestClient, registry: Registry) -> None:
    register_whole(registry)
    version = register_whole(registry)
    page = get(pages, "/models/churn/versions/2")
    for told in (
        "churn v2", "passed", "Better in churned.", "0.7500", "+0.2500", "+0.2000 to +0.3000", "champion v1", "dummy model",
        "1,200 rows", "sklearn.tree.Tree", "b" * 12, "rate", "model.skops", version.manifest["files"]["model.skops"]["sha256"],
        "airflow", "train / register", version.digest[:12], "3.12",
    ):  # fmt: skip
        assert told in page.text, told
    hrefs = {link.attributes.get("href") for link in page.find("a")}
    assert "/stoker/models/churn/versions/1" in hrefs
    assert "/stoker/models/churn/compare?left=1&right=2" in hrefs
    assert f"/stoker/documents/{version.manifest['candidate']['datasets'][0]}" in hrefs
    (airflow,) = {link.attributes["href"] for link in page.find("a", **{"class": "airflow"})}
    assert airflow == "/dags/train/runs/run%201/tasks/register"


def test_reports_stand_in_a_sandbox_without_our_origin_and_can_be_downloaded(
    pages: TestClient, registry: Registry
) -> None:
    version = register_whole(registry)
    page = get(pages, "/models/churn/versions/1")
    frames = list(page.find("iframe"))
    assert [frame.attributes["sandbox"] for frame in frames] == ["allow-scripts"] * 3
    assert all(frame.attributes["title"] and "src" not in frame.attributes for frame in frames)
    reports = [fold.attributes["data-report"] for fold in page.find("details") if "data-report" in fold.attributes]
    assert reports == [
        f"/stoker/documents/{version.manifest['evaluation']['digest']}/report",
        f"/stoker/documents/{version.manifest['candidate']['digest']}/report",
        "/stoker/models/churn/versions/1/card",
    ]
    hrefs = {link.attributes.get("href") for link in page.find("a")}
    assert {f"{report}?download=1" for report in reports} <= hrefs


def test_a_version_of_which_little_is_known_has_a_page(pages: TestClient, registry: Registry) -> None:
    register(registry, outcome=None)
    page = get(pages, "/models/churn/versions/1")
    assert "not evaluated" in page.text
    assert "There was none to compare with." in page.text
    assert "model.skops" in page.text


def test_a_page_leads_to_the_versions_before_and_after(pages: TestClient, registry: Registry) -> None:
    for _ in range(3):
        register(registry)
    for number, rels in ((1, {"next"}), (2, {"prev", "next"}), (3, {"prev"})):
        page = get(pages, f"/models/churn/versions/{number}")
        assert {link.attributes["rel"] for link in page.find("a") if "rel" in link.attributes} == rels


def test_two_versions_side_by_side_show_differences_first_and_in_words(pages: TestClient, registry: Registry) -> None:
    register_whole(registry)
    register_whole(registry, rate=0.2)
    page = get(pages, "/models/churn/compare?left=1&right=2")
    rows = {row.text: row.attributes for row in page.find("tr")}
    changed = [text for text, attributes in rows.items() if attributes.get("class") == "differs"]
    assert any(text.startswith("rate 0.1 0.2") and text.endswith("+0.1000") for text in changed)
    assert any(text.endswith("same") for text, attributes in rows.items() if "class" not in attributes)
    assert all(text.endswith(("changed", "added", "removed")) or text[-1].isdigit() for text in changed)


def test_versions_measured_on_other_rows_are_compared_with_a_warning(pages: TestClient, registry: Registry) -> None:
    for _ in range(2):
        register_whole(registry)
    page = get(pages, "/models/churn/compare?left=1&right=2")
    assert ("not evaluated on the same rows" in page.text) is bool(list(page.find("p", **{"class": "notice warn"})))


def test_a_version_beside_itself_asks_for_another(pages: TestClient, registry: Registry) -> None:
    register(registry)
    assert "compares a version with itself" in get(pages, "/models/churn/compare?left=1&right=1").text


def test_the_models_page_lets_two_versions_be_chosen_without_a_script(pages: TestClient, registry: Registry) -> None:
    for _ in range(3):
        register(registry)
    registry.promote("churn", 1, actor=ACTOR, reason="good")
    page = get(pages, "/models/churn")
    (form,) = page.find("form", action="/stoker/models/churn/compare")
    assert form.attributes["method"] == "get"
    chosen = {
        radio.attributes["name"]: radio.attributes["value"]
        for radio in page.find("input", type="radio")
        if "checked" in radio.attributes
    }
    assert chosen == {"left": "1", "right": "3"}
    assert all(radio.attributes["aria-label"] for radio in page.find("input", type="radio"))


def test_more_versions_and_entries_than_a_page_holds_are_a_link_away(pages: TestClient, registry: Registry) -> None:
    for _ in range(52):
        register(registry)
    for anchor, row in (("#versions", "v1 "), ("#history", "registered v1 ")):
        path, seen = "/models/churn", ""
        while path:
            page = get(pages, path)
            seen += f"{page.text} "
            older = [link.attributes["href"] for link in page.find("a", rel="next")]
            path = next((href.removeprefix("/stoker") for href in older if href.endswith(anchor)), "")
        assert row in seen


def test_the_model_page_tells_why_it_trains_or_does_not(pages: TestClient, registry: Registry) -> None:
    register(registry)
    broker = Broker(registry.store, "churn")
    assert "Nothing asks for a training now." in get(pages, "/models/churn").text
    broker.put(source="hand", reason="The feed was repaired", dedupe_key="1", actor=ACTOR)
    page = get(pages, "/models/churn")
    assert "The feed was repaired" in page.text
    assert "May begin now" in page.text
    broker.claim("train/run 1", actor=ACTOR)
    broker.settle("train/run 1", outcome="kept", reason="The champion stays")
    page = get(pages, "/models/churn")
    assert "The champion stays" in page.text
    assert "kept" in page.text


def test_an_open_breaker_offers_to_resume(pages: TestClient, registry: Registry) -> None:
    register(registry)
    assert not list(get(pages, "/models/churn").find("button", data_kind="resume"))
    broker = Broker(registry.store, "churn", policy=CadencePolicy(cooldown=timedelta(0)))
    for number in range(3):
        broker.put(source="drift", reason="again", dedupe_key=str(number), actor=ACTOR)
        broker.claim(f"train/{number}", actor=ACTOR)
        broker.settle(f"train/{number}", outcome="failed", reason="It failed")
    buttons = list(get(pages, "/models/churn").find("button", data_kind="resume"))
    assert [button.attributes["data-action"] for button in buttons] == ["/models/churn/resume"]


def test_a_documents_page_shows_its_report_and_folds_the_rest(pages: TestClient, registry: Registry) -> None:
    version = register_whole(registry)
    digest = version.manifest["evaluation"]["digest"]
    page = get(pages, f"/documents/{digest}")
    assert "Better in churned." in page.text
    first, raw = page.find("details")
    assert (first.attributes["data-report"], "open" in first.attributes) == (f"/stoker/documents/{digest}/report", True)
    assert "open" not in raw.attributes
    assert digest in raw.text


def test_a_document_without_a_report_is_shown_itself(pages: TestClient, registry: Registry) -> None:
    digest = put_document(
        registry.store,
        {"kind": "note", "empty": {}, "none": None, "yes": True, "many": list(range(80)), "deep": [[1, {"a": [2]}]]},
    )
    page = get(pages, f"/documents/{digest}")
    (raw,) = page.find("details")
    assert "open" in raw.attributes
    assert "80 in all" in raw.text
    assert "yes yes" in raw.text


def test_a_document_nested_without_end_is_cut(pages: TestClient, registry: Registry) -> None:
    deep: Any = "bottom"
    for _ in range(40):
        deep = {"in": deep}
    digest = put_document(registry.store, {"kind": "note", "deep": deep})
    assert "bottom" not in get(pages, f"/documents/{digest}").text


@pytest.mark.parametrize("payload", PAYLOADS)
def test_stored_markup_is_shown_as_text(pages: TestClient, registry: Registry, payload: str) -> None:
    for rate in (0.1, 0.2):
        version = register_whole(registry, payload, rate=rate)
    registry.promote("churn", 1, actor=Actor(payload, payload), reason=payload)
    registry.block("churn", 2, actor=Actor(payload, f"{payload}/run/task/-1"), reason=payload)
    Broker(registry.store, "churn").put(source="hand", reason=payload, dedupe_key="1", actor=Actor(payload, payload))
    document = put_document(registry.store, {"kind": payload, payload: [payload, {payload: payload}]})
    for path in (
        "/models/churn",
        "/models/churn/versions/2",
        "/models/churn/compare?left=1&right=2",
        f"/documents/{version.manifest['evaluation']['digest']}",
        f"/documents/{document}",
    ):
        page = get(pages, path)
        assert not scripts_and_handlers(page), path
        assert not [element for element in page.elements if element.tag in {"img", "svg"}], path
        assert " ".join(payload.split()) in page.text, path


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/models/churn/versions/9", 404),
        ("/models/churn/versions/0", 400),
        ("/models/churn/versions/v1", 400),
        ("/models/churn/versions/1e3", 400),
        ("/models/churn/versions/%EF%BC%91", 400),
        ("/models/nobody/versions/1", 404),
        ("/models/Champion/versions/1", 400),
        ("/models/churn/compare?left=1&right=9", 404),
        ("/models/churn/compare?left=1&right=x", 400),
        ("/models/churn/compare?left=1", 400),
        (f"/documents/{'0' * 64}", 404),
        ("/documents/nonsense", 404),
    ],
)
def test_what_is_not_there_is_told(pages: TestClient, registry: Registry, path: str, status: int) -> None:
    register(registry)
    answer = pages.get(path)
    assert answer.status_code == status
    assert "Stoker" in answer.text
