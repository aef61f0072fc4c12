from __future__ import annotations

import io
import logging
from datetime import timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from tests.support.models import boosting, boosting_regressor, fit, flights, forest, put

from stoker.core.records import Reference
from stoker.core.verdicts import Outcome, Verdict
from stoker.engines.divergences import divergence
from stoker.engines.frames import read_frame, read_table, row_hashes
from stoker.engines.persistence import load_model
from stoker.engines.profiles import load_profile, profile_window
from stoker.errors import DataValidationFailed, ModelError, SchemaMismatch, StokerError, UnsuitableData, UsageError
from stoker.store.documents import get_bytes, get_document, put_document
from stoker.store.memory import MemoryStore


@pytest.fixture
def store():
    return MemoryStore()


def _document(store, reference):
    return get_document(store, reference.digest, "candidate")


def _predictions(store, reference):
    document = _document(store, reference)
    model = load_model(get_bytes(store, document["files"]["model.skops"]["sha256"]))
    frame = read_frame(store, get_document(store, document["holdout"]), [one["name"] for one in document["features"]])
    return model.predict_proba(frame)[:, 1]


def test_a_candidate_names_everything_that_it_is_made_of(store):
    dataset = put(store, flights())
    document = _document(store, fit(store, dataset, boosting, estimator_params={"max_iter": 7}))
    assert document["datasets"] == [dataset.digest]
    assert document["task"] == "binary"
    assert document["classes"] == [0, 1]
    assert [one["name"] for one in document["features"]] == ["carrier", "seats", "weekend", "wind"]
    assert document["estimator"]["source"] == "tests.support.models.boosting"
    assert document["params"]["histgradientboostingclassifier__max_iter"] == 7
    assert document["params"]["histgradientboostingclassifier__random_state"] == 0
    assert document["rows"] == {"train": 480, "holdout": 120}
    assert set(document["files"]) == {
        "model.skops", "training_rows.npy", "golden.parquet", "baseline_dummy.skops", "baseline_linear.skops",
    }  # fmt: skip
    assert document["split"]["kind"] == "time"
    assert document["code"] is None or len(document["code"]["commit"]) == 40


def test_the_reference_is_small_and_points_at_the_document(store):
    reference = fit(store, put(store, flights()), boosting)
    assert reference.to_xcom()["summary"]["cached"] is False
    assert reference.uri.startswith("memory://")
    assert get_document(store, reference.digest)["kind"] == "candidate"


@pytest.mark.parametrize("target", ["late", "delay", "grade"])
def test_the_profile_is_of_the_training_rows_and_of_predictions_about_the_others(store, target):
    estimator = boosting_regressor if target == "delay" else boosting
    document = _document(store, fit(store, put(store, flights()), estimator, target))
    profile = load_profile(store, document["profile"])
    roles = {name: column.role for name, column in profile.columns.items()}
    assert roles == {
        **dict.fromkeys(["carrier", "seats", "weekend", "wind"], "feature"),
        target: "target",
        "prediction": "prediction",
    }
    assert profile.rows == document["rows"]["train"]
    assert profile.columns["prediction"].rows == document["rows"]["holdout"]
    assert profile.columns["prediction"].numeric == (target != "grade")
    assert profile.columns[target].numeric == (target == "delay")


def test_the_profile_has_the_history_in_it_in_the_order_of_time(store):
    for number in (1, 2):
        reference = put(store, flights(month=f"2013-0{number}", seed=number), f"2013-0{number}")
    document = _document(store, fit(store, reference, boosting, history="all", split="random"))
    profile = load_profile(store, document["profile"])
    assert profile.rows == document["rows"]["train"] == 600 + 480
    assert profile.chunk_rows == (54,) * 20
    wind = read_table(store, get_document(store, document["datasets"][0]))["wind"]
    first = wind.slice(0, 54)  # January lies in the order of time
    column = profile.columns["wind"]
    assert column.counts[0].sum() == 54 - first.null_count


