"""``stoker drift``: what monitoring found, for people and programs."""

from __future__ import annotations

import json

import click
import pytest
from click.testing import CliRunner

from stoker.cli.invocation import Invocation
from stoker.cli.monitoring import drift
from stoker.errors import NotFound
from stoker.loop.windows import WindowLog
from stoker.registry.registry import Registry
from stoker.store import layout
from stoker.store.base import ObjectStore
from stoker.store.documents import put_document
from stoker.store.opening import open_store
from tests.registry.cases import MODEL, register

URI = "memory://monitoring-command"


@pytest.fixture
def store() -> ObjectStore:
    store = open_store(URI)
    for key in list(store.keys("")):
        store.delete_swept(key)
    return store


def judge(store: ObjectStore, window: str, version: int = 1, *, alert: bool = False) -> str:
    reason = f"wind drifted in {window}." if alert else "None of 4 columns drifted."
    digest = put_document(
        store,
        {
            "kind": "drift", "window": window, "verdict": {"outcome": "fail", "reasons": [reason]},
            "columns": [{"column": "wind", "drifted": alert}, {"column": "seats", "drifted": False}], "report": None,
        },
    )  # fmt: skip
    facts = {
        "document": digest, "verdict": "fail" if alert else "pass", "alert": alert,
        "states": {"covariate": "alert" if alert else "quiet", "label": "quiet"},
    }  # fmt: skip
    WindowLog(store, "churn", "drift").record(window, version, f"{window}-28T00:00:00.000000Z", facts)
    return digest


def call(*arguments: str, as_json: bool = False) -> str:
    result = CliRunner().invoke(
        drift, arguments, obj=Invocation(store_uri=URI, as_json=as_json), catch_exceptions=False
    )
    assert result.exit_code == 0
    return result.stdout


def test_windows_come_newest_first_with_verdict_and_reason(store: ObjectStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "140")
    for window in ("2013-02", "2013-03", "2013-04"):
        judge(store, window, alert=window == "2013-04")
    lines = call("churn", "--windows", "2").splitlines()
    shown = [line.split()[0] for line in lines if line.strip().startswith("2013")]
    assert shown == ["2013-04", "2013-03"]
    assert "fail (covariate alert)" in "\n".join(lines)
    assert "wind drifted in 2013-04." in "\n".join(lines)


def test_a_program_gets_all_facts(store: ObjectStore) -> None:
    digest = judge(store, "2013-02", alert=True)
    answer = call("churn", as_json=True)
    assert json.loads(answer) == {
        "model": "churn",
        "windows": [
            {
                "window": "2013-02", "version": 1, "end": "2013-02-28T00:00:00.000000Z", "verdict": "fail", "alert": True,
                "states": {"covariate": "alert", "label": "quiet"}, "reasons": ["wind drifted in 2013-02."],
                "columns": ["wind"], "report": None, "document": digest,
            }
        ],
    }  # fmt: skip


def test_a_swept_document_hides_no_window(store: ObjectStore) -> None:
    store.delete_swept(layout.blob(judge(store, "2013-02")))
    assert "2013-02" in call("churn")


def test_a_model_without_windows_says_so_and_one_that_does_not_exist_is_refused(store: ObjectStore) -> None:
    register(Registry(store))
    assert call(MODEL) == f"No window of {MODEL} was judged yet.\n"
    with pytest.raises(NotFound):
        call("unborn")


def test_a_number_of_windows_must_be_one(store: ObjectStore) -> None:
    result = CliRunner().invoke(drift, ["churn", "--windows", "0"], obj=Invocation(store_uri=URI))
    assert result.exit_code == click.UsageError.exit_code
