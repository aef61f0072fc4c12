from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
from tests.support.filled import fill
from tests.support.predictions import label, predict, truth

from stoker.engines import label_join
from stoker.engines.label_join import join_labels
from stoker.errors import CorruptArtifact, SchemaMismatch, UnsuitableData
from stoker.loop.cohorts import cohorts
from stoker.store import layout
from stoker.store.memory import MemoryStore

ROWS = truth("2013-03", 40)


@pytest.fixture
def store():
    return MemoryStore()


def _join(store, labels="outcomes", **given):
    usual = {"label_column": "late", "id_columns": ["id"], "max_threads": 1}
    return join_labels(store, cohorts(store, "late"), labels=labels, **{**usual, **given})


def _labels(joined):
    """What each row was found to be, ``None`` for a row without one answer."""
    return [int(found) if known else None for found, known in zip(joined.label, joined.labelled, strict=True)]


def test_every_prediction_finds_its_label_and_stands_there_once(store):
    predict(store, "2013-03", ROWS.sample(frac=1, random_state=1))
    label(store, "a", ROWS.sample(frac=1, random_state=2))
    joined = _join(store)
    assert _labels(joined) == ROWS["late"].tolist()
    np.testing.assert_array_equal(joined.score, ROWS["score"])


def test_predictions_without_a_label_stay(store):
    predict(store, "2013-03", ROWS)
    label(store, "a", ROWS.iloc[:10])
    assert _labels(_join(store)) == [*ROWS["late"].tolist()[:10], *[None] * 30]


def test_labels_of_nobody_change_nothing(store):
    predict(store, "2013-03", ROWS)
    label(store, "a", ROWS)
    before = _join(store)
    label(store, "b", truth("2013-03", 60).iloc[40:])
    assert _join(store).data_id == before.data_id


def test_no_order_of_arrival_and_no_repetition_changes_anything(store):
    deliveries = [ROWS.iloc[:15], ROWS.iloc[10:30], ROWS.iloc[30:], ROWS.iloc[5:8]]
    found = set()
    for order in list(itertools.permutations(range(4)))[::3]:
        arrived = MemoryStore()
        predict(arrived, "2013-03", ROWS)
        for number, which in enumerate(order):
            label(arrived, f"delivery-{number}", deliveries[which])
        found.add(_join(arrived).data_id)
    once = MemoryStore()
    predict(once, "2013-03", ROWS)
    label(once, "all-at-once", ROWS)
    assert found == {_join(once).data_id}


def test_a_missing_label_is_none(store):
    predict(store, "2013-03", ROWS)
    label(store, "a", ROWS.assign(late=ROWS["late"].astype("Int64").where(ROWS.index >= 5)))
    assert _labels(_join(store))[:6] == [*[None] * 5, int(ROWS["late"][5])]
    label(store, "b", ROWS.iloc[:5])
    assert _labels(_join(store)) == ROWS["late"].tolist()


def test_labels_that_contradict_each_other_are_no_label(store):
    predict(store, "2013-03", ROWS)
    label(store, "a", ROWS)
    label(store, "b", ROWS.iloc[:3].assign(late=1 - ROWS["late"]))
    joined = _join(store)
    assert joined.answers.tolist() == [*[2] * 3, *[1] * 37]
    assert _labels(joined) == [*[None] * 3, *ROWS["late"].tolist()[3:]]


@pytest.mark.parametrize("corrected_first", [True, False])
def test_the_newest_of_contradicting_labels_counts_whichever_came_first(store, corrected_first):
    predict(store, "2013-03", ROWS)
    original = ROWS.assign(known=pd.Timestamp("2013-05-01", tz="UTC"))
    corrected = ROWS.assign(known=pd.Timestamp("2013-06-01", tz="UTC"), late=1 - ROWS["late"])
    for name, rows in zip("ab", (corrected, original) if corrected_first else (original, corrected), strict=True):
        label(store, name, rows, time_column="known")
    assert _labels(_join(store)) == (1 - ROWS["late"]).tolist()


