from __future__ import annotations

import io
import json
import os
import pickle
import zipfile

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import make_classification
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import (
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    StackingClassifier,
    VotingClassifier,
)
from sklearn.feature_selection import SelectKBest
from sklearn.impute import KNNImputer, SimpleImputer
from sklearn.linear_model import LogisticRegression, RidgeClassifier, SGDClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, QuantileTransformer, SplineTransformer, StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

from stoker.engines import persistence
from stoker.engines.persistence import dump_model, load_model
from stoker.errors import CorruptArtifact, ModelError, UntrustedArtifact

ROWS, LABELS = make_classification(200, 6, random_state=0)

ESTIMATORS = [
    CalibratedClassifierCV(RidgeClassifier()),
    DecisionTreeClassifier(),
    DummyClassifier(),
    GaussianNB(),
    GradientBoostingClassifier(n_estimators=3),
    HistGradientBoostingClassifier(max_iter=5, categorical_features=[0], max_bins=5),
    KNeighborsClassifier(),
    MLPClassifier(max_iter=300),
    RandomForestClassifier(5),
    SGDClassifier(loss="log_loss"),
    SVC(),
    StackingClassifier([("a", GaussianNB()), ("b", DecisionTreeClassifier())]),
    VotingClassifier([("a", GaussianNB()), ("b", LogisticRegression())]),
    make_pipeline(SimpleImputer(), StandardScaler(), SelectKBest(k=3), LogisticRegression()),
    make_pipeline(KNNImputer(), QuantileTransformer(n_quantiles=20), SplineTransformer(), LogisticRegression()),
    make_pipeline(FunctionTransformer(np.nan_to_num), LogisticRegression()),
]


class OwnClassifier(ClassifierMixin, BaseEstimator):
    """Somebody's own model."""

    def fit(self, rows, labels):
        self.classes_ = np.unique(labels)
        return self

    def predict(self, rows):
        return np.full(len(rows), self.classes_[0])


def _rewritten(data: bytes, change) -> bytes:
    """The same archive with another schema."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(buffer, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            new.writestr(name, change(content) if name == "schema.json" else content)
    return buffer.getvalue()


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("estimator", ESTIMATORS, ids=lambda estimator: type(estimator).__name__)
def test_common_estimators_come_back_with_the_same_predictions(estimator):
    fitted = estimator.fit(np.round(np.abs(ROWS)), LABELS)
    loaded = load_model(dump_model(fitted))
    np.testing.assert_array_equal(loaded.predict(np.round(np.abs(ROWS))), fitted.predict(np.round(np.abs(ROWS))))


def test_every_trusted_name_is_spelled_out():
    assert all(name.count(".") >= 1 and "*" not in name for name in persistence.TRUSTED_TYPES)
    assert not {"os.system", "builtins.eval", "builtins.getattr"} & persistence.TRUSTED_TYPES


def test_an_estimator_with_a_lambda_is_refused_with_advice():
    estimator = make_pipeline(FunctionTransformer(lambda rows: rows), LogisticRegression()).fit(ROWS, LABELS)
    with pytest.raises(ModelError, match="without lambdas"):
        dump_model(estimator)


def test_an_estimator_of_a_local_class_is_refused():
    class Hidden(OwnClassifier):
        pass

    with pytest.raises(ModelError, match="Hidden"):
        dump_model(Hidden().fit(ROWS, LABELS))


def test_a_class_of_ones_own_needs_the_policy_of_the_reader():
    estimator = OwnClassifier().fit(ROWS, LABELS)
    name = f"{OwnClassifier.__module__}.OwnClassifier"
    with pytest.raises(ModelError, match="trusted list"):
        dump_model(estimator)
    data = dump_model(estimator, trusted=[name])
    assert isinstance(load_model(data, trusted=[name]), OwnClassifier)
    with pytest.raises(UntrustedArtifact) as caught:
        load_model(data)
    assert caught.value.details["types"] == [name]


def test_a_type_put_in_by_an_attacker_is_refused_and_never_run(tmp_path):
    def attack(schema: bytes) -> bytes:
        state = json.loads(schema)
        state.update({"__module__": "os", "__class__": "system", "trusted": ["os.system"]})
        return json.dumps(state).encode()

    data = _rewritten(dump_model(LogisticRegression().fit(ROWS, LABELS)), attack)
    with pytest.raises(UntrustedArtifact, match=r"os\.system"):
        load_model(data)


def test_a_pickle_is_never_opened(tmp_path):
    marker = tmp_path / "marker"

    class Bomb:
        def __reduce__(self):
            return os.mkdir, (str(marker),)

    with pytest.raises(CorruptArtifact):
        load_model(pickle.dumps(Bomb()))
    assert not marker.exists()


@pytest.mark.parametrize("cut", [0, 10, 1000, -1, -200])
def test_a_cut_file_is_corrupt(cut):
    data = dump_model(LogisticRegression().fit(ROWS, LABELS))
    with pytest.raises(CorruptArtifact):
        load_model(data[:cut])


@pytest.mark.parametrize(
    "schema", [b"", b"[]", b"{}", b'{"protocol": 99}', b'{"protocol": 2}', b"[" * 100_000], ids=range(6)
)
def test_a_senseless_schema_is_corrupt(schema):
    data = _rewritten(dump_model(GaussianNB().fit(ROWS, LABELS)), lambda _: schema)
    with pytest.raises(CorruptArtifact):
        load_model(data)


def test_a_zip_bomb_is_refused_before_it_is_unpacked():
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("schema.json", b" " * (20 * 1024**2))
    with pytest.raises(CorruptArtifact, match="when unpacked"):
        load_model(buffer.getvalue())


@pytest.mark.parametrize(
    ("limit", "what"), [("MAX_MEMBERS", "files"), ("MAX_SCHEMA_BYTES", "schema"), ("MAX_UNPACKED_BYTES", "unpacked")]
)
def test_each_limit_holds(monkeypatch, limit, what):
    data = dump_model(LogisticRegression().fit(ROWS, LABELS))
    monkeypatch.setattr(persistence, limit, 1)
    with pytest.raises(CorruptArtifact, match=what):
        load_model(data)
