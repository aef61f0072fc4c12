"""What a person reads before deciding: true to the records, and harmless whatever they hold."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from stoker.core.records import Actor
from stoker.core.verdicts import Outcome, Verdict
from stoker.loop.approval_card import approval_card, escaped
from stoker.loop.windows import WindowLog
from stoker.registry.state import Review
from stoker.registry.versions import Version
from stoker.store import layout
from stoker.store.documents import put_document
from stoker.store.memory import MemoryStore

TIME = datetime(2026, 11, 21, 12, tzinfo=UTC)
CANDIDATE = {
    "dataset_name": "flights",
    "partition": "2013-02",
    "target": "late",
    "rows": {"train": 700, "holdout": 300},
    "code": {"commit": "0123456789abcdef", "dirty": True},
}
EVALUATION = {
    "verdict": Verdict(Outcome.PASS, ("It is better.",)).to_record(),
    "baseline_version": 1,
    "metrics": {"accuracy": 0.8, "roc_auc": 0.75},
    "champion_metrics": {"roc_auc": 0.7},
    "comparison": {"metric": "roc_auc", "estimate": 0.05, "low": 0.01, "high": 0.09, "alpha": 0.05},
    "policy": {"metric": "roc_auc"},
    "rows": 300,
}


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


def version(number: int = 2, **manifest: Any) -> Version:
    return Version(
        model="churn",
        number=number,
        manifest=manifest,
        digest=f"{number:064x}",
        fingerprint="f" * 64,
        seq=number,
        time=TIME,
        actor=Actor("ada", "python"),
        reason="trained",
    )


def card(store: MemoryStore, of: Version, champion: Version | None = None, **review: Any) -> str:
    usual = {"asked_by": "ada", "four_eyes": True, **review}
    asked = Review(of.number, "waiting", of.digest, asked_from="x", until=TIME, decided_by=None, seq=3, **usual)
    return approval_card(store, of, champion, asked)


def test_the_card_tells_metrics_verdict_origin_and_consequences(store: MemoryStore) -> None:
    text = card(store, version(candidate=CANDIDATE, evaluation=EVALUATION), version(1))
    for told in (
        "**Version 2 of churn** waits for approval; the champion is version 1. Verdict: **pass**.",
        "| Metric | Version 2 | Champion v1 |\n| --- | --- | --- |\n| **roc\\_auc** | 0.7500 | 0.7000 |\n| accuracy | 0.8000 | – |",
        "Difference in roc\\_auc: +0.0500, 95% interval +0.0100 to +0.0900, on 300 rows.",
        "- It is better\\.",
        "- Data: flights, up to 2013\\-02",
        "- Code: 0123456789ab, with changes that were not committed",
        "**Risks**: none was found.",
        "version 2 may be promoted; it takes over from version 1 when the next task runs. Somebody other than ada has to approve.",
        "nobody answers by 2026-11-21 12:00 UTC, version 1 stays champion.",
        f"Evidence: `{2:064x}`",
        "(/stoker/models/churn/versions/2)",
    ):
        assert told in text


def test_a_version_of_which_little_is_known_has_a_card_as_well(store: MemoryStore) -> None:
    text = card(store, version(), asked_by="airflow")
    assert "there is no champion yet. Verdict: **none, for it was not evaluated**" in text
    assert "becomes the first champion" in text
    assert "Somebody other" not in text


def test_the_champion_itself_takes_over_from_nobody(store: MemoryStore) -> None:
    assert "it is the champion already" in card(store, version(), version())


@pytest.mark.parametrize(("quarantine", "left_out"), [("a" * 64, "; those rows were left out"), (None, "")])
def test_slices_checks_drift_and_a_champion_that_moved_on_are_risks(
    store: MemoryStore, quarantine: str | None, left_out: str
) -> None:
    parts = [
        {
            "column": "origin",
            "value": value,
            "rows": 40,
            "metric": "roc_auc",
            "challenger": 0.6,
            "champion": 0.7,
            **rest,
        }
        for value, rest in {"EWR": {"low": -0.2, "high": -0.01}, "JFK": {"low": -0.1, "high": 0.1}, "LGA": {}}.items()
    ]
    figures = put_document(store, {"kind": "figures", "of": "evaluation", "slices": parts})
    checks = [
        {"success": success, "severity": severity, "sentence": f"delay below {number}", "attributable": True}
        for number, severity, success in ((7, "critical", True), (8, "warning", False), (9, "critical", False))
    ]
    validations = [
        put_document(store, {"kind": "validation", "checks": checks[:2], "quarantine": "a" * 64}),
        put_document(store, {"kind": "validation", "checks": checks[2:], "quarantine": quarantine}),
    ]
    for window, state in (("2013-01", "quiet"), ("2013-02", "alert")):
        WindowLog(store, "churn", "drift").record(window, 3, None, {"states": {"covariate": state, "label": "quiet"}})
    candidate = {**CANDIDATE, "validations": validations}
    found = card(store, version(candidate=candidate, evaluation={**EVALUATION, "figures": figures}), version(3))
    risks = found.split("**Risks**\n\n")[1].split("\n\n")[0].splitlines()
    assert risks == [
        "- Worse than the champion where origin is EWR\\: roc\\_auc 0\\.6000 against 0\\.7000, on 40 rows\\.",
        "- Its newest data broke a warning check\\: delay below 8\\.",
        f"- Its newest data broke a critical check\\: delay below 9{left_out}\\.",
        "- It was judged against version 1, and the champion is version 3 by now\\.",
        "- Data drifts from what champion v3 learned, in window 2013\\-02\\: covariate alert\\.",
    ]


def test_what_retention_gave_up_is_told_and_hides_nothing_else(store: MemoryStore) -> None:
    figures = put_document(store, {"kind": "figures", "of": "evaluation", "slices": []})
    store.delete_swept(layout.blob(figures))
    journal = WindowLog(store, "churn", "drift")
    journal.record("2013-01", 3, None, {"states": {}})
    for key in list(store.keys("models/churn/loop/")):
        store.delete_swept(key)
        store.create(key, b"damaged")
    given = version(candidate=CANDIDATE, evaluation={**EVALUATION, "figures": figures})
    text = card(store, given, version(3))
    assert "- The slices of its evaluation could not be read\\." in text
    assert "- The drift of the champion's data could not be read\\." in text
    assert "- It is better\\." in text


@pytest.mark.parametrize(
    ("hostile", "harmless"),
    [
        ("<script>", "&lt;script&gt;"),
        ("a|b", "a\\|b"),
        ("[x](javascript:y)", "\\[x\\]\\(javascript\\:y\\)"),
        ("`x`\n# Title", "\\`x\\` \\# Title"),
        ("\x1b[31m\u202e", " \\[31m "),
        ("x" * 400, "x" * 300 + "…"),
        (None, "None"),
    ],
)
def test_a_value_from_data_is_text_and_nothing_else(hostile: Any, harmless: str) -> None:
    assert escaped(hostile) == harmless