def test_a_window_of_the_same_rows_has_the_profile_of_the_training(store):
    dataset = put(store, flights())
    document = _document(store, fit(store, dataset, boosting))
    reference = load_profile(store, document["profile"])
    window = profile_window(store, [get_document(store, dataset.digest)], reference=reference)
    for name in ("carrier", "seats", "weekend", "wind", "late"):
        assert divergence("jensenshannon", reference.columns[name], window.columns[name]) < 0.15
        assert window.columns[name].rows == 600
    assert window.columns["late"].other == 0


def test_a_feature_named_prediction_keeps_its_profile(store, caplog):
    table = flights().rename_columns([{"wind": "prediction"}.get(name, name) for name in flights().column_names])
    document = _document(store, fit(store, put(store, table), boosting))
    profile = load_profile(store, document["profile"])
    assert profile.columns["prediction"].role == "feature"
    assert "no profile of the predictions" in caplog.text


def test_importances_are_shares_of_the_features(store):
    shares = _document(store, fit(store, put(store, flights()), boosting))["importances"]
    assert set(shares) == {"carrier", "seats", "weekend", "wind"}
    assert sum(shares.values()) == pytest.approx(1, abs=1e-5)
    assert max(shares, key=shares.get) == "wind"


def test_training_rows_are_older_than_the_holdout_and_none_is_in_both(store):
    dataset = put(store, flights().take(np.random.default_rng(0).permutation(600)))
    document = _document(store, fit(store, dataset, boosting))
    holdout = read_table(store, get_document(store, document["holdout"], "dataset"))
    whole = read_table(store, get_document(store, dataset.digest))
    trained = np.load(io.BytesIO(get_bytes(store, document["files"]["training_rows.npy"]["sha256"])))
    assert np.all(np.diff(trained.astype(object)) > 0)
    assert not np.isin(row_hashes(holdout), trained).any()
    assert np.isin(row_hashes(whole), trained).sum() == 480
    older = whole.filter(pa.array(np.isin(row_hashes(whole), trained)))
    assert pc.max(older["departure"]).as_py() < pc.min(holdout["departure"]).as_py()


@pytest.mark.parametrize(
    ("target", "estimator", "task", "classes"),
    [
        ("late", boosting, "binary", [0, 1]),
        ("weekend", boosting, "binary", [False, True]),
        ("grade", boosting, "multiclass", ["bad", "fair", "good"]),
        ("delay", boosting_regressor, "regression", []),
    ],
)
def test_the_task_follows_from_estimator_and_target(store, target, estimator, task, classes):
    document = _document(store, fit(store, put(store, flights()), estimator, target))
    assert (document["task"], document["classes"]) == (task, classes)


@pytest.mark.parametrize("split", ["time", "stratified", "random"])
def test_every_split_holds_out_the_share_asked_for(store, split):
    document = _document(store, fit(store, put(store, flights()), boosting, split=split, test_size=0.3))
    assert document["rows"] == {"train": 420, "holdout": 180}
    assert document["split"]["kind"] == split


def test_history_is_added_to_training_and_the_holdout_is_of_this_partition(store):
    for number in (1, 2, 3):
        reference = put(store, flights(month=f"2013-0{number}", seed=number), f"2013-0{number}")
    put(store, flights(month="2013-04", seed=4), "2013-04")
    for history, trained in ((None, 480), (0, 480), (1, 1080), (2, 1680), ("all", 1680), (9, 1680)):
        document = _document(store, fit(store, reference, boosting, history=history, cache="off"))
        assert document["rows"] == {"train": trained, "holdout": 120}
        assert len(document["datasets"]) == 1 + (trained - 480) // 600
        assert get_document(store, document["holdout"])["partition"] == "2013-03"


def test_history_that_is_not_older_than_the_holdout_is_left_out(store, caplog):
    put(store, flights(month="2014-01", seed=3), "2013-01")
    document = _document(store, fit(store, put(store, flights(month="2013-02"), "2013-02"), boosting, history="all"))
    assert document["rows"]["train"] == 480
    assert "Left out 600 rows" in caplog.text


def test_history_with_gaps_in_whole_numbers_is_taken(store):
    first = flights()
    gaps = pa.array([None, *first["seats"].to_pylist()[1:]], pa.int64())
    put(store, first.set_column(first.column_names.index("seats"), "seats", gaps), "2013-01")
    document = _document(store, fit(store, put(store, flights(month="2013-02"), "2013-02"), boosting, history=1))
    assert document["rows"]["train"] == 1080


