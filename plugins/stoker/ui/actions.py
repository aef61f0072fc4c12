"""What people can do to a model from its pages: each action with what it will change, or why it cannot be done now.

The server words an action out of what it shows on the same page, and the form sends exactly those facts back. A registry that has moved
on since then answers with a conflict instead of doing something that nobody saw.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from stoker.core.verdicts import Outcome
from stoker.ui.access import Person
from stoker.ui.views.places import Where
from stoker.ui.views.records import BreakerView, ModelView, ReviewBrief, VersionRow

_API = "/models"


@dataclass(frozen=True)
class Action:
    """A button and the dialog behind it.

    :param kind: ``promote``, ``rollback``, ``approve``, ``reject``, ``retrain``, ``resume``, ``block`` or ``unblock``.
    :param path: where it is sent, below the API's root.
    :param seen: what the person saw, sent beside the reason.
    :param title: heads the dialog.
    :param sentence: what will happen, with the numbers that the person saw.
    :param verb: on the button that does it.
    :param done: what is said afterwards.
    :param refusal: why it cannot be done now; ``None`` when it can.
    :param danger: whether it takes something away.
    :param task: the path, below Airflow's own API, of the answer that a waiting task is to be given; empty when none waits.
    :param option: that answer.
    """

    kind: str
    path: str
    seen: dict[str, Any]
    title: str
    sentence: str
    verb: str
    done: str
    refusal: str | None = None
    danger: bool = False
    task: str = ""
    option: str = ""

    @property
    def body(self) -> str:
        """What the person saw, as JSON."""
        return json.dumps(self.seen)


def promote(model: ModelView, version: VersionRow) -> Action:
    """Make a version the champion."""
    number, champion = version.number, _champion(model)
    return Action(
        "promote",
        f"{_API}/{model.name}/promote",
        {"version": number, "expected_version": champion},
        f"Promote version {number}",
        f"The champion of {model.name} changes from {_shown(champion)} to v{number}. Whatever resolves the champion uses v{number} from "
        "then on.",
        f"Promote v{number}",
        f"Version {number} is the champion of {model.name}.",
        refusal=_not_promotable(version, champion),
    )


def rollback(model: ModelView) -> Action:
    """Put the champion back to the version before it, and block the one it leaves."""
    champion, target = _champion(model), _rollback_target(model)
    back = f"v{target}" if target is not None else "the last champion before it that is not blocked"
    refusal = None
    if champion is None:
        refusal = "There is no champion to roll back."
    elif model.previous is None:
        refusal = f"Nothing was champion before v{champion}. Promote another version instead."
    return Action(
        "rollback",
        f"{_API}/{model.name}/rollback",
        {"expected_version": champion, "to": target},
        f"Roll back {model.name}",
        f"The champion of {model.name} goes back from {_shown(champion)} to {back}. Version {champion} is blocked until somebody unblocks "
        "it.",
        f"Roll back to v{target}" if target is not None else "Roll back",
        f"{model.name} was rolled back from {_shown(champion)} to {back}.",
        refusal=refusal,
        danger=True,
    )


def approve(model: ModelView, review: ReviewBrief, person: Person) -> Action:
    """Let a version pass that waits for a person."""
    return _decide(
        model,
        review,
        person,
        "approve",
        f"Version {review.version} of {model.name} may then become champion{_instead(model)}{_by_its_run(review)}. Your approval is bound "
        f"to what you see: the evidence {review.evidence[:12]}.",
        f"Version {review.version} of {model.name} is approved.",
    )


def reject(model: ModelView, review: ReviewBrief, person: Person) -> Action:
    """Turn down a version that waits for a person."""
    return _decide(
        model,
        review,
        person,
        "reject",
        f"Version {review.version} of {model.name} is not promoted{_stays(model)}.",
        f"Version {review.version} of {model.name} is rejected.",
    )


def retrain(model: ModelView) -> Action:
    """Ask for a training by hand."""
    return Action(
        "retrain",
        f"{_API}/{model.name}/retrain",
        {},
        f"Request a training of {model.name}",
        "The model's loop takes the request up when it looks next, whatever cool-down, budget and breaker say; only a training that runs "
        f"already comes first. {_must_win(model)}",
        "Request training",
        f"A training of {model.name} is requested.",
    )


def resume(model: ModelView, breaker: BreakerView) -> Action:
    """Close the circuit breaker by hand."""
    refusal = None if breaker.open else "The breaker is closed: nothing holds trainings back."
    return Action(
        "resume",
        f"{_API}/{model.name}/resume",
        {},
        f"Resume trainings of {model.name}",
        "The breaker is closed, so that waiting requests may be served again. Trainings in a row that bring no new champion open it anew.",
        "Resume trainings",
        f"Trainings of {model.name} may begin again.",
        refusal=refusal,
    )


def block(model: ModelView, version: VersionRow) -> Action:
    """Refuse all later promotions of a version, or allow them again."""
    number = version.number
    stays = " It stays the champion: roll back to change that." if number == _champion(model) else ""
    if version.blocked:
        return Action(
            "unblock",
            f"{_API}/{model.name}/versions/{number}/unblock",
            {},
            f"Unblock version {number}",
            f"Version {number} of {model.name} may be promoted again. Nothing else changes.",
            f"Unblock v{number}",
            f"Version {number} of {model.name} is not blocked any more.",
        )
    return Action(
        "block",
        f"{_API}/{model.name}/versions/{number}/block",
        {},
        f"Block version {number}",
        f"Version {number} of {model.name} cannot be promoted until somebody unblocks it.{stays}",
        f"Block v{number}",
        f"Version {number} of {model.name} is blocked.",
        danger=True,
    )


def _decide(model: ModelView, review: ReviewBrief, person: Person, verb: str, sentence: str, done: str) -> Action:
    refusal = None
    if review.status != "waiting":
        refusal = f"Version {review.version} is {review.status} already."
    elif verb == "approve" and review.four_eyes and review.asked_by.casefold() == person.name.casefold():
        refusal = "You asked for this approval, so somebody else has to give it."
    return Action(
        verb,
        f"{_API}/{model.name}/versions/{review.version}/{verb}",
        {"evidence": review.evidence},
        f"{verb.capitalize()} version {review.version}",
        sentence,
        f"{verb.capitalize()} v{review.version}",
        done,
        refusal=refusal,
        danger=verb == "reject",
        task=_waiting_task(review.where),
        option=verb.capitalize(),
    )


def _champion(model: ModelView) -> int | None:
    return model.champion.version if model.champion else None


def _shown(version: int | None) -> str:
    return "no version" if version is None else f"v{version}"


def _must_win(model: ModelView) -> str:
    if model.champion is None:
        return "What it trains still has to pass its evaluation."
    return f"What it trains still has to win against v{model.champion.version}."


def _instead(model: ModelView) -> str:
    return f" instead of v{model.champion.version}" if model.champion else ""


def _stays(model: ModelView) -> str:
    return f"; v{model.champion.version} stays the champion" if model.champion else ""


def _by_its_run(review: ReviewBrief) -> str:
    return ", and the run that waits for this goes on" if review.where else ""


def _rollback_target(model: ModelView) -> int | None:
    """The last champion, unless it is blocked: then the registry goes further back than a page shows."""
    return None if model.previous in model.blocked else model.previous


def _not_promotable(version: VersionRow, champion: int | None) -> str | None:
    if version.number == champion:
        return "It is the champion already."
    if version.blocked:
        return "It is blocked. Unblock it first."
    if version.archived:
        return "Retention gave its files up."
    if version.outcome != Outcome.PASS:
        return "Its evaluation did not pass, and only a version that passed can be promoted here."
    if version.review and version.review.status == "waiting":
        return "It waits for approval."
    if version.review and version.review.status == "rejected":
        return "Its approval was refused."
    if version.review and version.review.status == "void":
        return "It was blocked after its approval was asked for, which has to be done anew."
    return None


def _waiting_task(where: Where | None) -> str:
    if where is None or where.task_id is None:
        return ""
    dag, run, task = (quote(part, safe="") for part in (where.dag_id, where.run_id, where.task_id))
    return f"/dags/{dag}/dagRuns/{run}/taskInstances/{task}/{where.map_index}/hitlDetails"
