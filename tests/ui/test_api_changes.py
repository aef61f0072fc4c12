"""Changes through the API: each is one entry of the log, made by whom it says, of what they saw, and once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from typing import Any

import pytest
from fastapi.testclient import TestClient

from stoker.core.cadence import CadencePolicy
from stoker.core.clock import system_clock
from stoker.core.records import Actor
from stoker.errors import StoreUnavailable
from stoker.loop.broker import Broker
from stoker.registry.registry import Registry
from stoker.store import layout
from stoker.store.memory import MemoryStore
from stoker.ui.access import Access, Person
from stoker.ui.app import create_app
from tests.support.applications import client_of
from tests.support.registrations import ACTOR, register

ADA = Access((), lambda: Person("ada", lambda dag_id: True))
TOKEN = {"Authorization": "Bearer x"}
GRACE = Actor("grace", "python")


@pytest.fixture
def registry() -> Registry:
    return Registry(MemoryStore())


@pytest.fixture
def client(registry: Registry) -> Iterator[TestClient]:
    with client_of(registry, ADA) as client:
        yield client


def post(client: TestClient, path: str, **body: Any) -> Any:
    return client.post(f"/api/v1/models/churn/{path}", json=body, headers=TOKEN)


def done(client: TestClient, path: str, **body: Any) -> Any:
    answer = post(client, path, **body)
    assert answer.status_code == 200, answer.text
    return answer.json()


def refused(client: TestClient, path: str, **body: Any) -> tuple[int, dict[str, Any]]:
    answer = post(client, path, **body)
    return answer.status_code, answer.json()["error"]


def test_a_promotion_is_one_entry_by_the_person_who_asked(client: TestClient, registry: Registry) -> None:
    register(registry)
    answer = done(client, "promote", version=1, expected_version=None, reason="it is better")
    *_, last = registry.history("churn")
    assert answer == {
        "model": "churn", "alias": "champion", "version": 1, "previous": None, "seq": last.seq, "changed": True,
        "time": answer["time"],
    }  # fmt: skip
    assert (last.actor, last.reason) == (Actor("ada", "ui"), "it is better")
    again = done(client, "promote", version=1, expected_version=1, reason="twice")
    assert again["changed"] is False
    assert registry.state("churn").seq == last.seq


def test_a_promotion_of_something_else_than_was_seen_is_a_conflict(client: TestClient, registry: Registry) -> None:
    for _ in range(3):
        register(registry)
    registry.promote("churn", 2, actor=GRACE, reason="faster")
    status, error = refused(client, "promote", version=3, expected_version=1, reason="it is better")
    assert (status, error["type"]) == (409, "PromotionConflict")
    assert error["details"]["seen_version"] == 2
    assert registry.pointed("churn") == 2


def test_what_was_seen_must_be_said(client: TestClient, registry: Registry) -> None:
    register(registry)
    for body in (
        {"version": 1, "reason": "a"},
        {"expected_version": None, "reason": "a"},
        {"version": 1, "expected_version": None},
        {"version": "1", "expected_version": None, "reason": "a"},
        {"version": 1.0, "expected_version": None, "reason": "a"},
        {"version": True, "expected_version": None, "reason": "a"},
        {"version": 0, "expected_version": None, "reason": "a"},
        {"version": 1, "expected_version": "any", "reason": "a"},
        {"version": 1, "expected_version": None, "reason": "a", "require_verdict": False},
        {"version": 1, "expected_version": None, "reason": "a", "alias": "other"},
    ):
        status, error = refused(client, "promote", **body)
        assert (status, error["type"]) == (400, "InvalidRequest"), body
    assert registry.pointed("churn") is None


@pytest.mark.parametrize("outcome", ["fail", "inconclusive", "insufficient_data", "not_configured", None])
def test_a_version_without_a_passing_verdict_is_not_promoted(
    client: TestClient, registry: Registry, outcome: str | None
) -> None:
    register(registry, outcome=outcome, reasons=("It is worse.",))
    status, error = refused(client, "promote", version=1, expected_version=None, reason="I insist")
    assert (status, error["type"]) == (409, "GateFailed")
    assert "--no-verdict" in error["message"]
    assert registry.pointed("churn") is None


def test_a_version_whose_file_has_other_bytes_is_not_promoted(client: TestClient, registry: Registry) -> None:
    version = register(registry)
    (file,) = version.files.values()
    registry.store.delete_swept(layout.blob(file.sha256))
    status, error = refused(client, "promote", version=1, expected_version=None, reason="it is better")
    assert status in {404, 500}
    registry.store.create(layout.blob(file.sha256), b"something else")
    status, error = refused(client, "promote", version=1, expected_version=None, reason="it is better")
    assert (status, error["type"]) == (500, "CorruptArtifact")
    assert registry.pointed("churn") is None


def test_a_rollback_goes_back_and_blocks(client: TestClient, registry: Registry) -> None:
    for number in (1, 2, 3):
        register(registry)
        registry.promote("churn", number, actor=GRACE, reason="good")
    answer = done(client, "rollback", expected_version=3, reason="predicts only zeros")
    assert (answer["version"], answer["previous"]) == (2, 3)
    assert registry.state("churn").blocked == {3}
    status, error = refused(client, "rollback", expected_version=3, reason="pressed twice")
    assert (status, error["type"]) == (409, "PromotionConflict")
    assert registry.pointed("churn") == 2
    assert done(client, "rollback", expected_version=2, to=1, reason="further")["version"] == 1


def test_a_rollback_to_damaged_files_is_refused(client: TestClient, registry: Registry) -> None:
    first = register(registry)
    register(registry)
    for number in (1, 2):
        registry.promote("churn", number, actor=GRACE, reason="good")
    (file,) = first.files.values()
    registry.store.delete_swept(layout.blob(file.sha256))
    registry.store.create(layout.blob(file.sha256), b"something else")
    status, error = refused(client, "rollback", expected_version=2, reason="it is bad")
    assert (status, error["type"]) == (500, "CorruptArtifact")
    assert registry.pointed("churn") == 2
    assert not registry.state("churn").blocked


def test_a_training_is_asked_for_in_the_persons_name(client: TestClient, registry: Registry) -> None:
    register(registry)
    answer = done(client, "retrain", reason="new timetable")
    (request,) = Broker(registry.store, "churn").requests()
    assert answer == {"model": "churn", "id": request.id}
    assert (request.source, request.reason, request.actor) == ("hand", "new timetable", Actor("ada", "ui"))


def test_a_stopped_model_trains_again(client: TestClient, registry: Registry) -> None:
    register(registry)
    assert done(client, "resume", reason="nothing to do")["changed"] is False
    policy = CadencePolicy(cooldown=timedelta(0))
    broker = Broker(registry.store, "churn", policy=policy)
    broker.put(source="hand", reason="try", dedupe_key="one", actor=GRACE)
    assert broker.claim("dag/run", actor=GRACE).granted
    broker.settle("dag/run", outcome="kept", reason="no better")
    assert broker.state().useless(system_clock())[0] == 1
    assert done(client, "resume", reason="the data is mended")["changed"] is True
    assert broker.state().useless(system_clock())[0] == 0


def test_a_misspelt_model_begins_no_journal(client: TestClient, registry: Registry) -> None:
    for path, body in (("retrain", {}), ("resume", {}), ("versions/1/block", {})):
        status, error = refused(client, path, reason="a", **body)
        assert (status, error["type"]) == (404, "NotFound")
    assert list(registry.store.keys("")) == []


def test_a_version_is_blocked_and_unblocked(client: TestClient, registry: Registry) -> None:
    register(registry)
    assert done(client, "versions/1/block", reason="bad") == {"model": "churn", "changed": True}
    assert done(client, "versions/1/block", reason="bad")["changed"] is False
    status, error = refused(client, "promote", version=1, expected_version=None, reason="try")
    assert (status, error["type"]) == (409, "VersionBlocked")
    assert done(client, "versions/1/unblock", reason="a mistake")["changed"] is True
    assert refused(client, "versions/2/block", reason="none such")[0] == 404
    assert refused(client, "versions/two/block", reason="none such")[0] == 400


def ask(registry: Registry, *, actor: Actor = GRACE, hours: int = 1) -> str:
    version = register(registry)
    registry.ask_approval(
        "churn", version.number, until=system_clock() + timedelta(hours=hours), actor=actor, reason="please look"
    )
    return version.digest


def test_a_waiting_version_is_promoted_once_it_is_approved_and_not_before(
    client: TestClient, registry: Registry
) -> None:
    digest = ask(registry)
    status, error = refused(client, "promote", version=1, expected_version=None, reason="around it")
    assert (status, error["type"]) == (409, "NotApproved")
    assert "--no-verdict" not in error["message"]
    answer = done(client, "versions/1/approve", evidence=digest, reason="looks right")
    assert answer == {
        "model": "churn", "version": 1, "status": "approved", "evidence": digest, "decided_by": "ada",
        "seq": registry.state("churn").seq,
    }  # fmt: skip
    assert done(client, "promote", version=1, expected_version=None, reason="approved")["changed"] is True


def test_a_rejected_version_is_not_promoted(client: TestClient, registry: Registry) -> None:
    digest = ask(registry)
    assert done(client, "versions/1/reject", evidence=digest, reason="no")["status"] == "rejected"
    assert refused(client, "promote", version=1, expected_version=None, reason="around it")[1]["type"] == "NotApproved"
    assert refused(client, "versions/1/approve", evidence=digest, reason="after all")[0] == 409


def test_blocking_and_unblocking_is_no_way_around_an_approval(client: TestClient, registry: Registry) -> None:
    ask(registry)
    done(client, "versions/1/block", reason="hold on")
    done(client, "versions/1/unblock", reason="go on")
    assert refused(client, "promote", version=1, expected_version=None, reason="around it")[1]["type"] == "NotApproved"


def test_an_approval_is_of_what_the_person_saw(client: TestClient, registry: Registry) -> None:
    ask(registry)
    assert refused(client, "versions/1/approve", evidence="0" * 64, reason="yes")[0] == 409
    for evidence in ("", "0" * 63, "g" * 64, "A" * 64, 7, None, "0" * 64 + "\n"):
        status, error = refused(client, "versions/1/approve", evidence=evidence, reason="yes")
        assert (status, error["type"]) == (400, "InvalidRequest"), evidence
    assert registry.state("churn").reviews[1].status == "waiting"


def test_whoever_asked_does_not_approve(client: TestClient, registry: Registry) -> None:
    digest = ask(registry, actor=Actor("ada", "python"))
    status, error = refused(client, "versions/1/approve", evidence=digest, reason="yes")
    assert (status, error["type"]) == (409, "ApprovalRefused")
    assert registry.state("churn").reviews[1].status == "waiting"


def test_of_twenty_promotions_at_once_one_wins(client: TestClient, registry: Registry) -> None:
    for _ in range(21):
        register(registry)
    registry.promote("churn", 1, actor=ACTOR, reason="good")
    together = Barrier(20)

    def promote(number: int) -> int:
        together.wait()
        return post(client, "promote", version=number, expected_version=1, reason=f"I want {number}").status_code

    with ThreadPoolExecutor(20) as threads:
        answers = Counter(threads.map(promote, range(2, 22)))
    assert answers == {200: 1, 409: 19}
    moves = [entry for entry in registry.history("churn") if entry.change.moves and entry.actor.origin == "ui"]
    assert len(moves) == 1
    assert moves[0].reason == f"I want {registry.pointed('churn')}"


def test_a_store_that_is_away_is_503_and_says_to_try_again() -> None:
    def away() -> Registry:
        raise StoreUnavailable("The store must answer; it does not. Try again.")

    with TestClient(create_app(away, access=ADA)) as client:
        assert refused(client, "retrain", reason="a")[0] == 503
