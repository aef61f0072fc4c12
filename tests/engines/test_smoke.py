from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegression
from tests.support.models import fit, flights, put

from stoker.core.verdicts import Outcome
from stoker.engines import smoke
from stoker.engines.frames import read_frame
from stoker.engines.golden import golden_rows
from stoker.engines.persistence import dump_model
from stoker.engines.prediction import predict
from stoker.engines.smoke import smoke_test
from stoker.store import layout
from stoker.store.documents import get_document, put_bytes
from stoker.store.memory import MemoryStore

FEATURES = ["seats"]


class Odd(ClassifierMixin, BaseEstimator):
    """Predicts as it should until it is told to misbehave."""

    def __init__(self, way: str = ""):
        self.way = way

    def fit(self, rows, labels):
        self.classes_ = np.unique(labels)
        return self

    def predict(self, rows):
        if self.way == "nan":
            return np.full(len(rows), np.nan)
        if self.way == "crash":
            os.abort()
        if self.way == "kill":
            os.kill(os.getpid(), 9)
        if self.way == "hang":
            while True:
                pass
        if self.way == "memory":
            np.ones(2**40)
        if self.way == "talk":
            print("{}")
        if self.way == "fail":
            raise ValueError("no")
        return np.full(len(rows), self.classes_[0])


@pytest.fixture(scope="module")
def store():
    return MemoryStore()


@pytest.fixture(scope="module")
def candidate(store):
    reference = fit(store, put(store, flights(300)), LogisticRegression, features=FEATURES)
    return get_document(store, reference.digest)


def _with_file(store, candidate, name, data):
    stored = put_bytes(store, data)
    return {**candidate, "files": {**candidate["files"], name: {"sha256": stored.sha256, "size": stored.size}}}


def _odd(store, candidate, way):
    """The candidate with an odd model in place of its own; golden rows made while it was still well-behaved."""
    table = pd.DataFrame({"seats": [1, 2]})
    good = Odd().fit(table, [0, 1])
    golden = golden_rows(pa.table({"seats": [1, 2]}), predict(good, table, task="binary", classes=[0, 1]), 0)
    name = f"{Odd.__module__}.Odd"
    data = dump_model(good.set_params(way=way), trusted=[name])
    changed = _with_file(store, _with_file(store, candidate, "golden.parquet", golden), "model.skops", data)
    return changed, [name]


def _code(verdict) -> str:
    assert (verdict.outcome is Outcome.PASS) is (verdict.numbers["smoke"] == "pass")
    return verdict.numbers["smoke"]


def test_a_good_model_passes_and_its_latency_is_measured(store, candidate):
    verdict = smoke_test(store, candidate)
    assert _code(verdict) == "pass"
    assert verdict.numbers["p95_seconds"] > 0
    assert verdict.numbers["max_deviation"] <= smoke.PARITY
    assert len(verdict.reasons) == 1


def test_other_versions_are_told_when_the_predictions_agree(store, candidate):
    packages = {**candidate["environment"]["packages"], "sklearn": "0.1"}
    verdict = smoke_test(store, {**candidate, "environment": {**candidate["environment"], "packages": packages}})
    assert verdict.passed
    assert "Trained with sklearn 0.1" in verdict.reasons[1]


def test_changed_bytes_are_refused_before_any_process_is_started(store, candidate, monkeypatch):
    monkeypatch.setattr(smoke, "_ask", lambda *_: pytest.fail("a process was started"))
    other = MemoryStore()
    for key in store.keys("blobs/"):
        data = store.read(key)
        other._objects[key] = (
            data[:-1] + b"?" if key == layout.blob(candidate["files"]["model.skops"]["sha256"]) else data
        )
    assert _code(smoke_test(other, candidate)) == "corrupt"


def test_a_lost_file_is_told(candidate):
    assert _code(smoke_test(MemoryStore(), candidate)) == "corrupt"


def test_a_file_that_is_no_model_is_corrupt(store, candidate):
    assert _code(smoke_test(store, _with_file(store, candidate, "model.skops", b"PK nonsense"))) == "corrupt"


def test_types_that_nobody_trusts_are_refused_and_the_policy_can_trust_them(store, candidate):
    changed, names = _odd(store, candidate, "")
    verdict = smoke_test(store, changed)
    assert _code(verdict) == "untrusted"
    assert names[0] in verdict.reasons[0]
    assert _code(smoke_test(store, changed, trusted=names)) == "pass"


@pytest.mark.parametrize(
    ("way", "code"),
    [
        ("nan", "nan_output"),
        ("crash", "crash"),
        ("kill", "memory"),
        ("memory", "memory"),
        ("fail", "prediction"),
        ("talk", "pass"),
    ],
)
def test_each_way_to_fail_has_its_own_reason(store, candidate, way, code):
    changed, names = _odd(store, candidate, way)
    verdict = smoke_test(store, changed, trusted=names)
    assert _code(verdict) == code, verdict.reasons


@pytest.mark.parametrize("limit", ["wall", "cpu"])
def test_a_model_that_hangs_is_stopped(store, candidate, limit, monkeypatch):
    changed, names = _odd(store, candidate, "hang")
    if limit == "cpu":
        run = smoke.subprocess.run
        monkeypatch.setattr(smoke.subprocess, "run", lambda *a, **k: run(*a, **{**k, "timeout": 60}))
    verdict = smoke_test(store, changed, trusted=names, timeout_seconds=2)
    assert _code(verdict) == "timeout"
    assert ("CPU" in verdict.reasons[0]) is (limit == "cpu")


def test_too_little_memory_is_told_as_such(store, candidate):
    assert _code(smoke_test(store, candidate, memory_bytes=64 * 1024**2)) in {"memory", "crash"}


def test_other_predictions_than_at_training_time_break_parity(store, candidate):
    frame = read_frame(store, get_document(store, candidate["holdout"]), [*FEATURES, "late"])
    other = LogisticRegression(C=1e-9).fit(frame[FEATURES], 1 - frame["late"])
    assert _code(smoke_test(store, _with_file(store, candidate, "model.skops", dump_model(other)))) == "parity"


def test_a_missing_column_is_named(store, candidate):
    verdict = smoke_test(store, {**candidate, "features": [*candidate["features"], {"name": "wind"}]})
    assert _code(verdict) == "missing_column"
    assert "wind" in verdict.reasons[0]


def test_a_slow_model_is_told_with_its_latency(store, candidate):
    verdict = smoke_test(store, candidate, max_latency_seconds=0.0)
    assert _code(verdict) == "slow"
    assert verdict.numbers["p95_seconds"] > 0


def test_the_clean_process_sees_no_credentials_and_the_same_modules(monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    found = smoke._child_environment()
    assert "secret" not in json.dumps(found)
    assert found["PYTHONPATH"].split(os.pathsep)[-1] == str(Path(sys.path[-1]).absolute())
