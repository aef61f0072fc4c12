"""Data that tries to become a program, in Chromium: in reports, cards and pages, with the session of a person who looks at them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import uvicorn
from fastapi import FastAPI, Request, Response
from fastapi.responses import HTMLResponse
from selenium.webdriver.common.by import By
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from stoker.core.records import Actor, Reference
from stoker.engines.drift import monitor_drift
from stoker.engines.drift_report import ReportPolicy
from stoker.engines.drift_windows import Current, Office
from stoker.registry.registry import Registry
from stoker.store.base import ObjectStore
from stoker.store.documents import get_document, put_bytes, put_document
from stoker.store.memory import MemoryStore
from stoker.ui.app import create_app
from tests.browser.browser import Browser
from tests.support.models import flights, manifest, put
from tests.support.payloads import CALL, PAYLOADS
from tests.support.reported import make_documents, poisoned

pytestmark = pytest.mark.browser

_SHOWN = (
    "evaluation_binary",
    "evaluation_multiclass",
    "evaluation_regression",
    "candidate_binary",
    "drift",
    "validation",
    "performance",
)
_PATIENCE = 120  # seconds: a report of Evidently's is megabytes of script, and the machine may be busy


@dataclass
class Site:
    """A server with our pages, and something worth stealing beside them.

    :param calls: of the secret, whoever made them.
    :param stolen: those of them that carried the session.
    """

    registry: Registry
    address: str = ""
    protected: bool = True
    calls: int = 0
    stolen: int = 0
    shown: list[str] = field(default_factory=list)


class Unprotected:
    """Takes the policy off all answers while the site says so: what a browser would then do is the control."""

    def __init__(self, app: ASGIApp, site: Site) -> None:
        self._app, self._site = app, site

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def strip(message: Message) -> None:
            if message["type"] == "http.response.start" and not self._site.protected:
                message["headers"] = [one for one in message["headers"] if one[0] != b"content-security-policy"]
            await send(message)

        await self._app(scope, receive, strip)


@pytest.fixture(scope="module")
def made() -> tuple[ObjectStore, dict[str, str]]:
    store = MemoryStore()
    return store, make_documents(store)


@pytest.fixture(scope="module")
def site(made: tuple[ObjectStore, dict[str, str]]) -> Iterator[Site]:
    site = Site(Registry(made[0]))
    root = FastAPI()

    @root.get("/login")
    def login(response: Response) -> str:
        response.set_cookie("session", "ada", httponly=True, samesite="lax")
        return "ada"

    @root.get("/api/secret")
    def secret(request: Request) -> str:
        site.calls += 1
        site.stolen += "session" in request.cookies
        return "the secret"

    @root.get("/frames", response_class=HTMLResponse)
    def frames() -> str:
        """No sandbox here: the policy of each answer has to hold alone."""
        return "".join(f'<iframe src="{address}" width="900" height="500"></iframe>' for address in site.shown)

    root.mount("/stoker", create_app(lambda: site.registry))
    server = uvicorn.Server(uvicorn.Config(Unprotected(root, site), port=0, log_level="warning"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    _wait(lambda: server.started)
    site.address = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    yield site
    server.should_exit = True
    thread.join()


@pytest.fixture(scope="module")
def browser(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    browser = Browser(site.address, Path(tmp_path_factory.mktemp("chromium")))
    browser.driver.get(f"{site.address}/login")
    yield browser
    browser.close()


@pytest.fixture(autouse=True)
def untouched(site: Site) -> None:
    site.calls = site.stolen = 0
    site.protected = True


def _wait(reached: Callable[[], Any]) -> None:
    until = time.monotonic() + _PATIENCE
    while not reached():
        assert time.monotonic() < until, "It did not come about in time."
        time.sleep(0.05)


def _plant(registry: Registry, documents: dict[str, str], payload: str) -> dict[str, str]:
    """Store the documents with the payload behind every text, and register a version of them; their new digests."""
    store, planted = registry.store, {}
    for name in _SHOWN:
        document = poisoned(get_document(store, documents[name]), payload)
        if document.get("figures"):
            document["figures"] = put_document(store, poisoned(get_document(store, document["figures"]), payload))
        planted[name] = put_document(store, document)
    candidate = get_document(store, planted["candidate_binary"])
    clean = get_document(store, documents["candidate_binary"])
    judged = get_document(store, planted["evaluation_binary"])
    registered = {
        "fingerprint": clean["fingerprint"],
        "files": clean["files"],
        "candidate": {**candidate, "files": clean["files"], "digest": planted["candidate_binary"]},
        "evaluation": {**judged, "digest": planted["evaluation_binary"], "baseline_version": None},
        "card": {payload: payload},
    }
    for _ in range(2):
        version = registry.register("late", registered, actor=Actor(payload, f"{payload}/run/task/-1"), reason=payload)
        registered = {**registered, "fingerprint": registered["fingerprint"][::-1]}
    registry.promote("late", version.number, actor=Actor(payload, "ui"), reason=payload, require_verdict=False)
    return planted


def _pages() -> list[str]:
    model = "/stoker/models/late"
    return ["/stoker/", model, f"{model}/versions/1", f"{model}/compare?left=1&right=2"]


def _look(browser: Browser, site: Site, addresses: list[str]) -> dict[str, int]:
    """Open all addresses in frames of one page, and count the drawings of each. Nobody's script may have run in any."""
    site.shown = addresses
    browser.driver.get(f"{site.address}/frames")
    drawings = {}
    for place, address in enumerate(addresses):
        browser.driver.switch_to.default_content()
        browser.driver.switch_to.frame(place)
        _wait(lambda: browser.driver.execute_script("return document.readyState") == "complete")
        assert browser.driver.execute_script("return [document.title === 'pwned', Boolean(globalThis.pwned)]") == [
            False,
            False,
        ], address
        drawings[address] = len(browser.driver.find_elements(By.CSS_SELECTOR, ".plot svg"))
    browser.driver.switch_to.default_content()
    assert browser.driver.title != "pwned"
    return drawings


