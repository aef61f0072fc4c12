"""Evidently's report: samples, what is left out, and failures that fail nothing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from tests.support.models import flights, put

from stoker.core.drift import DriftPolicy
from stoker.engines import drift_report
from stoker.engines.drift_report import ReportPolicy, write_report
from stoker.engines.frames import store_table
from stoker.errors import ConfigurationError
from stoker.store.documents import get_bytes
from stoker.store.memory import MemoryStore

COLUMNS = ["wind", "seats", "carrier", "weekend", "departure", "gone", "empty"]


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


def report(
    store: MemoryStore, reference: list[str], current: list[str], drift: DriftPolicy | None = None, **given: Any
) -> dict[str, Any]:
    return write_report(
        store, reference=reference, current=current, columns=COLUMNS, drift=drift or DriftPolicy(), policy=ReportPolicy(**given),
    )  # fmt: skip


def test_a_report_is_a_page_of_samples_that_says_what_it_left_out(store: MemoryStore) -> None:
    table = flights(500).append_column("empty", pa.array([None] * 500, pa.string()))
    old, more = put(store, table, "2013-01").digest, put(store, table.slice(100), "2013-02").digest
    new = put(store, flights(150, month="2013-03", seed=2), "2013-03").digest
    made = report(store, [old, more], [new], sample=400, seed=7)
    assert (made["seed"], made["sampled"]) == (7, {"reference": 400, "current": 150})
    assert made["left_out"] == ["departure", "gone", "empty"]
    html = get_bytes(store, made["sha256"]).decode()
    assert made["size"] == len(html.encode())
    assert "<html" in html
    assert all(name in html for name in ("wind", "seats", "carrier", "weekend"))


def test_methods_and_thresholds_of_columns_that_are_not_shown_or_not_known_to_evidently_do_no_harm(
    store: MemoryStore,
) -> None:
    digest = put(store, flights(200)).digest
    drift = DriftPolicy(
        cat_method="l_infinity",
        per_column_method={"gone": "psi", "wind": "ks", "carrier": "l_infinity"},
        per_column_threshold={"gone": 0.3, "wind": 0.2},
    )
    assert "sha256" in report(store, [digest], [digest], drift)


def test_the_same_seed_draws_the_same_rows(store: MemoryStore) -> None:
    digest, _ = store_table(
        store,
        pa.table({"x": np.arange(5000)}),
        dataset="numbers",
        partition=None,
        stage="ok",
        time_column=None,
        source=[],
        parent=None,
    )
    first, again, other = (
        set(drift_report._sample(store, [digest], ["x"], ReportPolicy(sample=100, seed=seed))["x"])
        for seed in (1, 1, 2)
    )
    assert len(first) == 100
    assert first == again
    assert first != other


def test_a_report_that_cannot_be_made_fails_nothing(store: MemoryStore, monkeypatch: pytest.MonkeyPatch) -> None:
    digest = put(store, flights(100)).digest
    assert "0000" in report(store, ["0" * 64], [digest])["failed"]

    def broken(*_: Any) -> bytes:
        raise ZeroDivisionError("no rows")

    monkeypatch.setattr(drift_report, "_render", broken)
    assert report(store, [digest], [digest]) == {"failed": "ZeroDivisionError: no rows"}


@pytest.mark.parametrize("wrong", [{"when": "sometimes"}, {"sample": 10}, {"sample": 10**7}])
def test_a_report_policy_is_checked(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="must"):
        ReportPolicy(**wrong)


@pytest.mark.parametrize(
    ("when", "alert", "wanted"),
    [("always", False, True), ("on_alert", True, True), ("on_alert", False, False), ("never", True, False)],
)
def test_when_a_report_is_wanted(when: str, alert: bool, wanted: bool) -> None:
    assert ReportPolicy(when).wants(alert=alert) is wanted
