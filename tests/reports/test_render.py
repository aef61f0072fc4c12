"""What reports say: of documents as the steps write them, of those from before, and of what is no document of theirs."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from tests.reports.conftest import Made
from tests.support.markup import Element, Page

from stoker.core import wire
from stoker.engines import metrics
from stoker.errors import NotFound, UnreadableData
from stoker.reports.reading import Read
from stoker.reports.render import REPORTED, report
from stoker.reports.scores import LESS_IS_BETTER
from stoker.store.documents import get_document

Show = Callable[..., Page]


@pytest.fixture
def show(made: Made) -> Show:
    store, digests = made

    def shown(name: str, *, without: tuple[str, ...] = (), read: Read | None = None, **changes: Any) -> Page:
        document = {key: value for key, value in get_document(store, digests[name]).items() if key not in without}
        return Page(
            report({**document, **changes}, digest=digests[name], read=read or (lambda one: get_document(store, one)))
        )

    return shown


def charts(page: Page) -> list[str]:
    return [figure.attributes["data-chart"] for figure in page.find("figure")]


def captions(page: Page) -> str:
    return " ".join(element.text for element in page.find("figcaption"))


def test_every_kind_of_document_with_a_report_is_tried_here(made: Made) -> None:
    store, digests = made
    assert {get_document(store, digest)["kind"] for digest in digests.values()} == REPORTED


def test_an_evaluation_begins_with_its_verdict_in_words(show: Show) -> None:
    page = show("evaluation_binary")
    (title,) = page.find("h1")
    assert "roc_auc" in title.text
    assert "champion v3" in title.text
    (lead,) = page.find("p", **{"class": "lead"})
    assert lead.text == "passed The new model is good enough to go into office."


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (
            "evaluation_binary",
            ["intervals", "lines", "lines", "lines", "histogram", "histogram", "matrix", "matrix", "intervals"],
        ),
        ("evaluation_multiclass", ["intervals", "lines", "matrix", "matrix", "intervals"]),
        ("evaluation_regression", ["intervals", "points", "histogram", "intervals"]),
        ("candidate_binary", ["bars", "intervals", "lines", "bars"]),
        ("performance", ["intervals"]),
        ("evaluation_off", []),
        ("drift_unjudged", []),
        ("performance_unjudged", []),
    ],
)
def test_a_report_has_the_charts_that_its_document_allows(show: Show, name: str, expected: list[str]) -> None:
    assert charts(show(name)) == expected


def test_every_chart_says_what_it_shows_and_has_its_numbers_as_a_table(show: Show, made: Made) -> None:
    for name in made[1]:
        page = show(name)
        count = len(charts(page))
        assert len([one for one in page.find("figcaption") if one.text.endswith(".")]) == count, name
        assert len(list(page.find("table", **{"class": "data"}))) >= count, name
        blocks = [json.loads("".join(one.texts)) for one in page.find("script", type="application/json")]
        assert len(blocks) == count, name


def test_what_colours_say_in_a_chart_stands_in_its_table(show: Show) -> None:
    rows = [row.text for row in show("evaluation_binary").find("tr")]
    for model in ("Challenger", "Champion"):
        assert [row for row in rows if row.startswith(f"carrier is AA {model} 0.")]


def test_the_metrics_table_names_the_better_of_each_row_by_the_direction_of_its_metric(show: Show) -> None:
    better, worse = {"roc_auc": 0.9, "brier": 0.1}, {"roc_auc": 0.8, "brier": 0.2}
    page = show("evaluation_binary", metrics=better, champion_metrics=worse, baselines={})
    assert {one.text for one in page.find("b")} == {"0.9000", "0.1000"}


def test_directions_of_metrics_are_those_of_the_engines() -> None:
    names = {name for task in metrics.TASKS for one in metrics.defaults(task) for name in (one.name, f"neg_{one.name}")}
    names = {name for name in names if any(_known(name, task) for task in metrics.TASKS)} | LESS_IS_BETTER
    for name in names:
        found = next(metrics.find(name, task) for task in metrics.TASKS if _known(name, task))
        assert found.greater_is_better == (name not in LESS_IS_BETTER), name


def _known(name: str, task: str) -> bool:
    try:
        metrics.find(name, task)
    except metrics.UsageError:
        return False
    return True


@pytest.mark.parametrize(("name", "reverse"), [("evaluation_binary", False), ("evaluation_regression", True)])
def test_parts_of_the_data_are_shown_the_worst_first(show: Show, name: str, reverse: bool) -> None:
    page = show(name)
    drawn = [json.loads("".join(block.texts)) for block in page.find("script", type="application/json")][-1]
    values = [row["value"] for row in drawn["rows"] if row["tone"] == "challenger"]
    assert values == sorted(values, reverse=reverse)
    assert f"The challenger is worst where {drawn['rows'][0]['label']}" in captions(page)


def test_an_evaluation_from_before_figures_says_so_and_shows_the_rest(show: Show) -> None:
    page = show("evaluation_binary", without=("figures",))
    assert "stored without figures" in page.text
    assert charts(page) == ["intervals"]
    assert "0.5000" in page.text


def test_figures_that_cannot_be_read_cost_the_report_nothing_else(show: Show) -> None:
    def gone(digest: str) -> dict[str, Any]:
        raise NotFound(f"There must be an object {digest}; it is gone.")

    page = show("evaluation_binary", read=gone)
    assert "stored without figures" in page.text
    assert "Champion v3" in page.text


def test_a_document_that_is_no_figures_is_not_drawn(show: Show, made: Made) -> None:
    page = show("evaluation_binary", figures=made[1]["drift"])
    assert "stored without figures" in page.text


def test_a_dry_run_says_that_nothing_was_done(show: Show) -> None:
    assert "This was a dry run" in show("evaluation_binary", mode="dry_run").text


def test_an_evaluation_that_was_registered_by_hand_may_hold_a_verdict_alone() -> None:
    verdict = {"outcome": "pass", "reasons": ["It is better."], "numbers": {}}
    page = Page(report({"kind": "evaluation", "verdict": verdict}, digest="0" * 64, read=dict))
    assert "It is better." in page.text


def test_a_non_inferiority_margin_is_drawn_and_named(show: Show, made: Made) -> None:
    policy = {
        **get_document(made[0], made[1]["evaluation_binary"])["policy"],
        "comparison": "non_inferiority",
        "margin": 0.02,
    }
    page = show("evaluation_binary", policy=policy)
    assert "worse by less than 0.02" in page.text
    block = json.loads("".join(next(page.find("script", type="application/json")).texts))
    assert [mark["value"] for mark in block["marks"]] == [0.0, -0.02]


def test_a_validation_shows_what_failed_first_and_folds_what_did_not(show: Show) -> None:
    page = show("validation")
    text = page.text
    assert "3 of 4 expectations are not met" in text
    assert text.index("Not met") < text.index("Met: 1 expectation")
    severities = [one.text for one in page.find("span") if one.text in {"critical", "warning", "info"}]
    assert severities == ["critical", "warning", "info", "critical"]
    (fold,) = [one for one in page.find("details") if one.text.startswith("Met:")]
    assert "open" not in fold.attributes


def test_a_validation_shows_examples_but_masks_personal_ones(show: Show) -> None:
    page = show("validation")
    examples = [one.text for one in page.find("p", **{"class": "examples"})]
    assert any("seats: 5" in one for one in examples)
    assert any("carrier: •••" in one and "masked" in one for one in examples)


def test_a_refused_dataset_passed_nothing_on(show: Show) -> None:
    assert "Passed on 0" in show("validation_refused").text


def test_a_validation_from_before_examples_shows_the_rest(show: Show, made: Made) -> None:
    document = get_document(made[0], made[1]["validation"])
    checks = [
        {name: value for name, value in one.items() if name not in {"examples", "rows"}} for one in document["checks"]
    ]
    page = show("validation", without=("personal_columns",), checks=checks)
    assert not list(page.find("p", **{"class": "examples"}))
    assert "3 of 4 expectations are not met" in page.text


def test_a_training_without_search_curve_and_timings_shows_the_rest(show: Show) -> None:
    page = show("candidate_binary", without=("learning_curve", "timings"), search=None)
    assert charts(page) == ["bars"]
    assert "HistGradientBoostingClassifier that predicts late" in page.text


def test_a_learning_curve_with_a_gap_keeps_the_rest(show: Show) -> None:
    curve = {"metric": "roc_auc", "rows": [10, 20], "train": [None, 0.9], "holdout": [None, 0.8]}
    assert "lines" in charts(show("candidate_binary", learning_curve=curve))


def test_drift_shows_the_columns_that_drifted_before_the_others(show: Show) -> None:
    page = show("drift")
    rows = [row.text for row in page.find("tr") if row.text.startswith(("wind", "seats", "weekend"))]
    assert rows[0].startswith("wind")
    assert "wind changed most" in captions(page)
    assert "drifted" in captions(page)


def test_drift_from_before_figures_says_so(show: Show) -> None:
    page = show("drift", without=("figures",))
    assert charts(page) == ["intervals"]
    assert "before Stoker kept distributions" in page.text


def test_distributions_of_personal_columns_are_drawn_without_their_values(show: Show, made: Made) -> None:
    store, digests = made
    figures = get_document(store, get_document(store, digests["drift"])["figures"])
    for one in figures["columns"]:
        one.pop("labels", None)
        one.pop("edges", None)
    page = show(
        "drift",
        read=lambda digest: figures if digest == figures_digest(store, digests) else get_document(store, digest),
    )
    assert "histogram" not in charts(page)
    assert "category 1" in page.text


def figures_digest(store: Any, digests: dict[str, str]) -> str:
    return str(get_document(store, digests["drift"])["figures"])


def test_performance_shows_the_bound_and_the_evaluation(show: Show) -> None:
    page = show("performance")
    block = json.loads("".join(next(page.find("script", type="application/json")).texts))
    assert [row["label"] for row in block["rows"]] == ["Now", "At its evaluation"]
    assert block["marks"] == [{"label": "at least", "value": 0.5}]


def test_performance_beside_a_shadow_names_it(show: Show) -> None:
    shadow = {"version": 4, "value": 0.7, "difference": 0.1, "low": 0.05, "high": 0.15, "worse": False}
    assert "Version 4 scored the same rows" in show("performance", shadow=shadow).text


def test_a_document_of_another_kind_has_no_report(made: Made) -> None:
    with pytest.raises(NotFound, match="A report needs a document of kind"):
        report({"kind": "dataset"}, digest="0" * 64, read=dict)


@pytest.mark.parametrize("kind", sorted(REPORTED))
def test_a_document_that_is_not_as_stoker_writes_it_is_told_of(kind: str) -> None:
    with pytest.raises(UnreadableData, match="must be as Stoker writes it"):
        report({"kind": kind, "verdict": {"outcome": "splendid", "reasons": []}}, digest="0" * 64, read=dict)


def test_reports_of_the_same_document_are_the_same_bytes(made: Made) -> None:
    store, digests = made
    document = get_document(store, digests["evaluation_binary"])
    first, second = (report(document, digest="0" * 64, read=lambda one: get_document(store, one)) for _ in range(2))
    assert wire.sha256(first.encode()) == wire.sha256(second.encode())


def test_a_theme_that_is_none_is_left_to_the_reader(made: Made) -> None:
    store, digests = made
    document = get_document(store, digests["performance"])
    themed = {
        theme: _root(report(document, digest="0" * 64, read=dict, theme=theme))
        for theme in ("dark", None, 'x" onload="y')
    }
    assert themed["dark"].attributes["data-theme"] == "dark"
    assert "data-theme" not in themed[None].attributes
    assert set(themed['x" onload="y'].attributes) == {"lang"}


def _root(html: str) -> Element:
    return next(Page(html).find("html"))


def test_moments_are_drawn_and_written_as_moments(show: Show, made: Made) -> None:
    store, digests = made
    figures = get_document(store, figures_digest(store, digests))
    day = {"type": "timestamp", "edges": [0.0, 86400.0], "reference": [1.0], "current": [1.0]}
    figures["columns"] = [{**figures["columns"][0], **day}]
    page = show(
        "drift",
        read=lambda digest: figures if digest == figures_digest(store, digests) else get_document(store, digest),
    )
    assert "1970-01-01 00:00 to 1970-01-02 00:00" in page.text
    assert any('"times": true' in "".join(block.texts) for block in page.find("script", type="application/json"))