@pytest.mark.parametrize("payload", PAYLOADS, ids=range(len(PAYLOADS)))
def test_hostile_texts_run_nowhere_and_reports_are_drawn_all_the_same(
    site: Site, browser: Browser, made: tuple[ObjectStore, dict[str, str]], payload: str
) -> None:
    site.registry = _fresh(made[0])
    planted = _plant(site.registry, made[1], payload)
    reports = [f"/stoker/documents/{digest}/report?theme=dark" for digest in planted.values()]
    card = "/stoker/models/late/versions/1/card"
    documents = [f"/stoker/documents/{digest}" for digest in planted.values()]
    drawings = _look(browser, site, [*reports, card, *documents, *_pages()])
    assert (site.calls, site.stolen) == (0, 0)
    assert all(
        drawings[address] > 0 for address in [*(one for one in reports if planted["validation"] not in one), card]
    ), drawings


def _fresh(store: ObjectStore) -> Registry:
    """A registry of its own with the same documents, so that each payload meets a first version."""
    copy = MemoryStore()
    for key in store.keys("blobs/"):
        copy.create(key, store.read(key))
    return Registry(copy)


@pytest.fixture(scope="module")
def evidently(made: tuple[ObjectStore, dict[str, str]]) -> str:
    """Where the report is that Evidently makes of categories that are programs. It takes them for markup."""
    rows = flights(400, month="2013-05", seed=5)
    hostile = pa.array([PAYLOADS[place % len(PAYLOADS)] for place in range(400)])
    rows = rows.set_column(rows.column_names.index("carrier"), "carrier", hostile)
    window = Current("2013-05", (put(made[0], rows, "2013-05").digest,))
    office = Office("late", 1, manifest(made[0], Reference("candidate", "", made[1]["candidate_binary"], "pass")))
    judged = monitor_drift(made[0], model="late", office=office, current=window, report=ReportPolicy("always"))
    return f"/stoker/documents/{judged.digest}/evidently"


def test_what_runs_in_evidentlys_report_reaches_nothing_outside_of_it(
    site: Site, browser: Browser, made: tuple[ObjectStore, dict[str, str]], evidently: str
) -> None:
    site.registry = Registry(made[0])
    _look(browser, site, [evidently.replace("/evidently", "/report")])
    site.shown = [evidently]
    browser.driver.get(f"{site.address}/frames")
    browser.driver.switch_to.frame(0)
    _wait(lambda: browser.driver.execute_script("return document.title") == "pwned")
    assert browser.driver.execute_script("return globalThis.origin") == "null"
    browser.driver.switch_to.default_content()
    assert browser.driver.title != "pwned"
    assert (site.calls, site.stolen) == (0, 0)


def test_control_without_the_policy_evidentlys_report_reads_the_secret(
    site: Site, browser: Browser, made: tuple[ObjectStore, dict[str, str]], evidently: str
) -> None:
    site.registry, site.protected = Registry(made[0]), False
    browser.driver.get(f"{site.address}{evidently}")
    _wait(lambda: site.stolen > 0)


def _worst_report(registry: Registry) -> str:
    """A stored report that is a program from end to end, as whoever can write to the store could leave one."""
    told = "fetch('/api/secret').catch(() => 0).then(() => document.title = 'asked')"
    stored = put_bytes(registry.store, f"<!doctype html><title>Report</title><script>{CALL};{told}</script>".encode())
    found = {
        "kind": "drift",
        "verdict": {"outcome": "pass", "reasons": ["."]},
        "report": {"sha256": stored.sha256, "size": stored.size},
    }
    return f"/stoker/documents/{put_document(registry.store, found)}/evidently"


def test_a_report_that_is_a_program_reads_nothing_with_the_session(site: Site, browser: Browser) -> None:
    address = _worst_report(site.registry)
    for shown in (f"{site.address}/frames", f"{site.address}{address}"):
        site.shown = [address]
        browser.driver.get(shown)
        if shown.endswith("/frames"):
            browser.driver.switch_to.frame(0)
        _wait(lambda: browser.driver.execute_script("return document.title") == "asked")
        browser.driver.switch_to.default_content()
    assert (site.calls, site.stolen) == (0, 0)


def test_control_without_the_policy_the_same_report_reads_the_secret(site: Site, browser: Browser) -> None:
    site.protected = False
    browser.driver.get(f"{site.address}{_worst_report(site.registry)}")
    _wait(lambda: site.stolen > 0 and browser.driver.title == "asked")
