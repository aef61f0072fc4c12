from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from tests.support.predictions import predict, truth

from stoker.errors import UnsuitableData
from stoker.loop.cohorts import cohort_of, cohorts
from stoker.store.memory import MemoryStore

DAY = timedelta(days=1)
END = datetime(2013, 3, 1, 0, 9, tzinfo=UTC)
TRAINED = {"datasets": [], "partition": "2013-01", "dataset_name": "flights"}


@pytest.fixture
def store():
    store = MemoryStore()
    for version, month in enumerate(("2013-02", "2013-03"), 1):
        predict(store, month, truth(month, 10), version=version)
    return store


def test_cohorts_come_in_the_order_of_their_partitions_with_their_versions(store):
    predict(store, "2012-12", truth("2012-12", 10))
    found = [(cohort.partition, cohort.version) for cohort in cohorts(store, "late")]
    assert found == [("2012-12", 1), ("2013-02", 1), ("2013-03", 2)]
    assert [cohort.partition for cohort in cohorts(store, "late", until="2013-02")] == ["2012-12", "2013-02"]
    assert cohorts(store, "other") == []


def test_one_cohort_is_the_last_unless_it_is_named(store):
    assert cohort_of(store, "late").partition == "2013-03"
    assert cohort_of(store, "late", "2013-02").version == 1
    assert cohort_of(store, "late", "2013-04") is None
    assert cohort_of(store, "other") is None


def test_a_cohort_has_matured_when_the_delay_after_its_last_row_is_over(store):
    cohort = cohort_of(store, "late")
    assert cohort.matured(END + DAY, DAY)
    assert not cohort.matured(END + DAY - timedelta(microseconds=1), DAY)


def test_without_times_only_a_delay_of_nothing_can_be_over():
    store = MemoryStore()
    predict(store, "2013-03", truth("2013-03", 10), time=False)
    cohort = cohort_of(store, "late")
    assert cohort.matured(END, timedelta(0))
    with pytest.raises(UnsuitableData, match="those of partition '2013-03' have none"):
        cohort.matured(END, DAY)


@pytest.mark.parametrize(
    ("changes", "trained"),
    [
        ({}, False),
        ({"partition": "2013-03"}, True),
        ({"partition": "2013-04"}, True),
        ({"partition": "2013-04", "dataset_name": "other"}, False),
        ({"partition": None}, False),
        ({"partition": None, "datasets": [None]}, True),
    ],
)
def test_what_a_model_learned_from_is_no_test_of_it(store, changes, trained):
    assert cohort_of(store, "late").trained({**TRAINED, **changes}) == trained
