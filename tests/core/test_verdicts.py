from __future__ import annotations

import itertools

import pytest

from stoker.core.verdicts import Outcome, Verdict, combine


def of(outcome: Outcome) -> Verdict:
    return Verdict(outcome, (f"It is {outcome}.",), {outcome.value: 1})


def test_a_chain_is_as_good_as_its_worst_gate_in_any_order() -> None:
    worst_first = [Outcome.FAIL, Outcome.INSUFFICIENT_DATA, Outcome.INCONCLUSIVE, Outcome.NOT_CONFIGURED, Outcome.PASS]
    for better, worse in itertools.combinations(reversed(worst_first), 2):
        for order in ([better, worse], [worse, better]):
            combined = combine(map(of, order))
            assert combined.outcome is worse
            assert combined.reasons[0] == f"It is {worse}."
            assert combined.numbers == {better.value: 1, worse.value: 1}


def test_nothing_checked_is_not_a_pass() -> None:
    assert combine([]).outcome is Outcome.NOT_CONFIGURED


def test_only_pass_passes() -> None:
    assert [outcome for outcome in Outcome if of(outcome).passed] == [Outcome.PASS]


def test_a_verdict_gives_a_reason() -> None:
    with pytest.raises(ValueError, match="reason"):
        Verdict(Outcome.PASS, ())


def test_a_verdict_survives_its_record() -> None:
    assert Verdict.from_record(of(Outcome.FAIL).to_record()) == of(Outcome.FAIL)
