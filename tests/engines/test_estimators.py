from __future__ import annotations

import functools

import numpy as np
import pytest
from sklearn.cluster import KMeans
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from tests.support import models

from stoker.core import wire
from stoker.engines.estimators import build_estimator, find_source, json_safe, resolved_params
from stoker.errors import ModelError, UsageError


def _build(function, seed: int = 7, **params):
    return build_estimator(find_source(function), params, seed)


def test_a_dotted_path_and_its_function_are_the_same_source():
    named, given = find_source("tests.support.models.boosting"), find_source(models.boosting)
    assert named == given
    assert named.name == "tests.support.models.boosting"
    assert named.file is not None


def test_another_text_is_another_source():
    assert find_source(models.boosting).sha256 != find_source(models.forest).sha256


@pytest.mark.parametrize(
    ("path", "match"),
    [
        ("boosting", "dotted path"),
        ("no_such_module.build", "importable"),
        ("tests.support.models.bosting", "Near: boosting"),
        ("tests.support.models.OUTCOMES", "function"),
    ],
)
def test_a_path_that_leads_nowhere_is_refused(path, match):
    with pytest.raises(UsageError, match=match):
        find_source(path)


def test_an_estimator_in_place_of_a_function_is_refused():
    with pytest.raises(UsageError, match="function that returns it"):
        find_source(LogisticRegression())


def test_every_open_seed_is_set_nested_ones_too():
    estimator = _build(lambda: make_pipeline(FunctionTransformer(), RandomForestClassifier()))
    assert estimator.get_params()["randomforestclassifier__random_state"] == 7


def test_a_seed_that_was_set_stays():
    assert _build(lambda: RandomForestClassifier(random_state=3)).random_state == 3
    assert _build(models.forest, random_state=5).get_params()["randomforestclassifier__random_state"] == 5
    assert _build(models.forest).get_params()["randomforestclassifier__random_state"] == 7


def test_a_class_of_scikit_learn_and_a_partial_can_be_given():
    assert _build(LogisticRegression, C=2.0).C == 2.0
    assert _build(functools.partial(LogisticRegression, C=3.0)).C == 3.0


def test_parameters_that_the_function_does_not_take_are_refused():
    with pytest.raises(UsageError, match="max_itre"):
        _build(models.boosting, max_itre=3)


@pytest.mark.parametrize(
    ("function", "match"),
    [
        (lambda: LogisticRegression, "class LogisticRegression"),
        (lambda: LogisticRegression().fit([[0], [1]], [0, 1]), "fitted one"),
        (lambda: make_pipeline(GaussianNB()).fit([[0], [1]], [0, 1]), "fitted one"),
        (lambda: None, "fit and predict"),
        (lambda: "model", "fit and predict"),
        (lambda: FunctionTransformer(), "fit and predict"),
        (lambda: 1 / 0, "ZeroDivisionError"),
    ],
)
def test_what_is_no_unfitted_estimator_is_refused(function, match):
    with pytest.raises(ModelError, match=match):
        _build(function)


def test_any_unfitted_estimator_of_scikit_learn_is_taken():
    assert isinstance(_build(KMeans), KMeans)


def test_resolved_parameters_are_json_and_the_same_for_equal_estimators():
    first, second = (
        resolved_params(make_pipeline(FunctionTransformer(np.log1p), RandomForestClassifier(5))) for _ in range(2)
    )
    assert wire.canonical(first) == wire.canonical(second)
    assert first["randomforestclassifier__n_estimators"] == 5
    assert "0x" not in str(first)
    assert first != resolved_params(make_pipeline(FunctionTransformer(np.log1p), RandomForestClassifier(6)))


def test_odd_parameters_become_json():
    found = json_safe({"a": float("nan"), "b": np.arange(2), "c": np.float64(1.5), "d": np.mean, "e": (1, {2})})
    assert found == {"a": "nan", "b": [0, 1], "c": 1.5, "d": "numpy.mean", "e": [1, "{2}"]}
