from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.support.faulty_store import Fault, FaultyStore
from tests.support.filled import fill
from tests.support.models import boosting, boosting_regressor, fit, flights, manifest, put

from stoker.core import wire
from stoker.engines.frames import read_frame, read_table, store_table
from stoker.engines.persistence import load_model
from stoker.engines.scoring import score
from stoker.errors import CorruptArtifact, SchemaMismatch, StoreUnavailable, UnsuitableData, UsageError
from stoker.loop.cohorts import unscored
from stoker.store import layout, partitions
from stoker.store.documents import get_bytes, get_document
from stoker.store.memory import MemoryStore

MARCH = flights(500, month="2013-03", seed=3)


def margins() -> object:
    """A classifier that gives no probabilities."""
    from sklearn.compose import make_column_selector, make_column_transformer
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import RidgeClassifier
    from sklearn.pipeline import make_pipeline

    numbers = make_column_transformer((SimpleImputer(), make_column_selector(dtype_include="number")))
    return make_pipeline(numbers, RidgeClassifier())


@pytest.fixture(scope="module")
def trained():
    """A store with models of January, of which every test takes a copy, and the manifest of each."""
    store = MemoryStore()
    january = put(store, flights(600, seed=1))
    models = {
        "champion": fit(store, january, boosting, max_threads=1),
        "shadow": fit(store, january, margins, features=["wind", "seats"], max_threads=1),
        "grade": fit(store, january, boosting, target="grade", max_threads=1),
        "delay": fit(store, january, boosting_regressor, target="delay", max_threads=1),
    }
    return store, {name: manifest(store, reference) for name, reference in models.items()}


@pytest.fixture
def store(trained):
    return fill(MemoryStore(), trained[0])


@pytest.fixture
def models(trained):
    return trained[1]


def _score(store, version, dataset, **given):
    usual = {
        "model_name": "late", "version": version, "version_number": 1, "dataset_digest": dataset.digest, "id_columns": ["id"],
        "max_threads": 1,
    }  # fmt: skip
    return score(store, **{**usual, **given})


def _rows(store, reference):
    return read_frame(store, get_document(store, reference.digest, "dataset"))


def test_every_row_gets_what_the_model_says_of_it(store, models):
    march = put(store, MARCH, "2013-03")
    reference = _score(store, models["champion"], march, batch_rows=70)
    rows = _rows(store, reference)
    model = load_model(get_bytes(store, models["champion"]["files"]["model.skops"]["sha256"]))
    names = [feature["name"] for feature in models["champion"]["candidate"]["features"]]
    features = read_frame(store, get_document(store, march.digest, "dataset"), names)
    assert list(rows) == ["id", "departure", "prediction", "score", "version"]
    assert rows["id"].tolist() == MARCH["id"].to_pylist()
    np.testing.assert_array_equal(rows["prediction"], model.predict(features))
    np.testing.assert_allclose(rows["score"], model.predict_proba(features)[:, 1])
    assert set(rows["version"]) == {1}


def test_the_partition_of_the_models_predictions_means_the_result(store, models):
    reference = _score(store, models["champion"], put(store, MARCH, "2013-03"))
    assert partitions.partitions(store, "late", "predictions") == [("2013-03", reference.digest)]
    assert (reference.kind, reference.verdict, reference.summary["new"]) == ("predictions", "pass", True)
    assert (reference.summary["partition"], reference.summary["rows"], reference.summary["version"]) == (
        "2013-03",
        500,
        1,
    )
    assert reference.summary["rows_per_second"] > 0


def test_scoring_again_writes_nothing(store, models):
    march = put(store, MARCH, "2013-03")
    first = _score(store, models["champion"], march)
    before = list(store.keys(""))
    again = _score(store, models["champion"], march)
    assert (again.digest, again.summary["new"]) == (first.digest, False)
    assert list(store.keys("")) == before


def test_the_same_inputs_give_the_same_document_in_another_store(trained, models):
    digests = set()
    for _ in range(2):
        copy = fill(MemoryStore(), trained[0])
        digests.add(_score(copy, models["champion"], put(copy, MARCH, "2013-03")).digest)
    assert len(digests) == 1


def test_another_version_replaces_its_partition_and_no_other(store, models):
    march, april = put(store, MARCH, "2013-03"), put(store, flights(300, month="2013-04", seed=4), "2013-04")
    kept = _score(store, models["champion"], march)
    _score(store, models["champion"], april)
    newer = _score(store, models["delay"], april, version_number=2)
    assert partitions.partitions(store, "late", "predictions") == [("2013-03", kept.digest), ("2013-04", newer.digest)]


