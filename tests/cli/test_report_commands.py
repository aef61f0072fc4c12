"""``stoker report`` and ``stoker card``: files for people, JSON for programs."""

from __future__ import annotations

from pathlib import Path

import pytest

from stoker.registry.registry import Registry
from stoker.store.documents import put_document
from tests.cli.conftest import Call
from tests.support.registrations import register

DRIFT = {
    "kind": "drift", "model": "churn", "version": None, "window": None, "current": [], "rows": None, "states": {}, "alert": False,
    "alerted": [], "due": [], "windows_since_promotion": None, "columns": [], "report": None,
    "verdict": {"outcome": "not_configured", "reasons": ["churn has no version yet."], "numbers": {}},
}  # fmt: skip


def test_a_report_goes_to_standard_output(registry: Registry, call: Call) -> None:
    answer = call("report", put_document(registry.store, DRIFT))
    assert answer.code == 0
    assert answer.out.startswith("<!doctype html>")
    assert "churn has no version yet." in answer.out


def test_a_report_goes_to_a_file_in_a_theme(registry: Registry, call: Call, tmp_path: Path) -> None:
    file = tmp_path / "report.html"
    answer = call("report", put_document(registry.store, DRIFT), "-o", str(file), "--theme", "dark")
    assert (answer.code, answer.out) == (0, f"Wrote {file}.\n")
    assert 'data-theme="dark"' in file.read_text(encoding="utf-8")


@pytest.mark.parametrize("place", ["missing/report.html", "."])
def test_a_report_that_cannot_be_written_is_told_without_a_traceback(
    registry: Registry, call: Call, tmp_path: Path, place: str
) -> None:
    answer = call("report", put_document(registry.store, DRIFT), "-o", str(tmp_path / place))
    assert answer.code == 2
    assert "report.html" in answer.err or "directory" in answer.err
    assert "Traceback" not in answer.err


def test_a_report_as_json_is_the_document(registry: Registry, call: Call) -> None:
    assert call("report", put_document(registry.store, DRIFT), "--json").json == {"format": 1, **DRIFT}


def test_a_report_needs_a_digest(registry: Registry, call: Call) -> None:
    answer = call("report", "../../etc/passwd")
    assert answer.code == 2
    assert "64 hexadecimal digits" in answer.err


def test_a_document_without_a_report_says_what_has_one(registry: Registry, call: Call) -> None:
    answer = call("report", put_document(registry.store, {"kind": "dataset"}), "--json")
    assert answer.code == 0
    answer = call("report", put_document(registry.store, {"kind": "dataset"}))
    assert answer.code != 0
    assert "A report needs a document of kind" in answer.err


def test_a_document_that_is_not_there_is_not_found(registry: Registry, call: Call) -> None:
    assert call("report", "0" * 64).code == call("card", "nobody", "1").code != 0


def test_a_card_is_html_or_json(registry: Registry, call: Call) -> None:
    register(registry)
    assert "churn, version 1" in call("card", "churn", "1").out
    record = call("card", "churn", "1", "--json").json
    assert (record["model"], record["version"]) == ("churn", 1)
    assert "It was compared with no model in office." in record["limits"]
