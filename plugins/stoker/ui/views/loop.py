"""What the loop of a model did and waits for, in the words that pages use."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from stoker.core import clock as time
from stoker.core.cadence import CadencePolicy, decide
from stoker.core.requests import Request, State
from stoker.loop.wake_ups import WakeUp
from stoker.loop.windows import Window
from stoker.ui.views.places import Where, run_place, task_place
from stoker.ui.views.reading import Reading, mapping, moment, number, text
from stoker.ui.views.records import (
    BreakerView,
    Cause,
    DriftBrief,
    LeaseView,
    NextTraining,
    PerformanceBrief,
    RequestView,
    WakeUpBrief,
    WakeUpView,
)

# A DAG may set another pace. What it was refused by is on record and counts first; this is for a loop that has not asked since.
_PACE = CadencePolicy()

_TRIAGED = {"stop", "investigate", "retrain", "rollback", "none"}
_RAISED = {"alert", "ongoing"}


def wake_ups(reading: Reading, model: str, state: State, limit: int) -> list[WakeUpView]:
    """What the loop did of late, newest first."""
    return [_wake_up(one) for one in reading.wake_ups(model, state, limit)]


def brief(one: WakeUpView) -> WakeUpBrief:
    """The short form."""
    return WakeUpBrief(one.time, one.result, one.condition, one.reason, one.version, one.where)


def requests(state: State) -> list[RequestView]:
    """The requests that are open, newest first."""
    return [_request(request) for request in reversed(state.requests)]


def lease(state: State, now: datetime) -> LeaseView | None:
    """Who trains."""
    held = state.lease
    if held is None:
        return None
    return LeaseView(held.holder, run_place(held.holder), held.since, held.until, lost=held.until <= now)


def breaker(state: State, now: datetime) -> BreakerView:
    """Whether trainings are held back because the last ones were of no use."""
    count, since = state.useless(now)
    return BreakerView(next_training(state, now).condition == "breaker_open", count, since)


def next_training(state: State, now: datetime) -> NextTraining:
    """When a training may begin: what the loop was told when it asked last, else what the usual pace says."""
    if state.refused is not None and state.refused[0] != "leased":
        kind, reason, _ = state.refused
        usual = decide(state, _PACE, now, "")
        return NextTraining(False, kind, reason, usual.until if usual.kind == kind else None)
    found = decide(state, _PACE, now, "")
    return NextTraining(found.granted, found.kind, found.reason, None if found.granted else found.until)


def drift_brief(window: Window) -> DriftBrief:
    """A window of drift as it was noted."""
    facts = window.facts
    return DriftBrief(
        window=window.window,
        version=window.version,
        verdict=text(facts.get("verdict")) or "inconclusive",
        alert=facts.get("alert") is True,
        open=sorted(kind for kind, state in mapping(facts.get("states")).items() if state in _RAISED),
        end=moment(window.end),
        document=text(facts.get("document")),
    )


def performance_brief(window: Window) -> PerformanceBrief:
    """A window of performance as it was noted."""
    facts = window.facts
    low, high = _interval(facts)
    return PerformanceBrief(
        window=window.window,
        version=window.version,
        verdict=text(facts.get("verdict")) or "inconclusive",
        metric=text(facts.get("metric")),
        value=number(facts.get("value")),
        low=low,
        high=high,
        baseline=number(facts.get("baseline")),
        coverage=number(facts.get("coverage")),
        end=moment(window.end),
        document=text(facts.get("document")),
    )


def last_window(windows: list[Window], version: int | None) -> Window | None:
    """The last window of a version, in the order of windows; of the newest version that has any without one."""
    own = [one for one in windows if version in {None, one.version}]
    return own[-1] if own else None


def _interval(facts: Mapping[str, Any]) -> tuple[float | None, float | None]:
    ends = facts.get("interval")
    return (number(ends[0]), number(ends[1])) if isinstance(ends, list) and len(ends) == 2 else (None, None)


def _wake_up(one: WakeUp) -> WakeUpView:
    return WakeUpView(
        time=time.from_text(one.time),
        who=one.who,
        where=_where(one),
        woken_by=[Cause(cause["source"], cause["reason"]) for cause in one.woken_by],
        result=one.result,
        condition=one.condition,
        reason=one.reason,
        version=one.version,
    )


def _where(one: WakeUp) -> Where | None:
    """A triage is noted with its task, a resumption with a person, all else with a run."""
    if one.result in _TRIAGED:
        return task_place(one.who)
    return None if one.result == "resumed" else run_place(one.who)


def _request(request: Request) -> RequestView:
    return RequestView(
        id=request.id,
        source=request.source,
        reason=request.reason,
        time=request.time,
        actor=request.actor.user,
        where=task_place(request.actor.origin),
        evidence=dict(request.evidence),
    )
