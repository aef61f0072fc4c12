"""A model as a whole: in the list, and on its own page."""

from __future__ import annotations

from dataclasses import dataclass

from stoker.core.names import check_name
from stoker.registry.state import CHAMPION, PREVIOUS, ModelState
from stoker.ui.views import loop, states
from stoker.ui.views.reading import DAMAGE, Reading
from stoker.ui.views.records import (
    ChampionBrief,
    ModelRow,
    ModelView,
    PerformanceBrief,
    WhyView,
)
from stoker.ui.views.states import Condition, Signs
from stoker.ui.views.versions import review_brief, version_row

# So many wake-ups are looked back for what stopped the loop.
_LOOKED_BACK = 10
MOST_WAKE_UPS = 100


@dataclass(frozen=True)
class Known:
    """What was read of a model for its state, and what follows from it."""

    signs: Signs
    condition: Condition
    champion: ChampionBrief | None


def known(reading: Reading, name: str, *, looked_back: int = _LOOKED_BACK) -> Known:
    """Read what the state of a model follows from: its log, its loop and its last monitored windows.

    :param looked_back: how many wake-ups.
    :raises NotFound: when there is no such model.
    :raises IntegrityError: when something of it is damaged.
    """
    state = reading.registry.state(check_name(name, "model"))
    office = state.pointed(CHAMPION)
    drift = loop.last_window(reading.windows(name, "drift").windows(), office)
    judged = loop.last_window(reading.windows(name, "performance").windows(), office)
    performance = loop.performance_brief(judged) if judged else None
    asked = reading.broker(name).state()
    signs = Signs(
        model=state,
        loop=asked,
        told=loop.wake_ups(reading, name, asked, looked_back),
        drift=loop.drift_brief(drift) if drift else None,
        performance=performance,
    )
    return Known(signs, states.condition(reading, signs), _champion(reading, state, performance))


def model_row(reading: Reading, name: str) -> ModelRow:
    """A model in the list. A damaged one says so, and hides no other.

    :raises NotFound: when there is no such model.
    """
    try:
        found = known(reading, name)
    except DAMAGE as error:
        problem = damage(name, error)
        return ModelRow(name, "damaged", problem, None, 0, None, None, problem)
    told = found.signs.told
    return ModelRow(
        name=name,
        state=found.condition.state,
        state_reason=found.condition.reason,
        champion=found.champion,
        versions=found.signs.model.versions,
        last_drift=found.signs.drift,
        last_wake_up=loop.brief(told[0]) if told else None,
        problem=None,
    )


def model_view(reading: Reading, name: str) -> ModelView:
    """A model on its own page. A damaged one is shown as such, without the rest.

    :raises NotFound: when there is no such model.
    """
    try:
        found = known(reading, name)
        return _view(reading, name, found)
    except DAMAGE as error:
        problem = damage(name, error)
        condition = states.damaged(name, problem)
        return ModelView(
            name=name,
            state=condition.state,
            state_reason=condition.reason,
            action=condition.action,
            champion=None,
            previous=None,
            aliases={},
            versions=0,
            blocked=[],
            last_drift=None,
            last_performance=None,
            last_wake_up=None,
            reviews=[],
            requests=0,
            dag_id=None,
            entries=0,
            digest="",
            problem=problem,
        )


def why_view(reading: Reading, name: str, *, limit: int) -> WhyView:
    """What the loop of a model did and waits for.

    :param limit: how many wake-ups, at most :data:`MOST_WAKE_UPS`.
    :raises NotFound: when there is no such model.
    """
    limit = max(1, min(limit, MOST_WAKE_UPS))
    found, now = known(reading, name, looked_back=max(limit, _LOOKED_BACK)), reading.now()
    return WhyView(
        model=name,
        wake_ups=found.signs.told[:limit],
        requests=loop.requests(found.signs.loop),
        lease=loop.lease(found.signs.loop, now),
        breaker=loop.breaker(found.signs.loop, now),
        next_training=loop.next_training(found.signs.loop, now),
    )


def damage(name: str, error: Exception) -> str:
    """What is wrong with a model's records, as a sentence."""
    return (
        getattr(error, "message", None) or f"A record of model {name} lacks what every such record has. Audit the log."
    )


def _view(reading: Reading, name: str, found: Known) -> ModelView:
    state, told = found.signs.model, found.signs.told
    newest = version_row(reading, state, state.versions) if state.versions else None
    return ModelView(
        name=name,
        state=found.condition.state,
        state_reason=found.condition.reason,
        action=found.condition.action,
        champion=found.champion,
        previous=state.pointed(PREVIOUS),
        aliases={alias: target.version for alias, target in sorted(state.aliases.items())},
        versions=state.versions,
        blocked=sorted(state.blocked),
        last_drift=found.signs.drift,
        last_performance=found.signs.performance,
        last_wake_up=loop.brief(told[0]) if told else None,
        reviews=[review_brief(reading, review) for review in state.waiting(reading.now())],
        requests=len(found.signs.loop.requests),
        dag_id=newest.where.dag_id if newest and newest.where else None,
        entries=state.seq,
        digest=state.digest,
        problem=None,
    )


def _champion(reading: Reading, state: ModelState, performance: PerformanceBrief | None) -> ChampionBrief | None:
    target = state.aliases.get(CHAMPION)
    if target is None:
        return None
    row = version_row(reading, state, target.version)
    since = reading.fact(
        state.model, "since", target.seq, make=lambda: reading.registry.moves(state.model, limit=1)[0][0].time
    )
    evaluated = row.metrics.get(row.metric) if row.metric else None
    live = performance is not None and performance.value is not None and performance.version == row.number
    measured = performance if live and performance is not None else None
    return ChampionBrief(
        version=row.number,
        registered=row.registered,
        since=since,
        metric=measured.metric if measured else row.metric,
        value=measured.value if measured else evaluated,
        low=measured.low if measured else None,
        high=measured.high if measured else None,
        measured="window" if measured else "evaluation",
        window=measured.window if measured else None,
        outcome=row.outcome,
        reason=row.reason,
        evaluation=row.evaluation,
    )
