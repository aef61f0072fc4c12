"""The decision about one window, and alarms over many."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stoker.core.drift import (
    Alarm,
    ColumnFinding,
    ColumnStatistics,
    Correction,
    DriftPolicy,
    Kind,
    Observation,
    State,
    adjust,
    calibrated_threshold,
    follow,
    judge_columns,
    judge_window,
    observe,
)
from stoker.core.verdicts import Outcome
from stoker.errors import ConfigurationError

START = datetime(2026, 1, 1, tzinfo=UTC)
POLICY = DriftPolicy()


def column(name: str = "wind", **given: Any) -> ColumnStatistics:
    usual: dict[str, Any] = {
        "method": "wasserstein", "effect": 0.02, "default_threshold": 0.1, "p_value": 0.6, "missing_p": math.nan, "weight": 0.5,
    }  # fmt: skip
    return ColumnStatistics(name, **{**usual, **given})


def judged(*columns: ColumnStatistics, **policy: Any) -> tuple[ColumnFinding, ...]:
    return judge_columns(columns, DriftPolicy(**policy))


def one(**given: Any) -> ColumnFinding:
    return judged(column(**given))[0]


# One window


def test_a_large_and_significant_effect_is_a_drift() -> None:
    finding = one(effect=0.3, p_value=1e-9)
    assert (finding.kind, finding.group, finding.drifted) == ("drift", Kind.COVARIATE, True)
    assert finding.describe() == "wind drifted: wasserstein 0.3 against the threshold 0.1 (p 1e-09)."


def test_a_tiny_effect_is_no_drift_however_significant_it_is() -> None:
    assert not one(effect=0.01, p_value=1e-300).drifted


def test_a_large_effect_is_no_drift_while_chance_may_have_made_it() -> None:
    assert not one(effect=0.5, p_value=0.2).drifted


def test_what_reaches_the_threshold_and_alpha_exactly_counts() -> None:
    assert one(effect=0.1, p_value=0.05).drifted


def test_a_p_value_that_passes_alone_does_not_pass_among_many_tests() -> None:
    many = [column(f"c{number}") for number in range(49)]
    lucky = column("lucky", effect=0.3, p_value=0.01)
    assert not judged(*many, lucky)[-1].drifted
    assert judged(*many, lucky, correction="none")[-1].drifted


def test_missing_value_tests_are_corrected_together_with_the_others() -> None:
    quiet = [column(f"c{number}", p_value=1.0, missing_p=1.0) for number in range(9)]
    shifted = column("x", effect=0.3, p_value=0.003)
    assert judged(*quiet, shifted)[-1].adjusted_p == pytest.approx(0.003 * 19)


def test_a_column_threshold_wins_over_the_policy_and_that_over_the_method() -> None:
    statistics = (column("a", effect=0.25, p_value=0.0), column("b", effect=0.25, p_value=0.0))
    assert [each.drifted for each in judged(*statistics, threshold=0.3)] == [False, False]
    assert [each.drifted for each in judged(*statistics, threshold=0.3, per_column_threshold={"b": 0.2})] == [
        False,
        True,
    ]


def test_a_reference_that_varies_over_time_raises_its_threshold() -> None:
    unrest = tuple(0.1 + 0.02 * (number % 5) for number in range(20))
    finding = one(effect=0.2, p_value=0.0, calibration=unrest)
    assert finding.calibrated_threshold == pytest.approx(0.14 + 3 * 0.02902, abs=1e-4)
    assert not finding.drifted
    assert "calibrated threshold" in finding.describe()
    assert judged(column(effect=0.2, p_value=0.0, calibration=unrest), calibrate=False)[0].drifted


def test_a_calm_reference_does_not_lower_the_threshold() -> None:
    assert not one(effect=0.05, p_value=0.0, calibration=(0.001,) * 20).drifted


def test_few_or_undefined_chunks_calibrate_nothing() -> None:
    assert calibrated_threshold([0.5] * 5) is None
    assert calibrated_threshold([math.nan] * 20) is None
    assert calibrated_threshold([0.5] * 6) == 0.5


def test_a_burst_of_missing_values_is_broken_data_not_covariate_drift() -> None:
    finding = one(effect=0.5, p_value=0.0, missing=0.5, missing_before=0.1, missing_p=1e-30)
    assert (finding.kind, finding.group, finding.drifted) == ("missing", Kind.DATA_QUALITY, True)
    assert "the share of missing values grew by 40.0%" in finding.describe()


@pytest.mark.parametrize(
    ("missing", "p"), [(0.25, 1e-30), (0.9, 0.3)], ids=["significant but small", "large but not significant"]
)
def test_a_few_more_missing_values_are_no_burst(missing: float, p: float) -> None:
    assert not one(missing=missing, missing_before=0.1, missing_p=p).drifted


def test_fewer_missing_values_are_no_burst() -> None:
    assert not one(missing=0.0, missing_before=0.9, missing_p=0.0).drifted


def test_odd_columns_are_findings_and_never_a_crash() -> None:
    found = judged(
        ColumnStatistics("lost", shape="vanished"),
        ColumnStatistics("added", shape="new"),
        column("hollow", effect=math.nan, p_value=1.0, missing=1.0, missing_p=0.0, shape="empty"),
        column("still_hollow", effect=math.nan, p_value=1.0, missing=1.0, missing_before=1.0, shape="empty"),
        column("stuck", effect=0.8, p_value=0.0, shape="constant"),
        column("unknown", effect=math.nan, p_value=math.nan),
    )
    assert [(each.column, each.kind, each.drifted) for each in found] == [
        ("lost", "vanished", True),
        ("added", "new", False),
        ("hollow", "empty", True),
        ("still_hollow", "empty", False),
        ("stuck", "constant", True),
        ("unknown", "ok", False),
    ]
    assert [each.group for each in found[:3]] == [Kind.DATA_QUALITY, Kind.COVARIATE, Kind.DATA_QUALITY]
    assert all(each.describe().startswith(each.column) for each in found)


def test_no_column_at_all_is_no_drift() -> None:
    assert judged() == ()
    assert not any(seen.violates for seen in observe((), POLICY, None).values())


def test_roles_tell_label_and_prediction_drift_apart() -> None:
    shifted = {"effect": 0.5, "p_value": 0.0}
    found = judged(column("late", role="target", **shifted), column("prediction", role="prediction", **shifted))
    assert [each.group for each in found] == [Kind.LABEL, Kind.PREDICTION]


def test_labels_that_have_not_come_yet_are_no_broken_data() -> None:
    late = one(role="target", effect=math.nan, p_value=1.0, missing=1.0, missing_p=0.0, shape="empty")
    assert (late.drifted, late.lingers) == (False, False)


def test_a_feature_that_the_model_seems_to_ignore_counts_unless_a_share_is_asked_for() -> None:
    found = judged(column("ignored", effect=0.5, p_value=0.0, weight=0.0))
    assert found[0].drifted
    assert observe(found, POLICY, None)[Kind.COVARIATE].violates
    assert not observe(found, DriftPolicy(drift_share=0.01), None)[Kind.COVARIATE].violates


def test_a_drift_share_counts_importance_not_columns() -> None:
    moved = {"effect": 0.5, "p_value": 0.0}
    found = judged(column("a", weight=0.2, **moved), column("b", weight=0.2, **moved), column("c", weight=0.6))
    for share, violates in ((0.0, True), (0.4, True), (0.41, False)):
        assert observe(found, DriftPolicy(drift_share=share), None)[Kind.COVARIATE].violates is violates


def test_an_effect_between_the_clear_threshold_and_the_threshold_lingers() -> None:
    for effect, expected in ((0.12, (True, True)), (0.08, (False, True)), (0.07, (False, False))):
        seen = observe([one(effect=effect, p_value=0.0)], POLICY, None)[Kind.COVARIATE]
        assert (seen.violates, seen.lingers) == expected


# Corrections


def test_corrections_give_the_textbook_values() -> None:
    given_p = [0.01, 0.04, math.nan, 0.03, 0.005]
    bh = [0.02, 0.04, 0.04, 0.02]
    holm = [0.03, 0.06, 0.06, 0.02]
    assert [p for p in adjust(given_p, Correction.BH) if p == p] == pytest.approx(bh)
    assert [p for p in adjust(given_p, Correction.HOLM) if p == p] == pytest.approx(holm)
    assert adjust(given_p, Correction.NONE)[0] == 0.01
    assert math.isnan(adjust(given_p, Correction.BH)[2])


@given(st.lists(st.floats(0, 1), max_size=30))
def test_corrected_p_values_are_never_smaller_and_keep_their_order(p_values: list[float]) -> None:
    bh, holm = adjust(p_values, Correction.BH), adjust(p_values, Correction.HOLM)
    for p, adjusted, strict in zip(p_values, bh, holm, strict=True):
        assert p <= adjusted + 1e-12
        assert adjusted <= strict + 1e-12
        assert strict <= 1
    by_p = [adjusted for _, adjusted in sorted(zip(p_values, bh, strict=True))]
    assert by_p == sorted(by_p)


# Alarms


def series(text: str, *, days: float = 1.0) -> list[Observation]:
    """``V`` violates, ``~`` lies between both thresholds, ``.`` is quiet; one window after the other."""
    return [
        Observation(sign == "V", sign in "V~", START + place * timedelta(days=days)) for place, sign in enumerate(text)
    ]


def states(observations: Sequence[Observation], kind: Kind = Kind.COVARIATE, **policy: Any) -> list[str]:
    rules = DriftPolicy(**{"cooldown": timedelta(0), **policy})
    return [follow(observations[: end + 1], kind, rules).state.value for end in range(len(observations))]


def alerts(text: str, **policy: Any) -> int:
    days = policy.pop("days", 1.0)
    return states(series(text, days=days), **policy).count("alert")


def test_one_window_that_has_drifted_is_no_alarm() -> None:
    assert states(series("V")) == ["violating"]
    assert alerts("V.....V.....V") == 0


def test_two_of_five_windows_are_an_alarm() -> None:
    assert states(series("V...V")) == ["violating", "quiet", "quiet", "quiet", "alert"]
    assert alerts("V....V") == 0


def test_a_lasting_drift_is_one_alert_until_it_is_over() -> None:
    assert states(series("VVVV~.")) == ["violating", "alert", "ongoing", "ongoing", "ongoing", "cleared"]


def test_the_latest_window_must_have_drifted() -> None:
    assert states(series("V.V~"), windows=5)[-1] == "ongoing"
    assert states(series("VV..")[1:], min_violations=1)[-1] == "quiet"


@pytest.mark.parametrize("text", ["V~" * 10, "V." * 10, "VV." * 7, "VV~~..VV" * 3, "V" * 20])
def test_a_flapping_series_is_one_alert(text: str) -> None:
    assert alerts(text) == 1


def test_a_drift_that_comes_back_after_a_long_quiet_is_a_new_incident() -> None:
    assert alerts("VV" + "." * 8 + "VV") == 2


def test_an_incident_waits_for_the_cooldown_and_then_alerts() -> None:
    hourly = series("VV" + "." * 8 + "V" * 20, days=1 / 24)
    assert states(hourly, cooldown=timedelta(0)).count("alert") == 2
    waiting = states(hourly, cooldown=timedelta(hours=20))
    assert waiting[10:22] == ["violating"] * 11 + ["alert"]


def test_windows_without_a_time_have_no_cooldown() -> None:
    timeless = [Observation(each.violates, each.lingers) for each in series("VV" + "." * 8 + "VV")]
    assert states(timeless, cooldown=timedelta(days=365)).count("alert") == 2


def test_broken_data_alerts_at_once() -> None:
    assert states(series("VV."), kind=Kind.DATA_QUALITY) == ["alert", "ongoing", "cleared"]


def test_a_young_version_needs_no_full_row_of_windows() -> None:
    assert follow(series("VV"), Kind.LABEL, POLICY) == Alarm(State.ALERT, 2, 2)
    assert follow([], Kind.LABEL, POLICY) == Alarm(State.QUIET, 0, 0)


def test_an_open_incident_is_due_at_its_alert_and_each_time_it_has_lasted_all_windows_again() -> None:
    due = [follow(series("VV" + "V" * more), Kind.LABEL, POLICY).is_due(POLICY) for more in range(11)]
    assert due == [number % POLICY.windows == 0 for number in range(11)]
    assert not follow(series("VV" + "."), Kind.LABEL, POLICY).is_due(POLICY)
    assert not follow(series("V"), Kind.LABEL, POLICY).is_due(POLICY)


@given(st.text("V~.", max_size=40), st.integers(1, 6), st.integers(1, 3))
def test_an_alert_is_always_due_and_never_within_an_incident(text: str, windows: int, needed: int) -> None:
    rules = {"windows": max(windows, needed), "min_violations": needed}
    found = states(series(text), **rules)
    open_incident = False
    for place, state in enumerate(found):
        recent = text[max(0, place + 1 - rules["windows"]) : place + 1]
        if state == "alert":
            assert not open_incident
            assert text[place] == "V"
            assert recent.count("V") >= needed
        assert state != "cleared" or (open_incident and text[place] == ".")
        open_incident = state in {"alert", "ongoing"}


# Verdicts


def verdict_of(findings: Sequence[ColumnFinding], text: str, rows: int = 1000) -> Any:
    alarms = {kind: follow(series(text if kind is Kind.COVARIATE else "."), kind, POLICY) for kind in Kind}
    return judge_window(findings, alarms, POLICY, rows)


def test_an_alarm_fails_and_names_columns_effects_and_thresholds() -> None:
    found = judged(column("wind", effect=0.3, p_value=1e-9), column("seats"))
    verdict = verdict_of(found, "VV")
    assert verdict.outcome is Outcome.FAIL
    assert verdict.reasons == (
        "Alert (covariate): found in 2 of the last 2 windows.",
        "wind drifted: wasserstein 0.3 against the threshold 0.1 (p 2e-09).",
    )


def test_a_drift_without_an_alarm_passes_and_says_so() -> None:
    verdict = verdict_of([one(effect=0.3, p_value=1e-9)], "V")
    assert verdict.outcome is Outcome.PASS
    assert verdict.reasons[0].startswith("No alert (covariate) yet: found in 1 of the last 1 windows")


def test_an_incident_that_goes_on_still_fails() -> None:
    verdict = verdict_of([one(effect=0.08, p_value=1e-9)], "VV~")
    assert verdict.outcome is Outcome.FAIL
    assert verdict.reasons == (
        "The covariate incident goes on: found in 2 of the last 3 windows.",
        "wind is not clear yet: wasserstein 0.08 against the threshold 0.1 (p 1e-09).",
    )


def test_a_quiet_window_passes() -> None:
    assert verdict_of([one()], ".").reasons == ("None of 1 columns drifted in 1000 rows.",)
    assert verdict_of([one()], "VV.").reasons[0] == "The covariate incident is over."


def test_too_few_rows_are_no_verdict() -> None:
    verdict = verdict_of([one(effect=0.9, p_value=0.0)], "VV", rows=199)
    assert verdict.outcome is Outcome.INSUFFICIENT_DATA
    assert "199" in verdict.reasons[0]


def test_many_drifted_columns_are_counted_not_listed() -> None:
    found = judged(*(column(f"c{number}", effect=0.3, p_value=0.0) for number in range(50)))
    assert verdict_of(found, "VV").reasons[-1] == "So did 30 more columns."


@pytest.mark.parametrize(
    "wrong",
    [
        {"alpha": 0.0}, {"alpha": 0.9}, {"alpha": math.nan}, {"threshold": 0.0}, {"per_column_threshold": {"a": -1.0}},
        {"clear_ratio": 1.5}, {"drift_share": 2.0}, {"min_rows": 1}, {"windows": 0}, {"min_violations": 6},
        {"cooldown": timedelta(days=-1)}, {"max_missing_increase": -0.1}, {"correction": "bonferroni"},
    ],
)  # fmt: skip
def test_a_policy_that_contradicts_itself_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="must"):
        DriftPolicy(**wrong)


def test_the_method_of_a_column_follows_its_type_unless_it_is_named() -> None:
    policy = DriftPolicy(num_method="psi", per_column_method={"a": "ks"})
    assert [policy.method("a", numeric=True), policy.method("b", numeric=True), policy.method("b", numeric=False)] == [
        "ks",
        "psi",
        "jensenshannon",
    ]
