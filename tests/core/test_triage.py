"""What is done about what was found."""

from __future__ import annotations

import pytest

from stoker.core.triage import Action, Decision, Finding, Kind, TriagePolicy, triage
from stoker.core.verdicts import Outcome
from stoker.errors import ConfigurationError

DEFAULT = TriagePolicy()


def found(kind: Kind, verdict: Outcome = Outcome.FAIL) -> Finding:
    return Finding(kind, verdict, (f"{kind.value} was {verdict.value}.",), "d" * 64)


def decide(
    *findings: Finding, windows: int | None = None, better: bool | None = True, policy: TriagePolicy = DEFAULT
) -> Decision:
    return triage(findings, windows_since_promotion=windows, previous_is_better=better, policy=policy)


@pytest.mark.parametrize(
    ("kind", "action"),
    [
        (Kind.DATA_QUALITY, Action.STOP),
        (Kind.CONCEPT, Action.RETRAIN),
        (Kind.LABEL, Action.RETRAIN),
        (Kind.PREDICTION, Action.INVESTIGATE),
        (Kind.COVARIATE, Action.RETRAIN),
        (Kind.STALENESS, Action.RETRAIN),
        (Kind.NO_DATA, Action.INVESTIGATE),
    ],
)
def test_each_kind_has_its_action(kind: Kind, action: Action) -> None:
    decision = decide(found(kind))
    assert (decision.kind, decision.action) == (kind, action)
    assert decision.reasons == (f"{kind.value} leads to {action.value}.", f"{kind.value} was fail.")


def test_broken_data_is_never_trained_on_whatever_else_was_found() -> None:
    decision = decide(*(found(kind) for kind in reversed(Kind)), windows=1)
    assert (decision.kind, decision.action) == (Kind.DATA_QUALITY, Action.STOP)
    assert decision.reasons[-1] == "Also found: concept, label, prediction, covariate, staleness, no_data."


@pytest.mark.parametrize(
    ("windows", "better", "action"),
    [
        (1, True, Action.ROLLBACK),
        (2, True, Action.ROLLBACK),
        (3, True, Action.RETRAIN),
        (None, True, Action.RETRAIN),
        (1, False, Action.RETRAIN),
        (1, None, Action.RETRAIN),
    ],
)
def test_quality_lost_right_after_a_promotion_rolls_back_to_a_better_model(
    windows: int | None, better: bool | None, action: Action
) -> None:
    decision = decide(found(Kind.COVARIATE), found(Kind.CONCEPT), windows=windows, better=better)
    assert (decision.kind, decision.action) == (Kind.CONCEPT, action)


@pytest.mark.parametrize(
    ("windows", "better", "reason"),
    [
        (
            1,
            True,
            "concept leads to rollback: it was found in window 1 after the promotion, and the version before is better",
        ),
        (
            1,
            False,
            "concept leads to retrain and not to rollback: no version to go back to is surely better on the same",
        ),
        (1, None, "concept leads to retrain and not to rollback: the version before was not measured on the same rows"),
        (3, None, "concept leads to retrain."),
    ],
)
def test_the_first_reason_says_why_it_is_rolled_back_or_not(windows: int, better: bool | None, reason: str) -> None:
    assert decide(found(Kind.CONCEPT), windows=windows, better=better).reasons[0].startswith(reason)


@pytest.mark.parametrize("verdict", [Outcome.PASS, Outcome.INCONCLUSIVE])
def test_a_champion_that_keeps_its_promise_stays_though_the_model_before_is_better(verdict: Outcome) -> None:
    assert decide(found(Kind.CONCEPT, verdict), windows=1).action is Action.NONE


def test_drift_right_after_a_promotion_does_not() -> None:
    assert decide(found(Kind.LABEL), windows=1).action is Action.RETRAIN


def test_a_policy_can_do_without_rollbacks_and_retrain_on_features_alone() -> None:
    policy = TriagePolicy(covariate=Action.RETRAIN, rollback_within=0)
    assert decide(found(Kind.COVARIATE), policy=policy).action is Action.RETRAIN
    assert decide(found(Kind.CONCEPT), windows=1, policy=policy).action is Action.RETRAIN


def test_lost_quality_decides_over_features_that_moved() -> None:
    assert decide(found(Kind.COVARIATE), found(Kind.CONCEPT)).action is Action.RETRAIN


@pytest.mark.parametrize("verdict", [Outcome.INCONCLUSIVE, Outcome.INSUFFICIENT_DATA, Outcome.NOT_CONFIGURED])
def test_no_verdict_leads_to_nothing_but_is_named(verdict: Outcome) -> None:
    undecided = found(Kind.CONCEPT, verdict)
    decision = decide(undecided, found(Kind.COVARIATE, Outcome.PASS), windows=1)
    assert (decision.kind, decision.action) == (None, Action.NONE)
    named = f"No verdict about concept: {verdict.value}. concept was {verdict.value}."
    assert decision.reasons == (named,)
    assert decide(undecided, found(Kind.LABEL)).reasons[-1] == named


def test_nothing_found_is_an_answer_too() -> None:
    assert decide(found(Kind.CONCEPT, Outcome.PASS)).action is Action.NONE
    assert decide().reasons == ("0 findings, and none asks for anything.",)


@pytest.mark.parametrize(
    ("given", "part"),
    [
        ({"data_quality": "retrain"}, "data_quality must lead to one of stop, investigate, none; got 'retrain'"),
        ({"no_data": Action.RETRAIN}, "no_data must lead to one of"),
        ({"label": "rollback"}, "label must lead to one of stop, investigate, retrain, none"),
        ({"concept": "panic"}, "got 'panic'"),
        ({"rollback_within": -1}, "rollback_within must be 0 or more; got -1"),
    ],
)
def test_a_policy_that_would_do_harm_is_refused(given: dict[str, str], part: str) -> None:
    with pytest.raises(ConfigurationError, match=part):
        TriagePolicy(**given)  # type: ignore[arg-type]
