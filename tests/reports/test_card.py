"""The model card: of a trained and judged version, of one that was registered by hand, and what it admits not to know."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.reports.conftest import Made
from tests.support.markup import Page
from tests.support.payloads import PAYLOADS
from tests.support.registrations import ACTOR, register
from tests.support.reported import poisoned

from stoker.core.records import Actor
from stoker.errors import UnreadableData
from stoker.registry.registry import Registry
from stoker.registry.versions import Version
from stoker.reports.card import card, card_record, entries_of
from stoker.store.documents import get_bytes, get_document, put_bytes
from stoker.store.memory import MemoryStore


@pytest.fixture
def manifest(made: Made) -> dict[str, Any]:
    store, digests = made
    candidate = get_document(store, digests["candidate_binary"])
    judged = get_document(store, digests["evaluation_binary"])
    return {
        "fingerprint": candidate["fingerprint"],
        "files": candidate["files"],
        "candidate": {**candidate, "digest": digests["candidate_binary"]},
        "evaluation": {**judged, "digest": digests["evaluation_binary"], "baseline_version": None},
    }


def registered(manifest: dict[str, Any], made: Made) -> tuple[Registry, Version]:
    registry = registry_with_files(manifest, made)
    return registry, registry.register("late", manifest, actor=ACTOR, reason="trained")


def registry_with_files(manifest: dict[str, Any], made: Made) -> Registry:
    registry = Registry(MemoryStore())
    for file in manifest["files"].values():
        put_bytes(registry.store, get_bytes(made[0], file["sha256"]))
    return registry


def record(registry: Registry, version: Version, made: Made) -> dict[str, Any]:
    entries = entries_of(registry, version)
    return card_record(version, entries=entries, read=lambda digest: get_document(made[0], digest))


def page(registry: Registry, version: Version, made: Made) -> Page:
    entries = entries_of(registry, version)
    return Page(card(version, entries=entries, read=lambda digest: get_document(made[0], digest)))


def test_a_card_says_what_the_model_is_and_how_good_it_is(manifest: dict[str, Any], made: Made) -> None:
    registry, version = registered(manifest, made)
    shown = page(registry, version, made)
    assert "late, version 1" in shown.text
    assert "A HistGradientBoostingClassifier that predicts late, trained on" in shown.text
    assert "Version 1" in [one.text for one in shown.find("th")]
    for section in ("How good it is", "Limits", "Data", "Model", "History", "Made with"):
        assert section in [one.text for one in shown.find("h2")]


def test_the_record_is_json_and_names_the_evidence(manifest: dict[str, Any], made: Made) -> None:
    registry, version = registered(manifest, made)
    found = json.loads(json.dumps(record(registry, version, made)))
    assert (found["model"], found["version"], found["digest"]) == ("late", 1, version.digest)
    assert found["evaluation"]["digest"] == made[1]["evaluation_binary"]
    assert found["estimator"]["target"] == "late"
    assert found["data"]["from"] == "2013-01-01T00:00:00.000000Z"
    assert [feature["name"] for feature in found["estimator"]["features"]]


def test_the_history_is_about_this_version_alone(made: Made) -> None:
    registry = Registry(MemoryStore())
    first, second, third = (register(registry) for _ in range(3))
    person = Actor("grace", "ui")
    registry.promote("churn", 1, actor=person, reason="the first")
    registry.promote("churn", 2, actor=person, reason="better")
    registry.rollback("churn", actor=person, reason="worse after all")
    told = {
        one.number: [event["reason"] for event in record(registry, one, made)["history"]]
        for one in (first, second, third)
    }
    assert told[1] == ["trained", "the first", "better", "worse after all"]
    assert told[2] == ["trained", "better", "worse after all"]
    assert told[3] == ["trained"]


def test_a_card_of_a_long_log_reads_a_bounded_part_of_it(made: Made) -> None:
    registry = Registry(MemoryStore())
    version = register(registry)
    for number in range(250):
        registry.promote("churn", 1, alias=f"a{number}", actor=ACTOR, reason="again")
    assert len(entries_of(registry, version)) == 200


def test_a_version_that_was_registered_by_hand_has_a_card_that_admits_it(made: Made) -> None:
    registry = Registry(MemoryStore())
    version = register(registry, outcome=None)
    shown = page(registry, version, made)
    assert "registered by hand" in shown.text
    assert "How it was trained, and on what, is not known." in shown.text
    assert "It was not evaluated." in shown.text


def test_a_version_with_a_verdict_alone_has_a_card(made: Made) -> None:
    registry = Registry(MemoryStore())
    shown = page(registry, register(registry), made)
    assert "It is better." in shown.text
    assert "0.7500" in shown.text


def test_limits_name_what_was_not_checked(manifest: dict[str, Any], made: Made) -> None:
    candidate = {
        **manifest["candidate"],
        "code": {"commit": None, "dirty": None},
        "split": {"kind": "random", "test_size": 0.2, "boundary": None},
    }
    policy = {**manifest["evaluation"]["policy"], "max_overlap": 0.1}
    missing = {"comparison": None, "baselines": {}, "figures": None, "smoke_passed": False, "mode": "dry_run"}
    judged = {**manifest["evaluation"], **missing, "policy": policy}
    registry, version = registered({**manifest, "candidate": candidate, "evaluation": judged}, made)
    limits = " ".join(record(registry, version, made)["limits"])
    for word in (
        "not validated", "commit", "later data", "no gate", "no model in office", "without features", "linear model", "clean process",
        "10.0% of the rows", "parts of the data", "probabilities", "fair to people",
    ):  # fmt: skip
        assert word in limits, word


def test_limits_do_not_name_what_was_checked(manifest: dict[str, Any], made: Made) -> None:
    registry, version = registered(manifest, made)
    limits = " ".join(record(registry, version, made)["limits"])
    for word in ("no model in office", "linear model", "parts of the data", "probabilities", "later data"):
        assert word not in limits, word


@pytest.mark.parametrize(
    ("given", "heading"), [("Only for flights from New York.", "Intended use"), ({"Owner": "team flights"}, "Owner")]
)
def test_what_people_wrote_about_the_model_comes_first(
    manifest: dict[str, Any], made: Made, given: Any, heading: str
) -> None:
    registry, version = registered({**manifest, "card": given}, made)
    assert next(page(registry, version, made).find("h2")).text == heading


def test_a_candidate_that_is_not_as_stoker_writes_it_is_told_of(manifest: dict[str, Any], made: Made) -> None:
    registry, version = registered({**manifest, "candidate": {"kind": "candidate"}}, made)
    with pytest.raises(UnreadableData, match="manifest of version 1"):
        page(registry, version, made)


@pytest.mark.parametrize("payload", PAYLOADS)
def test_hostile_texts_of_a_manifest_stay_texts(manifest: dict[str, Any], made: Made, payload: str) -> None:
    files = manifest["files"]
    hostile = {
        **poisoned(manifest, payload),
        "files": files,
        "fingerprint": manifest["fingerprint"],
        "card": {payload: payload},
    }
    registry = registry_with_files(manifest, made)
    version = registry.register("late", hostile, actor=Actor(payload, payload), reason=payload)
    shown = page(registry, version, made)
    assert not [one for one in shown.elements if any(name.startswith("on") for name in one.attributes)]
    assert not list(shown.find("img")) + list(shown.find("iframe")) + list(shown.find("svg"))
    for block in shown.find("script", type="application/json"):
        json.loads("".join(block.texts))
