"""Deciding on a version from the command line."""

from __future__ import annotations

from datetime import timedelta

import pytest

from stoker.core.clock import system_clock
from stoker.core.records import Actor
from stoker.registry.registry import Registry
from tests.cli.conftest import Call
from tests.support.registrations import ACTOR, register

WHY = ("--reason", "because")
BOB = ("--user", "bob", *WHY)


@pytest.fixture
def digest(registry: Registry) -> str:
    """Version 1 of churn, which ada asked about."""
    version = register(registry)
    ask(registry, 1)
    return version.digest


def ask(registry: Registry, version: int, end: timedelta = timedelta(1)) -> None:
    registry.ask_approval("churn", version, until=system_clock() + end, actor=ACTOR, reason="passed")


def test_an_approval_names_who_gave_it_and_lets_the_version_be_promoted(
    call: Call, registry: Registry, digest: str
) -> None:
    for only in ([], ["--approved"]):
        refused = call("promote", "churn", "1", *only, "--json", *WHY)
        assert (refused.code, refused.error["kind"]) == (1, "NotApproved")
    answer = call("approve", "churn", "1", "--evidence", digest[:12], *BOB)
    assert (answer.code, answer.out) == (0, "Version 1 of churn is approved.\n")
    entry = list(registry.history("churn"))[-1]
    assert (entry.actor, entry.reason) == (Actor("bob", "cli"), "because")
    assert call("promote", "churn", "1", "--approved", *WHY).code == 0


def test_in_an_emergency_the_command_line_promotes_around_a_review(call: Call, digest: str) -> None:
    assert call("promote", "churn", "1", "--not-approved", *WHY).code == 0


def test_a_rejection_is_a_record(call: Call, digest: str) -> None:
    answer = call("reject", "churn", "1", "--evidence", digest.upper(), "--json", *BOB)
    assert (answer.json["status"], answer.json["decided_by"], answer.json["evidence"]) == ("rejected", "bob", digest)


def test_evidence_has_to_be_given_and_be_that_of_the_version(call: Call, digest: str) -> None:
    assert call("approve", "churn", "1", *BOB).code == 2
    short = call("approve", "churn", "1", "--evidence", digest[:11], *BOB)
    assert (short.code, "stoker show churn 1" in short.err) == (2, True)
    other = call("approve", "churn", "1", "--evidence", "0" * 12, "--json", *BOB)
    assert (other.code, other.error["kind"]) == (3, "ConflictError")


def test_whoever_asked_may_not_approve(call: Call, digest: str) -> None:
    answer = call("approve", "churn", "1", "--evidence", digest, "--user", "ada", "--json", *WHY)
    assert (answer.code, answer.error["kind"]) == (1, "ApprovalRefused")


def test_who_comes_second_is_told_what_was_decided(call: Call, digest: str) -> None:
    call("reject", "churn", "1", "--evidence", digest, *BOB)
    answer = call("approve", "churn", "1", "--evidence", digest, "--user", "carol", "--json", *WHY)
    assert (answer.code, answer.error["details"]["decided_by"]) == (3, "bob")


def test_models_and_versions_tell_what_waits(call: Call, registry: Registry, digest: str) -> None:
    register(registry)
    assert call("models", "--json").json["models"][0]["waiting"] == [1]
    assert "v1" in call("models").out
    assert "waiting for approval by somebody other than ada" in " ".join(call("show", "churn", "1").out.split())
    assert call("show", "churn", "1", "--json").json["review"]["status"] == "waiting"
    assert call("show", "churn", "2", "--json").json["review"] is None
    call("approve", "churn", "1", "--evidence", digest, *BOB)
    assert "approved by bob" in call("show", "churn", "1").out
    assert call("models", "--json").json["models"][0]["waiting"] == []


def test_what_ran_out_waits_no_more(call: Call, registry: Registry) -> None:
    register(registry)
    ask(registry, 1, timedelta(milliseconds=50))
    while registry.state("churn").reviews[1].waits(system_clock()):
        pass
    assert call("models", "--json").json["models"][0]["waiting"] == []
    assert "not answered until" in call("show", "churn", "1").out


def test_the_log_tells_it(call: Call, digest: str) -> None:
    call("reject", "churn", "1", "--evidence", digest, *BOB)
    entries = call("audit", "log", "churn", "--json").json["entries"]
    assert entries[1]["description"].startswith("asked for approval of v1 by somebody else until ")
    assert entries[2]["description"] == "rejected v1"
    assert call("audit", "verify", "churn").code == 0