def test_a_label_without_a_time_gives_way_to_one_that_has_one(store):
    predict(store, "2013-03", ROWS)
    label(store, "a", ROWS.assign(late=1 - ROWS["late"]))
    label(store, "b", ROWS.assign(known=pd.Timestamp("2013-05-01", tz="UTC")), time_column="known")
    assert _labels(_join(store)) == ROWS["late"].tolist()


def test_without_any_labels_all_rows_lack_one(store):
    predict(store, "2013-03", ROWS)
    assert _labels(_join(store)) == [None] * 40
    label(store, "a", ROWS.assign(late=pd.Series([None] * 40, dtype="Int64")))
    assert _labels(_join(store)) == [None] * 40


def test_several_columns_may_name_a_row(store):
    legs = pd.concat([ROWS.assign(leg=1), ROWS.assign(leg=2, late=1 - ROWS["late"])])
    predict(store, "2013-03", legs)
    label(store, "a", legs)
    both = [[late, 1 - late] for late in ROWS["late"]]
    assert _labels(_join(store, id_columns=["id", "leg"])) == [label for pair in both for label in pair]


def test_odd_column_names_are_names_and_nothing_else(store):
    odd = "id\"; DROP VIEW predicted; --'"
    rows = ROWS.rename(columns={"id": odd})
    predict(store, "2013-03", rows)
    label(store, "a", rows)
    assert _labels(_join(store, id_columns=[odd])) == ROWS["late"].tolist()


def test_labels_may_be_given_as_documents(store):
    predict(store, "2013-03", ROWS)
    label(store, "a", ROWS.iloc[:1])
    assert sum(_join(store, labels=[label(store, "b", ROWS.iloc[1:3])]).labelled) == 2


def test_an_id_in_two_cohorts_is_refused(store):
    predict(store, "2013-03", ROWS)
    predict(store, "2013-04", ROWS.iloc[:7])
    with pytest.raises(UnsuitableData, match="7 stand there more than once"):
        _join(store)


def test_all_columns_that_do_not_fit_are_named(store):
    predict(store, "2013-03", ROWS)
    label(store, "a", ROWS.assign(id=range(40)))
    label(store, "b", ROWS.drop(columns="id"))
    with pytest.raises(SchemaMismatch) as error:
        _join(store, label_column="lateness")
    assert error.value.details["differences"] == [
        "outcomes a: column 'id' must be string, as in the predictions; it is int64",
        "outcomes b: column 'id' is missing",
        "no partition of the labels has the column 'lateness'",
    ]


def test_a_partition_that_has_no_label_column_yet_is_passed_over(store):
    predict(store, "2013-03", ROWS)
    label(store, "a", ROWS)
    label(store, "b", ROWS.drop(columns="late"))
    assert _labels(_join(store)) == ROWS["late"].tolist()


def test_files_whose_ids_lie_elsewhere_are_not_fetched(store, monkeypatch):
    predict(store, "2013-03", ROWS)
    for month in ("2013-01", "2013-02", "2013-03", "2013-04"):
        label(store, month, truth(month, 40))
    fetched = []
    real = label_join.get_file
    monkeypatch.setattr(label_join, "get_file", lambda *given: fetched.append(given[3]) or real(*given))
    assert all(_join(store).labelled)
    assert fetched == ["The rows of dataset 'late'", "The rows of dataset 'outcomes'"]


def test_labels_without_ids_are_nobodys(store):
    predict(store, "2013-03", ROWS)
    label(store, "a", ROWS.assign(id=None))
    assert _labels(_join(store)) == [None] * 40


def test_long_ids_are_found_although_their_profile_is_cut(store):
    rows = ROWS.assign(id=["x" * 70 + text for text in ROWS["id"]])
    predict(store, "2013-03", rows)
    label(store, "a", rows)
    assert all(_join(store).labelled)


def test_damaged_labels_are_never_read(store):
    predict(store, "2013-03", ROWS)
    broken = layout.blob(label(store, "a", ROWS)["file"]["sha256"])
    damaged = fill(MemoryStore(), store, {broken: b"other"})
    with pytest.raises(CorruptArtifact, match="The rows of dataset 'outcomes'"):
        _join(damaged)