def test_history_of_another_schema_is_refused_with_all_differences(store):
    put(store, flights().drop_columns(["wind"]).set_column(2, "seats", pa.array(["x"] * 600)), "2013-01")
    reference = put(store, flights(month="2013-02"), "2013-02")
    with pytest.raises(SchemaMismatch, match=r"seats is string, not int64.*wind is missing"):
        fit(store, reference, boosting, history=1)


@pytest.mark.parametrize("history", ["some", -1, True, 1.5])
def test_a_senseless_history_is_refused(store, history):
    with pytest.raises(UsageError, match="history"):
        fit(store, put(store, flights()), boosting, history=history)


def test_history_needs_partitions(store):
    with pytest.raises(UsageError, match="has none"):
        fit(store, put(store, flights(), None), boosting, history=1)


def test_the_same_inputs_train_nothing_and_give_the_same_candidate(store, caplog):
    caplog.set_level(logging.INFO)
    dataset = put(store, flights())
    first, again = (fit(store, dataset, boosting) for _ in range(2))
    assert again.digest == first.digest
    assert again.summary["cached"] is True
    assert caplog.text.count("Fitted") == 1


@pytest.mark.parametrize(
    "change",
    [
        {"random_state": 1},
        {"test_size": 0.3},
        {"split": "random"},
        {"estimator_params": {"max_iter": 5}},
        {"features": ["wind"]},
        {"scoring": "log_loss"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_another_input_is_another_fingerprint(store, change):
    dataset = put(store, flights())
    assert (
        fit(store, dataset, boosting).summary["fingerprint"]
        != fit(store, dataset, boosting, **change).summary["fingerprint"]
    )


def test_other_rows_are_another_fingerprint_and_other_names_of_them_are_not(store):
    first = fit(store, put(store, flights()), boosting).summary["fingerprint"]
    assert fit(store, put(store, flights(seed=1)), boosting).summary["fingerprint"] != first
    assert fit(store, put(store, flights(), "2013-02"), boosting).summary["fingerprint"] == first


def test_refresh_trains_again_and_counts_and_off_leaves_no_trace(store):
    dataset = put(store, flights())
    fit(store, dataset, boosting, cache="off")
    assert list(store.keys("training/")) == []
    fit(store, dataset, boosting)
    assert fit(store, dataset, boosting, cache="refresh").summary["cached"] is False
    assert [key[-6:] for key in store.keys("training/")] == ["1.json", "2.json"]
    assert fit(store, dataset, boosting).summary["cached"] is True


def test_a_candidate_that_lost_a_file_is_trained_again(store):
    dataset = put(store, flights())
    document = _document(store, fit(store, dataset, boosting))
    digest = document["files"]["model.skops"]["sha256"]
    store.delete_swept(f"blobs/{digest[:2]}/{digest}")
    assert fit(store, dataset, boosting).summary["cached"] is False
    assert fit(store, dataset, boosting).summary["cached"] is True


@pytest.mark.parametrize("estimator", [boosting, forest])
def test_the_same_seed_gives_the_same_predictions(store, estimator):
    dataset = put(store, flights())
    first, again, other = (
        _predictions(store, fit(store, dataset, estimator, cache="off", random_state=seed)) for seed in (3, 3, 4)
    )
    np.testing.assert_array_equal(first, again)
    if estimator is forest:
        assert not np.array_equal(first, other)


def test_the_order_of_columns_does_not_matter(store):
    table = flights()
    one, two = MemoryStore("one"), MemoryStore("two")
    first = _predictions(one, fit(one, put(one, table), boosting))
    second = _predictions(two, fit(two, put(two, table.select(table.column_names[::-1])), boosting))
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("search", ["grid", "random", "halving"])
def test_a_search_leaves_its_trials_in_the_candidate(store, search, caplog):
    caplog.set_level(logging.INFO)
    grid = {"histgradientboostingclassifier__max_leaf_nodes": [2, 4, 8]}
    reference = fit(
        store, put(store, flights()), boosting, search=search, param_grid=grid, cv=2, search_iterations=2,
        estimator_params={"max_iter": 5},
    )  # fmt: skip
    found = _document(store, reference)["search"]
    assert found["kind"] == search
    assert len(found["trials"]) >= 2
    assert "Trial 1" in caplog.text


def test_a_validation_leads_to_the_rows_that_it_let_through(store):
    dataset = put(store, flights())
    verdict = Verdict(Outcome.PASS, ("Fine.",)).to_record()
    digest = put_document(store, {"kind": "validation", "ok": dataset.digest, "verdict": verdict})
    document = _document(store, fit(store, Reference("validation", "", digest, "pass"), boosting))
    assert document["datasets"] == [dataset.digest]
    assert document["validations"] == [digest]


def test_rows_that_failed_validation_are_not_trained_on(store):
    verdict = Verdict(Outcome.FAIL, ("temp is 300 degrees.",)).to_record()
    digest = put_document(store, {"kind": "validation", "ok": None, "verdict": verdict})
    with pytest.raises(DataValidationFailed, match="300 degrees"):
        fit(store, Reference("validation", "", digest, "fail"), boosting)


def test_another_kind_of_reference_is_refused(store):
    with pytest.raises(UsageError, match="kind 'candidate'"):
        fit(store, fit(store, put(store, flights()), boosting), boosting)


class NeverSure(ClassifierMixin, BaseEstimator):
    """Predicts NaN."""

    def fit(self, rows, labels):
        self.classes_ = np.unique(labels)
        return self

    def predict(self, rows):
        return np.full(len(rows), np.nan)


def _lambda():
    return make_pipeline(FunctionTransformer(lambda rows: rows[["seats"]]), LogisticRegression())


def _with(table: pa.Table, name: str, values) -> pa.Table:
    return table.set_column(table.column_names.index(name), name, pa.array(values))


ONE_CLASS = _with(flights(), "late", [1] * 600)
LATE_CLASS = _with(flights(), "late", [0, 1] * 240 + [2] * 120)
EMPTY = _with(flights(), "wind", pa.nulls(600, pa.float64()))
GAPS = _with(flights(), "late", [None, *[0, 1] * 299, 1])
INFINITE = _with(flights(), "delay", [np.inf, *np.arange(599.0)])


@pytest.mark.parametrize(
    ("table", "estimator", "options", "error", "match"),
    [
        (flights(), boosting, {"target": "lat"}, UnsuitableData, "near: late"),
        (flights(), boosting, {"features": ["wind", "wnid"]}, UnsuitableData, "'wnid'.*wind"),
        (flights(), boosting, {"features": ["wind", "late"]}, UsageError, "target must not be"),
        (flights(), boosting, {"features": []}, UsageError, "at least one"),
        (flights(), boosting, {"features": ["wind", "wind"]}, UsageError, "once"),
        (flights(), boosting, {"id_columns": ["flight"]}, UnsuitableData, "'flight'"),
        (flights(), boosting, {"time_column": "seats"}, UnsuitableData, "timestamps"),
        (flights(), boosting, {"time_column": "when"}, UnsuitableData, "'when'"),
        (flights(), boosting, {"target": "delay"}, UnsuitableData, "Use a regressor"),
        (flights(), LinearRegression, {"target": "grade"}, UnsuitableData, "Use a classifier"),
        (ONE_CLASS, boosting, {}, UnsuitableData, "two classes"),
        (LATE_CLASS, boosting, {}, UnsuitableData, "Every class"),
        (EMPTY, boosting, {}, UnsuitableData, "wind has none"),
        (GAPS, boosting, {}, UnsuitableData, "1 of 600"),
        (INFINITE, boosting_regressor, {"target": "delay"}, UnsuitableData, "infinity"),
        (flights(12), boosting, {}, UnsuitableData, "at least 20"),
        (flights(), boosting, {"scoring": "roc_acu"}, UsageError, "roc_auc"),
        (flights(), boosting, {"split": "daily"}, UsageError, "split must"),
        (flights(), boosting, {"test_size": 1.0}, UsageError, "test_size"),
        (flights(), boosting, {"random_state": None}, UsageError, "whole number"),
        (flights(), boosting, {"random_state": True}, UsageError, "whole number"),
        (flights(), boosting, {"cache": "on"}, UsageError, "cache"),
        (flights(), boosting, {"max_threads": 0}, UsageError, "max_threads"),
        (flights(), boosting, {"search": "grid"}, UsageError, "param_grid"),
        (flights(), boosting, {"estimator_params": {"depth": 1}}, UsageError, "depth"),
        (flights(), LogisticRegression, {}, ModelError, "could not convert string"),
        (flights(), NeverSure, {"features": ["seats"]}, ModelError, "120 of 120 are NaN"),
        (flights(), _lambda, {}, ModelError, "lambda"),
        (flights(), lambda: LogisticRegression, {}, ModelError, "class LogisticRegression"),
    ],
)
def test_bad_input_is_refused_before_anything_is_written(store, table, estimator, options, error, match):
    dataset = put(store, table)
    before = list(store.keys(""))
    with pytest.raises(error, match=match) as caught:
        fit(store, dataset, estimator, **options)
    assert isinstance(caught.value, StokerError)
    assert not caught.value.retryable
    assert list(store.keys("")) == before


def test_the_number_of_threads_changes_nothing(store):
    dataset = put(store, flights())
    one, two = (_predictions(store, fit(store, dataset, boosting, cache="off", max_threads=n)) for n in (1, 2))
    np.testing.assert_allclose(one, two, atol=1e-9)


def test_a_timestamp_is_no_feature_by_accident(store):
    frame = flights().to_pandas()
    table = pa.Table.from_pandas(frame.assign(arrival=frame["departure"] + timedelta(hours=1)), preserve_index=False)
    with pytest.raises(ModelError, match="arrival"):
        fit(store, put(store, table), boosting)


def test_a_class_that_only_history_has_is_a_class(store):
    put(store, flights(), "2013-01")
    table = flights(month="2013-02", seed=1)
    grades = pa.array(["good" if grade == "fair" else grade for grade in table["grade"].to_pylist()])
    february = put(store, table.set_column(table.column_names.index("grade"), "grade", grades), "2013-02")
    document = _document(store, fit(store, february, boosting, "grade", history=1))
    assert document["task"] == "multiclass"
    assert document["classes"] == ["bad", "fair", "good"]


def test_a_candidate_says_how_long_its_parts_took(store):
    timings = _document(store, fit(store, put(store, flights()), boosting))["timings"]
    assert timings.keys() == {"load", "fit", "baselines", "profile", "importances", "store"}
    assert all(seconds >= 0 for seconds in timings.values())


def test_a_learning_curve_ends_at_the_model_itself(store):
    reference = fit(store, put(store, flights()), boosting, learning_curve=True)
    document = _document(store, reference)
    frame = read_frame(store, get_document(store, document["holdout"]))
    curve = document["learning_curve"]
    assert (curve["metric"], curve["rows"]) == ("roc_auc", [48, 120, 240, 480])
    assert curve["holdout"][-1] == pytest.approx(roc_auc_score(frame["late"], _predictions(store, reference)), abs=1e-5)
    assert "learning_curve" in document["timings"]


@pytest.mark.parametrize("target", ["delay", "grade"])
def test_a_learning_curve_of_each_task_is_whole(store, target):
    estimator = boosting_regressor if target == "delay" else boosting
    document = _document(
        store, fit(store, put(store, flights()), estimator, target, learning_curve=True, split="random")
    )
    curve = document["learning_curve"]
    assert curve["metric"] == document["scoring"]
    assert None not in curve["train"] + curve["holdout"]


def test_a_stored_candidate_is_taken_without_the_curve_that_is_asked_for_now(store):
    dataset = put(store, flights())
    plain = fit(store, dataset, boosting)
    assert _document(store, plain)["learning_curve"] is None
    again = fit(store, dataset, boosting, learning_curve=True)
    assert (again.digest, again.summary["cached"]) == (plain.digest, True)
    anew = fit(store, dataset, boosting, learning_curve=True, cache="refresh")
    assert _document(store, anew)["learning_curve"]["rows"][-1] == 480
