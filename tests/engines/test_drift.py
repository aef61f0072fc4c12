"""Windows against the profile of a version: what is found, what is remembered, and how quiet it is."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from benchmarks.drift_alarms import simulate
from tests.support.models import flights, put

from stoker.core.drift import DriftPolicy
from stoker.core.records import Reference
from stoker.engines import drift
from stoker.engines.drift import current_of, monitor_drift, nothing_to_judge
from stoker.engines.drift_report import ReportPolicy
from stoker.engines.drift_windows import Current, Office, pending
from stoker.engines.frames import store_table
from stoker.engines.profiles import profile_reference, store_profile
from stoker.errors import CorruptArtifact, UsageError
from stoker.loop.windows import WindowLog
from stoker.store import layout, partitions
from stoker.store.documents import get_bytes, get_document
from stoker.store.memory import MemoryStore

MODEL = "late"
ROLES = {"wind": "feature", "seats": "feature", "carrier": "feature", "weekend": "feature", "late": "target"}
FEATURES = [name for name, role in ROLES.items() if role == "feature"]
SILENT = ReportPolicy("never")
SCORES = np.random.default_rng(9).random(2000)


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


def in_office(store: MemoryStore, number: int = 1, rows: int = 6000, **candidate: Any) -> Office:
    """A version whose profile is that of January."""
    dataset = put(store, flights(rows, seed=1))
    document = get_document(store, dataset.digest, "dataset")
    profile = profile_reference(store, [document], columns=ROLES, order_by="departure", extra={"prediction": SCORES})
    usual = {
        "profile": store_profile(store, profile),
        "features": [{"name": name} for name in FEATURES],
        "task": "binary",
        "datasets": [dataset.digest],
        "dataset_name": "flights",
        "partition": "2013-01",
        "hashed_columns": flights(1).column_names,
    }
    return Office(MODEL, number, {"candidate": {**usual, **candidate}})


def month(
    store: MemoryStore, window: str = "2013-02", *, rows: int = 1500, shift: float = 0.0, **changes: Any
) -> Current:
    """A month of the world of January; ``changes`` are columns, and ``None`` takes one out."""
    table = flights(rows, month="2013-02", seed=int(window[-2:]))
    changes.setdefault("wind", pa.array(table["wind"].to_numpy() + shift, from_pandas=True))
    for name, column in changes.items():
        if name in table.column_names:
            table = table.drop_columns([name])
        if column is not None:
            table = table.append_column(name, column)
    return Current(window, (put(store, table, window).digest,))


def monitor(store: MemoryStore, office: Office | None, current: Current, **given: Any) -> Reference:
    report = given.pop("report", SILENT)
    return monitor_drift(store, model=MODEL, office=office, current=current, policy=DriftPolicy(**given), report=report)


def found(store: MemoryStore, reference: Reference) -> dict[str, dict[str, Any]]:
    return {one["column"]: one for one in get_document(store, reference.digest, "drift")["columns"]}


def scored(store: MemoryStore, current: Current, *, version: int = 1, shift: float = 0.0) -> Current:
    """The window with predictions of a version about it."""
    rows = get_document(store, current.datasets[0], "dataset")["rows"]
    scores = np.clip(np.random.default_rng(3).random(rows) + shift, 0, 1)
    digest, document = store_table(
        store, pa.table({"score": scores, "prediction": (scores > 0.5).astype(int)}), dataset=MODEL, partition=current.window,
        stage="predictions", time_column=None, source=[{"version": version}], parent=current.datasets[0],
    )  # fmt: skip
    partitions.point(
        store,
        dataset=MODEL,
        stage="predictions",
        partition=current.window,
        snapshot=digest,
        data_id=document["data_id"],
    )
    return replace(current, predictions=digest)


# One window


def test_a_month_like_the_training_month_passes(store: MemoryStore) -> None:
    judged = monitor(store, in_office(store), month(store))
    assert (judged.kind, judged.verdict, judged.summary["alert"], judged.summary["kinds"]) == (
        "drift",
        "pass",
        False,
        [],
    )
    assert judged.summary["reasons"] == ["None of 5 columns drifted in 1500 rows."]
    assert (judged.summary["window"], judged.summary["version"], judged.summary["rows"]) == ("2013-02", 1, 1500)


def test_a_shift_is_named_with_effect_threshold_and_p(store: MemoryStore) -> None:
    judged = monitor(store, in_office(store), month(store, shift=1.0), min_violations=1)
    assert (judged.verdict, judged.summary["alert"], judged.summary["alerted"]) == ("fail", True, ["covariate"])
    assert judged.summary["columns"] == ["wind"]
    wind = found(store, judged)["wind"]
    assert wind["effect"] == pytest.approx(1.0, abs=0.1)
    assert wind["calibrated_threshold"] < 0.3
    assert wind["adjusted_p"] < 1e-20
    assert wind["reason"] in judged.summary["reasons"]


def test_only_the_profile_of_the_reference_is_read(store: MemoryStore) -> None:
    office, current = in_office(store), month(store)
    for digest in office.candidate["datasets"]:
        store.delete_swept(layout.blob(get_document(store, digest, "dataset")["file"]["sha256"]))
    assert monitor(store, office, current).verdict == "pass"


@pytest.mark.parametrize(
    ("changes", "column", "kind", "group"),
    [
        ({"wind": None}, "wind", "vanished", "data_quality"),
        ({"wind": pa.nulls(1500, pa.float64())}, "wind", "empty", "data_quality"),
        ({"carrier": pa.nulls(1500, pa.string())}, "carrier", "empty", "data_quality"),
        ({"seats": pa.array([100, None, None] * 500)}, "seats", "missing", "data_quality"),
        ({"wind": pa.array(["strong"] * 1500)}, "wind", "empty", "data_quality"),
        ({"seats": pa.array([100] * 1500)}, "seats", "constant", "covariate"),
        ({"weekend": pa.array([True] * 1500)}, "weekend", "constant", "covariate"),
        ({"carrier": pa.array(["ZZ", "UA"] * 750)}, "carrier", "drift", "covariate"),
        ({"late": pa.array([1] * 1500)}, "late", "constant", "label"),
    ],
)
def test_every_odd_column_is_a_finding(
    store: MemoryStore, changes: dict[str, Any], column: str, kind: str, group: str
) -> None:
    judged = monitor(store, in_office(store), month(store, **changes), min_violations=1)
    finding = found(store, judged)[column]
    assert (finding["kind"], finding["group"], finding["drifted"]) == (kind, group, True)
    assert (judged.verdict, judged.summary["kinds"], judged.summary["columns"]) == ("fail", [group], [column])


def test_broken_data_fails_at_the_first_window(store: MemoryStore) -> None:
    judged = monitor(store, in_office(store), month(store, wind=None))
    assert (judged.verdict, judged.summary["states"]["data_quality"]) == ("fail", "alert")
    assert judged.summary["reasons"][1] == "wind is missing from the window."


def test_a_new_column_is_told_and_is_no_drift(store: MemoryStore) -> None:
    judged = monitor(store, in_office(store), month(store, humidity=pa.array(np.ones(1500))))
    assert judged.verdict == "pass"
    assert found(store, judged)["humidity"]["kind"] == "new"
    assert not {"id", "departure"} & set(found(store, judged))


def test_rows_without_labels_are_no_broken_data(store: MemoryStore) -> None:
    office = in_office(store)
    for window, late in (("2013-02", None), ("2013-03", pa.nulls(1500, pa.int64()))):
        assert monitor(store, office, month(store, window, late=late)).verdict == "pass"


def test_a_feature_without_importance_raises_no_alarm_where_a_share_is_asked_for(store: MemoryStore) -> None:
    office = in_office(store, importances={"seats": 1.0})
    judged = monitor(store, office, month(store, shift=1.0), min_violations=1, drift_share=0.1)
    assert (judged.verdict, judged.summary["columns"]) == ("pass", ["wind"])


def test_too_few_rows_are_no_verdict_and_count_for_no_alarm(store: MemoryStore) -> None:
    office = in_office(store)
    judged = monitor(store, office, month(store, rows=100, shift=3.0))
    assert (judged.verdict, judged.summary["alert"]) == ("insufficient_data", False)
    assert monitor(store, office, month(store, "2013-03", shift=1.0)).summary["states"]["covariate"] == "violating"


def test_a_time_column_of_numbers_gives_a_window_without_an_end(store: MemoryStore) -> None:
    table = flights(500, month="2013-02", seed=2).append_column("hour", pa.array(range(500)))
    digest = put(store, table, "2013-02", time_column="hour").digest
    judged = monitor(store, in_office(store), Current("2013-02", (digest,)))
    assert get_document(store, judged.digest)["end"] is None


def test_a_window_of_several_datasets_is_judged_as_one(store: MemoryStore) -> None:
    parts = [month(store, "2013-02", rows=150), month(store, "2013-03", rows=150)]
    current = Current("2013-q1", tuple(digest for part in parts for digest in part.datasets))
    assert monitor(store, in_office(store), current).summary["rows"] == 300


def test_without_a_version_or_a_profile_nothing_is_configured(store: MemoryStore) -> None:
    current = month(store)
    judged = monitor(store, None, current)
    assert (judged.verdict, judged.summary["alert"]) == ("not_configured", False)
    old = in_office(store, profile=None)
    assert "no reference profile" in monitor(store, old, current).summary["reasons"][0]
    assert WindowLog(store, MODEL, "drift").windows() == []


def test_a_method_that_does_not_exist_is_refused_before_anything_is_read(store: MemoryStore) -> None:
    with pytest.raises(UsageError, match="must be one of"):
        monitor(store, in_office(store), Current("2013-02", ("0" * 64,)), num_method="kolmogorov")


def test_damaged_data_gives_no_verdict(store: MemoryStore) -> None:
    current = month(store)
    key = layout.blob(get_document(store, current.datasets[0], "dataset")["file"]["sha256"])
    store.delete_swept(key)
    store.create(key, b"other bytes")
    with pytest.raises(CorruptArtifact):
        monitor(store, in_office(store), current)


def test_a_summary_stays_small_with_hundreds_of_drifted_columns(store: MemoryStore) -> None:
    numbers = np.random.default_rng(0).normal(size=(500, 150))
    names = [f"a_rather_long_name_of_a_column_{number:03d}_mit_größe" for number in range(150)]
    office = in_office(store)
    reference = put(store, pa.table(dict(zip(names, numbers.T, strict=True))), "2012-01", time_column=None)
    documents = [get_document(store, reference.digest, "dataset")]
    profile = profile_reference(store, documents, columns=dict.fromkeys(names, "feature"), chunks=1)
    wide = Office(MODEL, 2, {"candidate": {
        **office.candidate, "profile": store_profile(store, profile), "features": [{"name": name} for name in names],
    }})  # fmt: skip
    shifted = put(store, pa.table(dict(zip(names, numbers.T + 2, strict=True))), "2013-02", time_column=None)
    judged = monitor(store, wide, Current("2013-02", (shifted.digest,)), min_violations=1)
    assert judged.verdict == "fail"
    assert len(judged.to_xcom()["summary"]["columns"]) > 10
    assert sum(one["drifted"] for one in found(store, judged).values()) == 150


# Predictions


def test_predictions_of_the_version_in_office_are_judged(store: MemoryStore) -> None:
    office = in_office(store)
    quiet = monitor(store, office, scored(store, month(store)))
    assert (quiet.verdict, found(store, quiet)["prediction"]["role"]) == ("pass", "prediction")
    moved = monitor(store, office, scored(store, month(store, "2013-03"), shift=0.4), min_violations=1)
    assert moved.summary["kinds"] == ["prediction"]


def test_predictions_of_another_version_or_of_other_rows_are_left_out(store: MemoryStore) -> None:
    office, current = in_office(store), month(store)
    foreign = scored(store, current, version=7)
    stray = replace(scored(store, month(store, "2013-03")), window="2013-02", datasets=current.datasets)
    for one in (foreign, stray):
        judged = monitor(store, office, one)
        assert "prediction" not in found(store, judged)
        assert get_document(store, judged.digest)["predictions"] is None


def test_the_classes_of_a_multiclass_model_are_what_is_compared(store: MemoryStore) -> None:
    document = get_document(store, put(store, flights(2000)).digest, "dataset")
    profile = profile_reference(
        store, [document], columns=ROLES, extra={"prediction": np.random.default_rng(0).integers(0, 2, 2000)}
    )
    office = in_office(store, task="multiclass", profile=store_profile(store, profile))
    assert monitor(store, office, scored(store, month(store))).verdict == "pass"


# Alarms over windows


def run_of(store: MemoryStore, office: Office, shifts: list[float], **policy: Any) -> list[str]:
    return [
        monitor(store, office, month(store, f"2013-{number:02d}", shift=shift), **policy).summary["states"]["covariate"]
        for number, shift in enumerate(shifts, start=2)
    ]


def test_a_lasting_drift_is_one_alert(store: MemoryStore) -> None:
    office = in_office(store)
    assert run_of(store, office, [0, 1, 1, 1, 0]) == ["quiet", "violating", "alert", "ongoing", "cleared"]
    assert [one.facts["alert"] for one in WindowLog(store, MODEL, "drift").windows()] == [
        False,
        False,
        True,
        False,
        False,
    ]


def test_the_same_window_twice_gives_the_same_answer_and_writes_nothing(store: MemoryStore) -> None:
    office, policy = in_office(store), {"report": ReportPolicy(sample=200)}
    current = [month(store, f"2013-0{number}", shift=1.0) for number in (2, 3, 4)]
    first = [monitor(store, office, one, **policy) for one in current]
    before = list(store.keys(""))
    assert [monitor(store, office, one, **policy) for one in current] == first
    assert list(store.keys("")) == before
    assert [one.summary["alert"] for one in first] == [False, True, False]


def test_a_window_with_other_data_is_judged_anew(store: MemoryStore) -> None:
    office = in_office(store)
    assert monitor(store, office, month(store, shift=1.0)).summary["kinds"] == ["covariate"]
    assert monitor(store, office, month(store)).summary["kinds"] == []
    assert len(WindowLog(store, MODEL, "drift").windows()) == 1


def test_a_window_that_comes_late_counts_but_is_no_news(store: MemoryStore) -> None:
    office = in_office(store)
    monitor(store, office, month(store, "2013-02", shift=1.0))
    monitor(store, office, month(store, "2013-04"))
    late = monitor(store, office, month(store, "2013-03", shift=1.0))
    assert (late.verdict, late.summary["alert"], late.summary["states"]["covariate"]) == ("fail", False, "alert")
    assert monitor(store, office, month(store, "2013-05", shift=1.0)).summary["alert"] is False


def test_each_version_has_windows_of_its_own(store: MemoryStore) -> None:
    run_of(store, in_office(store, 1), [1, 1])
    second = monitor(store, in_office(store, 2), month(store, "2013-04", shift=1.0))
    assert (second.summary["states"]["covariate"], second.summary["windows_since_promotion"]) == ("violating", 1)


def test_a_lost_document_is_made_again(store: MemoryStore) -> None:
    office, current = in_office(store), month(store)
    first = monitor(store, office, current)
    store.delete_swept(layout.blob(first.digest))
    assert monitor(store, office, current) == first
    assert store.exists(layout.blob(first.digest))


# Which windows


def test_the_windows_of_a_dataset_are_those_after_the_training_that_were_not_judged(store: MemoryStore) -> None:
    office = in_office(store)
    put(store, flights(300, month="2012-12"), "2012-12")
    for number in (2, 3, 4):
        month(store, f"2013-0{number}")
    windows = pending(store, office, "flights")
    assert [one.window for one in windows] == ["2013-02", "2013-03", "2013-04"]
    for one in windows[:2]:
        monitor(store, office, one)
    assert [one.window for one in pending(store, office, "flights")] == ["2013-04"]
    monitor(store, office, windows[2])
    assert [one.window for one in pending(store, office, "flights")] == ["2013-04"]
    month(store, "2013-02", shift=2.0)
    assert [one.window for one in pending(store, office, "flights")] == ["2013-02"]
    assert [one.window for one in pending(store, in_office(store, 2), "flights")] == ["2013-02", "2013-03", "2013-04"]


def test_a_try_that_died_finds_its_windows_again(store: MemoryStore) -> None:
    office = in_office(store)
    current = [month(store, f"2013-0{number}", shift=1.0) for number in (2, 3)]
    for one in current:
        monitor_drift(store, model=MODEL, office=office, current=one, report=SILENT, run="dag/run/task")
    assert [one.window for one in pending(store, office, "flights", run="dag/run/task")] == ["2013-02", "2013-03"]
    assert [one.window for one in pending(store, office, "flights", run="dag/other/task")] == ["2013-03"]


def test_one_window_may_be_asked_for_by_name(store: MemoryStore) -> None:
    office = in_office(store)
    month(store)
    assert [one.window for one in pending(store, office, "flights", window="2013-01")] == ["2013-01"]
    assert pending(store, office, "flights", window="2014-01") == []
    assert [one.window for one in pending(store, None, "flights")] == ["2013-02"]


def test_predictions_that_come_later_make_a_window_new(store: MemoryStore) -> None:
    office, current = in_office(store), month(store)
    monitor(store, office, current)
    scored(store, current)
    (again,) = pending(store, office, "flights")
    assert "prediction" in found(store, monitor(store, office, again))


def test_a_dataset_without_windows_is_no_verdict(store: MemoryStore) -> None:
    office = in_office(store)
    assert pending(store, office, "flights") == []
    assert nothing_to_judge(store, MODEL, office, "flights").verdict == "insufficient_data"
    assert nothing_to_judge(store, MODEL, None, "flights").verdict == "not_configured"


def test_references_of_data_and_of_predictions_mean_their_window(store: MemoryStore) -> None:
    current = scored(store, month(store))
    data, predictions = (
        Reference(kind, "", digest or "", "pass")
        for kind, digest in (("dataset", current.datasets[0]), ("predictions", current.predictions))
    )
    for given in (data, predictions):
        assert current_of(store, MODEL, given, window=None, predictions=None) == current
    assert current_of(store, MODEL, data, window="2013-w05", predictions=predictions) == replace(
        current, window="2013-w05"
    )
    with pytest.raises(UsageError, match="dataset or validation"):
        current_of(store, MODEL, Reference("alias", "", "0" * 64, "pass"), window=None, predictions=None)


# Reports


@pytest.mark.evidently
def test_a_report_comes_with_an_alert(store: MemoryStore) -> None:
    office, policy = in_office(store), {"report": ReportPolicy(sample=200)}
    quiet, loud = (monitor(store, office, month(store, f"2013-0{n}", shift=1.0), **policy) for n in (2, 3))
    assert quiet.summary["report"] is None
    report = get_document(store, loud.digest)["report"]
    assert report["sampled"] == {"reference": 200, "current": 200}
    assert b"<html" in get_bytes(store, loud.summary["report"])


def test_no_verdict_depends_on_a_report(store: MemoryStore) -> None:
    office = in_office(store, datasets=["0" * 64])
    judged = monitor(store, office, month(store, shift=1.0), min_violations=1, report=ReportPolicy())
    assert (judged.verdict, judged.summary["report"]) == ("fail", None)
    assert "failed" in get_document(store, judged.digest)["report"]


# How quiet it is, in small; benchmarks/drift_alarms.py is the whole


@pytest.mark.parametrize("rows", [200, 2000])
def test_false_alarms_are_rare_whatever_the_size_of_a_window(rows: int) -> None:
    shares = simulate(rows, 100)
    assert shares["stoker"] <= 0.05
    assert shares["stoker 2 of 5"] <= 0.05
    assert shares["p < 0.05"] > 0.5


def test_a_shift_of_a_third_of_a_standard_deviation_is_found() -> None:
    shares = simulate(2000, 50, 0.3)
    assert shares["stoker"] >= 0.9
    assert shares["evidently share"] == 0


# Figures


def test_figures_show_every_column_that_was_judged_the_prediction_too(store: MemoryStore) -> None:
    judged = monitor(store, in_office(store), scored(store, month(store, shift=1.0), shift=0.3), min_violations=1)
    document = get_document(store, judged.digest, "drift")
    figures = get_document(store, document["figures"], "figures")
    assert (figures["of"], figures["rows"], figures["reference_rows"]) == ("drift", 1500, 6000)
    drawn = {one["column"]: one for one in figures["columns"]}
    assert drawn.keys() == {*ROLES, "prediction"}
    assert next(iter(drawn)) in judged.summary["columns"]
    assert drawn["prediction"]["role"] == "prediction"
    assert drawn["wind"]["current"][-1] > drawn["wind"]["reference"][-1]


def test_a_drift_without_figures_has_the_same_verdict(store: MemoryStore, monkeypatch: pytest.MonkeyPatch) -> None:
    office, window = in_office(store), month(store)
    plain = get_document(store, monitor(store, office, window).digest)
    other = MemoryStore()
    monkeypatch.setattr(drift, "draw_columns", lambda *_, **__: 1 / 0)
    failed = get_document(other, monitor(other, in_office(other), month(other)).digest)
    assert failed == {**plain, "figures": None}


@pytest.mark.evidently
def test_a_personal_column_is_judged_and_not_shown(store: MemoryStore) -> None:
    office = in_office(store, personal_columns=["carrier"])
    judged = monitor(store, office, month(store), report=ReportPolicy("always"))
    document = get_document(store, judged.digest, "drift")
    assert "carrier" in {one["column"] for one in document["columns"]}
    drawn = {one["column"]: one for one in get_document(store, document["figures"])["columns"]}
    assert ("labels" in drawn["carrier"], "labels" in drawn["weekend"]) == (False, True)
    assert b"carrier" not in get_bytes(store, document["report"]["sha256"])
