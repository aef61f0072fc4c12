"""The training task: good rows in, a candidate out."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from stoker.core.clock import system_clock
from stoker.loop.broker import Broker
from stoker.loop.policy_file import load_policy
from stoker.store.documents import get_document
from tests.operators.conftest import Lived, Loop, refused, twice
from tests.support.registrations import ACTOR


def test_a_candidate_names_its_data_and_its_validation(old: Loop, lived: Lived) -> None:
    candidate = get_document(old.store, lived.january["model"]["digest"], "candidate")
    assert candidate["datasets"] == [lived.january["good"]["summary"]["ok"]]
    assert candidate["validations"] == [lived.january["good"]["digest"]]
    assert len(json.dumps(lived.january["model"])) < 8192


def test_a_retry_gives_the_same_candidate_without_another_fit(old: Loop, lived: Lived) -> None:
    reference = twice(old, lambda: old.train(lived.january["good"], random_state=1))
    assert reference["summary"]["cached"] is True


def test_history_trains_on_more_and_holds_out_the_newest_alone(old: Loop, lived: Lived) -> None:
    summary = old.train(lived.february["good"], history="all")["summary"]
    assert (summary["rows_train"], summary["rows_holdout"]) == (1200 + 960, 240)


def test_numbers_may_come_from_templates_as_text(old: Loop, lived: Lived) -> None:
    reference = old.train(lived.january["good"], test_size="0.2", random_state="0", cv="5")
    assert reference["digest"] == lived.january["model"]["digest"]


def test_an_estimator_takes_parameters(old: Loop, lived: Lived) -> None:
    reference = old.train(lived.january["good"], estimator_params={"min_samples_leaf": 9})
    params = get_document(old.store, reference["digest"], "candidate")["params"]
    assert params["randomforestclassifier__min_samples_leaf"] == 9


def test_types_that_only_the_installation_trusts_are_refused_by_default(
    old: Loop, lived: Lived, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = {"estimator": "tests.operators.conftest.OwnTree", "features": ["seats"]}
    with refused(old, "ModelError: .*tests.operators.conftest.OwnTree"):
        old.train(lived.january["good"], **own)
    monkeypatch.setenv("AIRFLOW__STOKER__TRUSTED_TYPES", "tests.operators.conftest.OwnTree")
    assert old.train(lived.january["good"], **own)["verdict"] == "pass"


def test_a_dataset_by_its_name_is_its_newest_validated_partition(old: Loop, lived: Lived) -> None:
    candidate = get_document(old.store, old.train("flights")["digest"], "candidate")
    assert candidate["partition"] == "2013-02"
    assert candidate["validations"] == [lived.february["good"]["digest"]]
    with refused(old, "UnsuitableData: .*'nowhere' must have a partition that may be used"):
        old.train("nowhere")


def test_a_learning_curve_is_drawn_on_demand(old: Loop, lived: Lived) -> None:
    reference = old.train(lived.january["good"], learning_curve=True, cache="off")
    curve = get_document(old.store, reference["digest"], "candidate")["learning_curve"]
    assert curve["rows"][-1] == reference["summary"]["rows_train"]
    assert get_document(old.store, lived.january["model"]["digest"], "candidate")["learning_curve"] is None


def _slow_tree() -> Any:
    from sklearn.tree import DecisionTreeClassifier

    time.sleep(1)
    return DecisionTreeClassifier(max_depth=2)


def test_a_training_that_takes_longer_than_its_lease_keeps_it(old: Loop, lived: Lived, tmp_path: Path) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text("cadence: {lease: 1s}\n")
    broker = Broker(old.store, "late", policy=load_policy(policy).cadence)
    broker.put(source="hand", reason="Please.", dedupe_key="once more", actor=ACTOR)
    assert broker.claim("loop/manual__1", actor=ACTOR).granted
    own = {"estimator": _slow_tree, "features": ["seats"]}
    old.train(lived.january["good"], renew_lease_of="late", policy=str(policy), **own)
    state = broker.state()
    assert state.lease is not None
    assert state.lease.until > system_clock()
