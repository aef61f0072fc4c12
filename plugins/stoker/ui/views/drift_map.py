"""Which columns drifted in which windows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stoker.core.names import check_name
from stoker.errors import IntegrityError, NotFound, UsageError
from stoker.loop.windows import Window
from stoker.ui.views.loop import drift_brief
from stoker.ui.views.reading import Reading, mapping, number, text
from stoker.ui.views.records import DriftCell, DriftColumn, DriftMap, DriftWindow

MOST_WINDOWS = 30
MOST_COLUMNS = 40

_Column = tuple[str, str, float | None, DriftCell]
"""Name, role and weight of a column of data, and what was found of it in one window."""


def drift_map(reading: Reading, name: str, *, windows: int) -> DriftMap:
    """The last windows with what was found in each column; one document is read for each, once.

    :param windows: how many, at most :data:`MOST_WINDOWS`, in the order of version and window.
    :raises NotFound: when there is no such model.
    """
    reading.registry.state(check_name(name, "model"))
    judged = reading.windows(name, "drift").windows()[-max(1, min(windows, MOST_WINDOWS)) :]
    found = [_columns(reading, window) for window in judged]
    columns = _ranked([cells or {} for cells in found])
    return DriftMap(
        model=name,
        windows=[_window(window, missing=cells is None) for window, cells in zip(judged, found, strict=True)],
        columns=columns[:MOST_COLUMNS],
        omitted=max(len(columns) - MOST_COLUMNS, 0),
    )


def _window(window: Window, *, missing: bool) -> DriftWindow:
    brief = drift_brief(window)
    return DriftWindow(
        window=brief.window,
        version=brief.version,
        verdict=brief.verdict,
        alert=brief.alert,
        end=brief.end,
        document=brief.document,
        missing=missing,
    )


def _columns(reading: Reading, window: Window) -> Mapping[str, _Column] | None:
    """What was found in a window by column; ``None`` when its document is gone or damaged, which must not hide all else."""
    digest = text(window.facts.get("document"))
    if digest is None:
        return None
    try:
        found: Mapping[str, _Column] = reading.page("drift", digest, make=lambda: _cells(reading, digest))
    except (NotFound, UsageError, IntegrityError):
        return None
    return found


def _cells(reading: Reading, digest: str) -> dict[str, _Column]:
    columns = reading.document(digest, "drift").get("columns")
    found = [_cell(mapping(column)) for column in (columns if isinstance(columns, list) else ())]
    return {one[0]: one for one in found}


def _cell(column: Mapping[str, Any]) -> _Column:
    bars = [number(column.get("threshold")), number(column.get("calibrated_threshold"))]
    cell = DriftCell(
        effect=number(column.get("effect")),
        bar=max((bar for bar in bars if bar is not None), default=None),
        drifted=column.get("drifted") is True,
        kind=text(column.get("kind")) or "ok",
        method=text(column.get("method")) or "",
        reason=text(column.get("reason")) or "",
    )
    return text(column.get("column")) or "", text(column.get("role")) or "", number(column.get("weight")), cell


def _ranked(found: list[Mapping[str, _Column]]) -> list[DriftColumn]:
    """Every column over all windows: those that drifted most often first, and of those the ones that went furthest."""
    names = dict.fromkeys(name for cells in found for name in cells)
    columns = [_column(name, [cells.get(name) for cells in found]) for name in names]
    return sorted(columns, key=lambda one: (-one.drifted, -(one.worst or 0.0), -(one.weight or 0.0), one.column))


def _column(name: str, found: list[_Column | None]) -> DriftColumn:
    _, role, weight, _ = next(one for one in reversed(found) if one is not None)
    cells = [one[3] if one is not None else None for one in found]
    shares = [cell.effect / cell.bar for cell in cells if cell is not None and cell.effect is not None and cell.bar]
    return DriftColumn(
        column=name,
        role=role,
        weight=weight,
        drifted=sum(cell is not None and cell.drifted for cell in cells),
        worst=max(shares, default=None),
        cells=cells,
    )
