"""How good a model is: version by version at their evaluations, and window by window in office."""

from __future__ import annotations

from stoker.core.names import check_name
from stoker.registry.state import ModelState
from stoker.ui.views.loop import performance_brief
from stoker.ui.views.reading import Reading
from stoker.ui.views.records import QualityView, VersionPoint
from stoker.ui.views.versions import difference_of, version_row

MOST_POINTS = 200


def quality_view(reading: Reading, name: str, *, versions: int, windows: int) -> QualityView:
    """The last versions and the last judged windows, each oldest first.

    :param versions: how many at most.
    :param windows: how many at most, of all versions together; in the order of version and window.
    :raises NotFound: when there is no such model.
    """
    state = reading.registry.state(check_name(name, "model"))
    least = max(state.versions - max(1, min(versions, MOST_POINTS)), 0)
    points = [_point(reading, state, at) for at in range(least + 1, state.versions + 1)]
    judged = reading.windows(name, "performance").windows()[-max(1, min(windows, MOST_POINTS)) :]
    return QualityView(
        model=name,
        metric=points[-1].metric if points else None,
        versions=points,
        windows=[performance_brief(window) for window in judged],
    )


def _point(reading: Reading, state: ModelState, at: int) -> VersionPoint:
    row = version_row(reading, state, at)
    against = difference_of(reading, state.model, at)
    return VersionPoint(
        version=at,
        registered=row.registered,
        metric=row.metric,
        value=row.metrics.get(row.metric) if row.metric else None,
        champion=against.champion if against else None,
        difference=against.estimate if against else None,
        low=against.low if against else None,
        high=against.high if against else None,
        outcome=row.outcome,
        reason=row.reason,
        aliases=row.aliases,
        blocked=row.blocked,
        evaluation=row.evaluation,
    )