def test_a_dataset_without_partitions_is_scored_as_a_whole(store, models):
    reference = _score(store, models["champion"], put(store, MARCH, None))
    assert partitions.newest(store, "late", "predictions", None) == reference.digest


def test_several_classes_carry_the_score_of_the_predicted_one(store, models):
    rows = _rows(store, _score(store, models["grade"], put(store, MARCH, "2013-03")))
    assert set(rows["prediction"]) == {"good", "fair", "bad"}
    assert rows["score"].between(1 / 3, 1).all()


def test_a_regression_carries_its_value(store, models):
    rows = _rows(store, _score(store, models["delay"], put(store, MARCH, "2013-03")))
    np.testing.assert_array_equal(rows["score"], rows["prediction"])
    assert rows["score"].nunique() > 100


def test_a_classifier_without_probabilities_carries_its_decision_function(store, models):
    rows = _rows(store, _score(store, models["shadow"], put(store, MARCH, "2013-03")))
    assert rows["score"].min() < 0
    assert ((rows["score"] > 0) == (rows["prediction"] == 1)).all()


def test_a_shadow_scores_the_same_rows_beside(store, models):
    march = put(store, MARCH, "2013-03")
    alone = _rows(store, _score(store, models["champion"], march))
    reference = _score(store, models["champion"], march, shadow=(models["shadow"], 2))
    rows = _rows(store, reference)
    assert list(rows)[5:] == ["shadow_prediction", "shadow_score", "shadow_version"]
    assert set(rows["shadow_version"]) == {2}
    assert not rows["shadow_score"].equals(rows["score"])
    assert rows[list(alone)].equals(alone)
    assert reference.summary["shadow"] == 2


def test_a_shadow_that_fails_is_left_out_and_named(store, models):
    broken = {**models["shadow"], "files": {"model.skops": models["shadow"]["files"]["golden.parquet"]}}
    march = put(store, MARCH, "2013-03")
    reference = _score(store, models["champion"], march, shadow=(broken, 2))
    assert "shadow_score" not in _rows(store, reference)
    assert "The shadow v2 is left out: CorruptArtifact" in reference.summary["reasons"][1]
    assert _score(store, models["champion"], march, shadow=(broken, 2)).digest == reference.digest


def test_a_store_that_fails_while_a_shadow_is_read_is_a_failure_to_retry(store, models):
    class Unreadable(MemoryStore):
        def read(self, key):
            if key == layout.blob(models["shadow"]["files"]["model.skops"]["sha256"]):
                raise StoreUnavailable("The store must answer; it did not. Try again later.")
            return store.read(key)

        read_to_file, keys, exists, stat = store.read_to_file, store.keys, store.exists, store.stat

    march = put(store, MARCH, "2013-03")
    with pytest.raises(StoreUnavailable):
        _score(Unreadable(), models["champion"], march, shadow=(models["shadow"], 2))


def test_ids_must_be_there_and_tell_rows_apart(store, models):
    table = MARCH.set_column(0, "id", pa.array(["a", "a", None, "b", *map(str, range(496))]))
    before = list(store.keys("models/"))
    with pytest.raises(UnsuitableData, match="of 500 rows 1 ids are missing and 1 rows repeat an id") as error:
        _score(store, models["champion"], put(store, table, "2013-03"))
    assert error.value.details == {"missing": 1, "doubled": 1}
    assert list(store.keys("models/")) == before
    assert partitions.partitions(store, "late", "predictions") == []


def test_several_columns_may_name_a_row_together(store, models):
    twice = pa.concat_tables([MARCH, MARCH])
    twice = twice.append_column("leg", pa.array([1] * 500 + [2] * 500))
    rows = _rows(store, _score(store, models["champion"], put(store, twice, "2013-03"), id_columns=["id", "leg"]))
    assert len(rows) == 1000
    assert not rows.duplicated(["id", "leg"]).any()


def test_all_columns_that_do_not_fit_are_named_at_once(store, models):
    wrong = MARCH.drop_columns(["seats", "id"]).set_column(1, "wind", pa.array(["calm"] * 500))
    with pytest.raises(SchemaMismatch) as error:
        _score(store, models["champion"], put(store, wrong, "2013-03"))
    assert error.value.details["differences"] == [
        "column 'id' is missing",
        "column 'seats' is missing",
        "column 'wind' must be float64; it is string",
    ]


