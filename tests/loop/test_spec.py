"""The description of a loop: plain, frozen, and the same everywhere."""

from __future__ import annotations

import json
from dataclasses import FrozenInstanceError, replace
from datetime import timedelta

import pytest

from stoker.errors import ConfigurationError, InvalidName
from stoker.loop.spec import LoopSpec


def some_estimator():
    """Never called here."""


SPEC = LoopSpec(
    name="churn",
    estimator=some_estimator,
    target="left",
    source="s3://bucket/landing/",
    partition=r"churn-(\d{4}-\d{2})\.csv",
    id_columns=["customer"],
    expectations="include/churn.json",
)


def test_a_spec_is_json_and_names_its_function_by_its_path():
    record = json.loads(json.dumps(SPEC.to_record()))
    assert record["estimator"].endswith("test_spec.some_estimator")
    assert record["dataset"] == "churn"


def test_equal_specs_have_equal_digests_and_others_have_others():
    assert replace(SPEC).digest == SPEC.digest
    assert replace(SPEC, target="stayed").digest != SPEC.digest
    assert replace(SPEC, estimator=some_estimator.__module__ + ".some_estimator").digest == SPEC.digest


def test_a_spec_does_not_change():
    with pytest.raises(FrozenInstanceError):
        SPEC.name = "other"


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ({"granularity": "coarse"}, "granularity must be one of steps, fused"),
        ({"granularity": "fused", "approval": True}, "granularity must be 'steps'"),
        ({"approval_hours": 0}, "approval_hours must be above 0"),
        ({"approval_hours": 1e12}, "at most 8784"),
        ({"approval_hours": float("nan")}, "approval_hours must be above 0"),
        ({"parallel": 0}, "parallel must be a whole number between 1 and 50"),
        ({"parallel": 2.5}, "parallel must be a whole number between 1 and 50"),
        ({"partition": "(unclosed"}, "must be a regular expression"),
        ({"partition": r"churn-\d+"}, "must have one group"),
        ({"partition": r"(\d+)-(\d+)"}, "has 2"),
        ({"id_columns": []}, "at least one column"),
        ({"training": {"test_size": timedelta(1)}}, "training must be plain values"),
        ({"default_args": {"retry_delay": timedelta(1)}}, "default_args must be plain values"),
    ],
)
def test_what_makes_no_sense_is_refused_when_the_spec_is_made(given, complaint):
    with pytest.raises(ConfigurationError, match=complaint):
        replace(SPEC, **given)


@pytest.mark.parametrize("given", [{"name": "Churn!"}, {"dataset": "../x"}, {"shadow": "latest"}])
def test_names_follow_the_rules_of_names(given):
    with pytest.raises(InvalidName):
        replace(SPEC, **given)
