"""Values of a personal column: nowhere but in the rows."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pytest
from tests.support.models import boosting, fit, flights, manifest, put

from stoker.core.drift import DriftPolicy
from stoker.core.policies import GatePolicy
from stoker.core.records import Reference
from stoker.core.verdicts import Outcome, Verdict
from stoker.engines import evaluation
from stoker.engines.drift import monitor_drift
from stoker.engines.drift_report import ReportPolicy
from stoker.engines.drift_windows import Current, Office
from stoker.engines.evaluation import evaluate
from stoker.engines.training_rows import newest_of
from stoker.engines.validation import validate
from stoker.errors import ConfigurationError
from stoker.store.documents import get_document
from stoker.store.memory import MemoryStore

CANARY = "kestrel"
SURNAMES = ["aaa", CANARY, "zzz"]
"""The ends of a column stand in the document of its dataset, so the canary is neither."""


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


def people(month: str = "2013-01", seed: int = 1, rows: int = 1500) -> pa.Table:
    """Flights with a surname that tells a lot about the label."""
    table = flights(rows, month=month, seed=seed)
    late = table["late"].to_numpy()
    generator = np.random.default_rng(seed)
    names = np.array(SURNAMES)[np.where(generator.random(rows) < 0.5, late * 2, 1)]
    return table.append_column("surname", pa.array(names))


def about(kind: str, severity: str = "warning", **kwargs: object) -> dict[str, object]:
    return {"type": f"expect_{kind}", "kwargs": kwargs, "severity": severity}


CHECKS = [
    about("column_values_to_be_in_set", column="surname", value_set=["aaa", f"{CANARY}s"]),
    about("column_values_to_match_regex", column="surname", regex=f"^{CANARY}s"),
    about("column_distinct_values_to_equal_set", column="surname", value_set=[CANARY]),
    about("column_most_common_value_to_be_in_set", column="surname", value_set=["aaa"]),
    about("column_values_to_be_between", column="surname", min_value=1),
    about("column_mean_to_be_between", column="surname", min_value=1),
    about("column_pair_values_to_be_equal", column_A="carrier", column_B="surname"),
    about("compound_columns_to_be_unique", column_list=["surname", "carrier"]),
    about("column_values_to_be_null", column="wind", row_condition=f'surname == "{CANARY}"', condition_parser="pandas"),
]


def validated(store: MemoryStore, table: pa.Table, month: str) -> Reference:
    return validate(
        store, put(store, table, month), expectations=CHECKS, personal_columns=["surname"], on_failure="warn"
    )


def told(store: MemoryStore) -> Iterator[str]:
    """Every stored byte that is no table and no model."""
    for key in store.keys(""):
        data = store.read(key)
        if data[:1] in b"{<":
            yield data.decode()


def test_no_check_tells_a_personal_value(store, caplog):
    caplog.set_level(logging.INFO)
    reference = validated(store, people(), "2013-01")
    document = get_document(store, reference.digest, "validation")
    assert [one["success"] for one in document["checks"]] == [False] * len(CHECKS)
    assert document["personal_columns"] == ["surname"]
    assert CANARY not in "".join(told(store)) + str(reference) + caplog.text


def test_a_check_of_the_names_of_columns_shows_them(store):
    names = about("table_columns_to_match_set", column_set=["surname", "gate"])
    reference = validate(store, put(store, people()), expectations=[names], personal_columns=["surname"])
    sentence = get_document(store, reference.digest)["checks"][0]["sentence"]
    assert "column_set=['surname', 'gate']" in sentence
    assert "carrier" in sentence


def test_without_the_argument_the_same_checks_tell_them(store):
    reference = validate(store, put(store, people()), expectations=CHECKS, on_failure="warn")
    document = get_document(store, reference.digest, "validation")
    assert (document["personal_columns"], CANARY in str(document)) == ([], True)


@pytest.mark.evidently
def test_no_figure_reason_or_report_of_what_follows_tells_one(store, caplog, monkeypatch):
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(evaluation, "smoke_test", lambda *_, **__: Verdict(Outcome.PASS, ("It loads.",), {}))
    data = validated(store, people(), "2013-01")
    model = fit(store, data, boosting, learning_curve=True)
    candidate = get_document(store, model.digest, "candidate")
    assert candidate["personal_columns"] == ["surname"]
    assert max(candidate["importances"], key=candidate["importances"].get) == "surname"
    judged = evaluate(store, model=model, policy=GatePolicy(n_boot=100, min_rows=50))
    figures = get_document(store, get_document(store, judged.digest)["figures"], "figures")
    assert {one["column"] for one in figures["slices"]} == {"wind", "carrier", "seats"} - {"surname"}
    window = validated(store, people("2013-02", 2).set_column(9, "surname", pa.array([CANARY] * 1500)), "2013-02")
    current = Current("2013-02", (get_document(store, window.digest)["ok"],))
    drift = monitor_drift(
        store,
        model="late",
        office=Office("late", 1, manifest(store, model)),
        current=current,
        policy=DriftPolicy(min_violations=1),
        report=ReportPolicy("always"),
    )
    assert "surname" in drift.summary["columns"]
    assert get_document(store, drift.digest)["report"]["left_out"] == []
    # The second month has the canary at both ends of its column.
    others = [text for text in told(store) if '"kind":"dataset"' not in text]
    assert CANARY not in "".join(others) + caplog.text


def test_a_slice_by_a_personal_column_is_refused(store, monkeypatch):
    monkeypatch.setattr(evaluation, "smoke_test", lambda *_, **__: Verdict(Outcome.PASS, ("It loads.",), {}))
    model = fit(store, validated(store, people(), "2013-01"), boosting)
    with pytest.raises(ConfigurationError, match="personal columns; got surname"):
        evaluate(store, model=model, policy=GatePolicy(), slices=["carrier", "surname"])


def test_a_stored_model_of_before_is_not_taken_once_a_column_is_personal(store):
    open_to_all = validate(store, put(store, people()), expectations=CHECKS, on_failure="warn")
    before = fit(store, open_to_all, boosting)
    now = fit(store, validated(store, people(), "2013-01"), boosting)
    assert not now.summary["cached"]
    assert now.summary["fingerprint"] != before.summary["fingerprint"]


def test_a_partition_that_is_validated_again_is_trained_on_by_what_is_personal_now(store):
    data = put(store, people())
    validate(store, data, expectations=CHECKS, on_failure="warn")
    now = validate(store, data, expectations=CHECKS, on_failure="warn", personal_columns=["surname"])
    assert newest_of(store, "flights").digest == now.digest


@pytest.mark.parametrize(("wrong", "said"), [(["surnam"], "near: surname"), ("surname", "must be a list of names")])
def test_a_name_written_wrong_is_refused_before_anything_is_shown(store, wrong, said):
    data = put(store, people())
    with pytest.raises(ConfigurationError, match=said):
        validate(store, data, expectations=CHECKS, personal_columns=wrong)
