"""What to do about what was found: stop, investigate, retrain, roll back, or nothing.

The order of the kinds is the order of causes. Broken data makes everything else look wrong, so it is looked at first and
is never trained on; quality that is lost right after a promotion is the new model's fault if the one before does better
on the very same rows, and that one is still there; else, and only then, is another training the answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from stoker.core.verdicts import Outcome
from stoker.errors import ConfigurationError

_MAX_REASONS = 20


class Kind(StrEnum):
    """What may be wrong; the cause of others first."""

    DATA_QUALITY = "data_quality"
    CONCEPT = "concept"
    LABEL = "label"
    PREDICTION = "prediction"
    COVARIATE = "covariate"
    STALENESS = "staleness"
    NO_DATA = "no_data"


class Action(StrEnum):
    """What may be done about it."""

    STOP = "stop"
    INVESTIGATE = "investigate"
    RETRAIN = "retrain"
    ROLLBACK = "rollback"
    NONE = "none"


@dataclass(frozen=True)
class TriagePolicy:
    """The rules of :class:`~stoker.operators.triage.TriageOperator`: an action for each kind of finding.

    :param data_quality: broken data; ``retrain`` is refused here.
    :param concept: the model does worse on labelled rows.
    :param label: the target is distributed otherwise.
    :param prediction: the predictions are distributed otherwise.
    :param covariate: features are distributed otherwise. A training costs little where a gate stands before promotion; where
        labels are dear, ``investigate``.
    :param staleness: the champion is older than it may be.
    :param no_data: there was nothing to judge.
    :param rollback_within: a ``concept`` finding in the first so many windows of a champion rolls it back instead, if the
        model before is surely better on the same rows; 0: never.
    """

    data_quality: Action = Action.STOP
    concept: Action = Action.RETRAIN
    label: Action = Action.RETRAIN
    prediction: Action = Action.INVESTIGATE
    covariate: Action = Action.RETRAIN
    staleness: Action = Action.RETRAIN
    no_data: Action = Action.INVESTIGATE
    rollback_within: int = 2

    def __post_init__(self) -> None:
        for kind in Kind:
            allowed = set(Action) - {Action.ROLLBACK} - ({Action.RETRAIN} if kind in _NOTHING_TO_TRAIN_ON else set())
            action = getattr(self, kind)
            if action not in allowed:
                words = ", ".join(word for word in Action if word in allowed)
                raise ConfigurationError(f"{kind.value} must lead to one of {words}; got {action!r:.80}.")
        if self.rollback_within < 0:
            raise ConfigurationError(f"rollback_within must be 0 or more; got {self.rollback_within}.")


_NOTHING_TO_TRAIN_ON = {Kind.DATA_QUALITY, Kind.NO_DATA}


@dataclass(frozen=True)
class Finding:
    """What one monitoring step said.

    :param kind: what it looked for.
    :param verdict: ``fail`` when it found it.
    :param reasons: its sentences.
    :param digest: the document that it rests on; empty when there is none.
    """

    kind: Kind
    verdict: Outcome
    reasons: tuple[str, ...] = ()
    digest: str = ""


@dataclass(frozen=True)
class Decision:
    """What to do.

    :param kind: the finding that decided; ``None`` when nothing was found.
    :param action: what to do about it.
    :param reasons: sentences for people, the deciding one first. Never empty.
    """

    kind: Kind | None
    action: Action
    reasons: tuple[str, ...]


def triage(
    findings: Sequence[Finding],
    *,
    windows_since_promotion: int | None,
    previous_is_better: bool | None,
    policy: TriagePolicy,
) -> Decision:
    """Decide by the finding that is the likeliest cause of the others.

    A verdict that is neither ``pass`` nor ``fail`` leads to no action, but is named. A rollback needs two things: that the
    champion broke its promise, for a policy may allow it to be a little worse than the one before; and that the one before
    is better on the same rows, for a week that is hard for every model is no reason to go back.

    :param windows_since_promotion: how many windows the champion has been judged on, this one included; ``None``: unknown.
    :param previous_is_better: whether the version that a rollback would go to did surely better on the rows of the
        ``concept`` finding; ``None`` when it was not measured on them.
    """
    order = list(Kind)
    found = sorted((one for one in findings if one.verdict is Outcome.FAIL), key=lambda one: order.index(one.kind))
    undecided = [
        f"No verdict about {one.kind.value}: {one.verdict.value}. {' '.join(one.reasons[:1])}".rstrip()
        for one in findings
        if one.verdict not in {Outcome.PASS, Outcome.FAIL}
    ]
    if not found:
        reasons = undecided or [f"{len(findings)} findings, and none asks for anything."]
        return Decision(None, Action.NONE, tuple(reasons[:_MAX_REASONS]))
    first = found[0]
    action, because = _answer(first.kind, windows_since_promotion, previous_is_better, policy)
    others = [kind.value for kind in dict.fromkeys(one.kind for one in found) if kind is not first.kind]
    also = [f"Also found: {', '.join(others)}."] if others else []
    reasons = [because, *first.reasons, *also, *undecided]
    return Decision(first.kind, action, tuple(reasons[:_MAX_REASONS]))


def _answer(
    kind: Kind, windows: int | None, previous_is_better: bool | None, policy: TriagePolicy
) -> tuple[Action, str]:
    """The action, and the sentence that says why it is this one."""
    action = Action(getattr(policy, kind))
    if kind is not Kind.CONCEPT or windows is None or windows > policy.rollback_within:
        return action, f"{kind.value} leads to {action.value}."
    if previous_is_better:
        why = f"it was found in window {windows} after the promotion, and the version before is better on the same rows"
        return Action.ROLLBACK, f"{kind.value} leads to {Action.ROLLBACK.value}: {why}."
    if previous_is_better is None:
        why = "the version before was not measured on the same rows; predict with shadow='previous' to have it measured"
    else:
        why = "no version to go back to is surely better on the same rows"
    return action, f"{kind.value} leads to {action.value} and not to {Action.ROLLBACK.value}: {why}."
