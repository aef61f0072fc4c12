"""The charts of a model's page as data: what ``static/js/page_charts.js`` draws, and the same numbers as a table."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any

from stoker.reports.figures import Figure
from stoker.reports.text import OUTCOMES
from stoker.ui.views import ChampionHistory, PerformanceBrief, QualityView, VersionPoint

_OFFICE = ("promoted", "rolled_back")


def versions_chart(quality: QualityView, champions: ChampionHistory) -> Figure | None:
    """Quality over versions, with those that were champion told apart; ``None`` without a version that has a value."""
    points = [point for point in quality.versions if point.value is not None and point.metric == quality.metric]
    if not points:
        return None
    in_office = {event.version for event in champions.events if event.kind in _OFFICE}
    return Figure(
        "quality-versions",
        f"{quality.metric} of each version at its evaluation, beside the champion of then on the same rows",
        {"metric": quality.metric, "points": [_version_point(point, in_office) for point in points]},
        ["Version", str(quality.metric), "Champion then", "Difference", "from", "to", "Verdict"],
        [
            [f"v{one.version}", one.value, one.champion, one.difference, one.low, one.high, _word(one.outcome)]
            for one in points
        ],
    )


def windows_chart(quality: QualityView) -> Figure | None:
    """Quality in office over monitored windows; ``None`` when none was measured."""
    windows = [one for one in quality.windows if one.value is not None]
    if not windows:
        return None
    metric = windows[-1].metric
    windows = [one for one in windows if one.metric == metric]
    return Figure(
        "quality-windows",
        f"{metric} of the champion in office, measured on labels that came later",
        {"metric": metric, "points": [_window_point(one) for one in windows]},
        ["Window", "Version", str(metric), "from", "to", "At its evaluation", "Verdict"],
        [
            [one.window, f"v{one.version}", one.value, one.low, one.high, one.baseline, _word(one.verdict)]
            for one in windows
        ],
    )


def timeline_chart(champions: ChampionHistory, now: datetime) -> Figure | None:
    """Which version was champion when; ``None`` when there was never one."""
    events = champions.events[::-1]
    spans = [event for event in events if event.kind in _OFFICE]
    if not spans:
        return None
    return Figure(
        "timeline",
        "Which version was champion, and when that changed",
        {
            "now": now.isoformat(),
            "spans": [
                {"version": one.version, "since": one.time.isoformat(), "until": one.until and one.until.isoformat()}
                for one in spans
            ],
            "events": [
                {
                    "kind": one.kind,
                    "version": one.version,
                    "time": one.time.isoformat(),
                    "actor": one.actor,
                    "reason": one.reason,
                }
                for one in events
            ],
        },
        ["Time (UTC)", "What", "Version", "Who"],
        [
            [f"{one.time:%Y-%m-%d %H:%M}", one.kind.replace("_", " "), f"v{one.version}", one.actor]
            for one in champions.events
        ],
    )


def _version_point(point: VersionPoint, in_office: Collection[int]) -> dict[str, Any]:
    low, high = _around_value(point)
    return {
        "version": point.version,
        "value": point.value,
        "low": low,
        "high": high,
        "rival": point.champion,
        "champion": point.version in in_office,
        "blocked": point.blocked,
        "reason": point.reason,
    }


def _around_value(point: VersionPoint) -> tuple[float | None, float | None]:
    """The interval of the difference, laid around the value: where the version stands if the champion of then stands still."""
    value, rival, difference, low, high = point.value, point.champion, point.difference, point.low, point.high
    if value is None or rival is None or difference is None or low is None or high is None:
        return None, None
    # A difference is positive where the version is better, and less of some metrics is better.
    sign = 1 if (value >= rival) == (difference >= 0) else -1
    ends = (value + sign * (low - difference), value + sign * (high - difference))
    return min(ends), max(ends)


def _window_point(one: PerformanceBrief) -> dict[str, Any]:
    return {
        "window": one.window,
        "version": one.version,
        "value": one.value,
        "low": one.low,
        "high": one.high,
        "outcome": one.verdict,
    }


def _word(outcome: str) -> str:
    return OUTCOMES.get(outcome, outcome)
