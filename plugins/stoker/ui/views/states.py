"""In one word, how a model is: what a person needs to know first, and what to do about it.

From the most urgent: ``damaged`` records, a loop that ``stopped``, a version ``waiting`` for approval, a ``drifting`` champion, a
``training`` that runs, ``healthy``, and ``new`` without a champion.
"""

from __future__ import annotations

from dataclasses import dataclass

from stoker.core.clock import to_minute
from stoker.core.requests import State
from stoker.registry.state import ModelState
from stoker.ui.views import loop
from stoker.ui.views.reading import Reading
from stoker.ui.views.records import DriftBrief, PerformanceBrief, WakeUpView

STATES = ("damaged", "stopped", "waiting", "drifting", "training", "healthy", "new")
NEEDS_A_PERSON = ("damaged", "stopped", "waiting", "drifting")


@dataclass(frozen=True)
class Condition:
    """How a model is.

    :param reason: a sentence that says why.
    :param action: what a person should do; empty when nothing.
    :param version: the version that it is about.
    """

    state: str
    reason: str
    action: str = ""
    version: int | None = None


@dataclass(frozen=True)
class Signs:
    """All that a condition follows from."""

    model: ModelState
    loop: State
    told: list[WakeUpView]
    drift: DriftBrief | None
    performance: PerformanceBrief | None


def damaged(model: str, problem: str) -> Condition:
    """The condition of a model whose records cannot be trusted."""
    return Condition("damaged", problem, f"Audit the log before anything else: stoker audit verify {model}.")


def condition(reading: Reading, signs: Signs) -> Condition:
    """The most urgent of what is true of a model."""
    return _stopped(reading, signs) or _waiting(reading, signs) or _drifting(signs) or _at_rest(reading, signs)


def _stopped(reading: Reading, signs: Signs) -> Condition | None:
    following = loop.next_training(signs.loop, reading.now())
    if following.condition == "breaker_open":
        return Condition(
            "stopped",
            following.reason,
            "Find out why the last trainings brought no better model, then resume the loop.",
        )
    latest = next((one for one in signs.told if one.result not in {"skipped", "investigate", "none"}), None)
    over = signs.drift is not None and signs.drift.verdict == "pass"
    if latest is None or latest.result != "stop" or over:
        return None
    return Condition("stopped", latest.reason, "Mend the data that was found broken; nothing is trained on it.")


def _waiting(reading: Reading, signs: Signs) -> Condition | None:
    review = next(iter(signs.model.waiting(reading.now())), None)
    if review is None:
        return None
    return Condition(
        "waiting",
        f"Version {review.version} waits for approval until {to_minute(review.until)}.",
        f"Look at version {review.version}, then approve or reject it.",
        review.version,
    )


def _drifting(signs: Signs) -> Condition | None:
    if signs.performance is not None and signs.performance.verdict == "fail":
        found = signs.performance
        return Condition(
            "drifting",
            f"Version {found.version} does worse in window {found.window} than it may.",
            "Look at the performance report, then retrain or roll back.",
            found.version,
        )
    if signs.drift is not None and signs.drift.open:
        kinds = ", ".join(kind.replace("_", " ") for kind in signs.drift.open)
        return Condition(
            "drifting",
            f"The data of window {signs.drift.window} has drifted ({kinds}) since version {signs.drift.version} was trained.",
            "Look at the drift report. Retrain if the loop has not done so.",
            signs.drift.version,
        )
    return None


def _at_rest(reading: Reading, signs: Signs) -> Condition:
    champion = signs.model.pointed("champion")
    held = signs.loop.lease
    if held is not None and held.until > reading.now():
        return Condition("training", f"{held.holder} trains since {to_minute(held.since)}.")
    if champion is not None:
        return Condition(
            "healthy", f"Version {champion} is in office, and nothing was found wrong with it.", "", champion
        )
    count = signs.model.versions
    if count == 0:
        return Condition("new", "Nothing is registered yet.")
    what = "The one version is" if count == 1 else f"None of the {count} versions is"
    return Condition(
        "new",
        f"{what} {'not ' if count == 1 else ''}in office yet.",
        "Promote one that passed its evaluation, or see why none did.",
    )