@pytest.mark.parametrize(
    "ids", [[], ["id", "id"], ["id", "departure"], ["id", "score"]], ids=["none", "twice", "the time", "our own"]
)
def test_a_column_that_plays_two_parts_is_refused(store, models, ids):
    with pytest.raises(UsageError, match="id_columns must name at least one column"):
        _score(
            store,
            models["champion"],
            put(store, MARCH.append_column("score", MARCH["wind"]), "2013-03"),
            id_columns=ids,
        )


def test_an_empty_feature_is_a_missing_value_of_its_type(store, models):
    empty = MARCH.set_column(2, "wind", pa.nulls(500)).set_column(3, "seats", pa.nulls(500, pa.float64()))
    rows = _rows(store, _score(store, models["champion"], put(store, empty, "2013-03")))
    assert rows["score"].notna().all()


def test_whole_numbers_may_come_as_floats(store, models):
    march = put(store, MARCH, "2013-03")
    as_floats = put(store, MARCH.set_column(3, "seats", MARCH["seats"].cast(pa.float64())), "2013-05")
    first, second = (_rows(store, _score(store, models["champion"], dataset)) for dataset in (march, as_floats))
    np.testing.assert_array_equal(first["score"], second["score"])


def test_a_damaged_model_file_is_never_loaded(store, models):
    damaged = MemoryStore()
    broken = layout.blob(models["champion"]["files"]["model.skops"]["sha256"])
    march = put(store, MARCH, "2013-03")
    for key in store.keys(""):
        damaged.create(key, b"other" if key == broken else store.read(key))
    with pytest.raises(CorruptArtifact, match="The model file of late v1"):
        _score(damaged, models["champion"], march)


def test_predictions_of_another_dataset_are_not_lost(store, models):
    _score(store, models["champion"], put(store, MARCH, "2013-03"))
    digest, _ = store_table(
        store,
        MARCH.slice(0, 100),
        dataset="hops",
        partition="2013-03",
        stage="ok",
        time_column=None,
        source=[],
        parent=None,
    )
    with pytest.raises(UsageError, match="they are of 'flights', and 'hops' would replace them"):
        score(
            store,
            model_name="late",
            version=models["champion"],
            version_number=1,
            dataset_digest=digest,
            id_columns=["id"],
        )


def test_what_is_not_scored_yet_is_found_oldest_first(store, models):
    april, march = put(store, flights(300, month="2013-04", seed=4), "2013-04"), put(store, MARCH, "2013-03")
    january = partitions.newest(store, "flights", "ok", "2013-01")
    assert unscored(store, "late", "flights") == [january, march.digest, april.digest]
    _score(store, models["champion"], march)
    assert unscored(store, "late", "flights") == [january, april.digest]
    corrected = put(store, MARCH.slice(0, 499), "2013-03")
    assert unscored(store, "late", "flights") == [january, corrected.digest, april.digest]
    assert unscored(store, "late", "nothing") == []


def test_dying_at_any_write_leaves_the_partition_whole(store, models):
    march = put(store, MARCH, "2013-03")
    for fault in (Fault.KILL_BEFORE, Fault.KILL_AFTER, Fault.AFTER):
        for write in (1, 2, 3):
            copy = fill(MemoryStore(), store)
            faulty = FaultyStore(copy, {write: fault})
            with pytest.raises(BaseException, match=f"write {write}"):
                _score(faulty, models["champion"], march)
            rows = _rows(copy, _score(copy, models["champion"], march))
            assert sorted(rows["id"]) == sorted(MARCH["id"].to_pylist())
            assert len(partitions.partitions(copy, "late", "predictions")) == 1
            assert all(wire.sha256(copy.read(key)) == key[-64:] for key in copy.keys("blobs/"))


def test_features_are_read_in_batches(store, models, monkeypatch):
    sizes = []
    real = pq.ParquetFile.iter_batches

    def counted(self, *args, **kwargs):
        for batch in real(self, *args, **kwargs):
            sizes.append(batch.num_rows)
            yield batch

    monkeypatch.setattr(pq.ParquetFile, "iter_batches", counted)
    reference = _score(store, models["champion"], put(store, MARCH, "2013-03"), batch_rows=200)
    assert sizes == [200, 200, 100]
    assert read_table(store, get_document(store, reference.digest, "dataset")).num_rows == 500
