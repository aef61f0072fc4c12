"""How good models are for parts of the rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from stoker.reports.figures import Figure, intervals
from stoker.reports.scores import LESS_IS_BETTER
from stoker.reports.text import number

_SHOWN = 12


def slices(figures: Mapping[str, Any] | None, metric: str) -> dict[str, Any] | None:
    """All parts that were measured apart, the worst first; ``None`` when there are none.

    :param figures: the figures of the evaluation, if it has any.
    :param metric: the one that decided.
    """
    found: Sequence[Mapping[str, Any]] = (figures or {}).get("slices") or ()
    if not found:
        return None
    sign = -1 if metric in LESS_IS_BETTER else 1
    # Parts with too few rows are not measured; they come last.
    ordered = sorted(found, key=lambda one: (one["challenger"] is None, sign * (one["challenger"] or 0)))
    compared = any(one["champion"] is not None for one in found)
    return {"rows": ordered, "chart": _chart(ordered[:_SHOWN], metric), "compared": compared}


def _chart(parts: Sequence[Mapping[str, Any]], metric: str) -> Figure | None:
    if parts[0]["challenger"] is None:
        return None
    names = [name for name in ("champion", "challenger") if any(one[name] is not None for one in parts)]
    rows = [{"label": _name(one), "value": one[name], "tone": name} for one in parts for name in names]
    caption = f"The challenger is worst where {_name(parts[0])}: {metric} {number(parts[0]['challenger'])}."
    return intervals(caption, metric, rows, legend=[(name.capitalize(), name) for name in names])


def _name(part: Mapping[str, Any]) -> str:
    return f"{part['column']} is {part['value']}"
