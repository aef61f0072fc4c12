"""Charts as data: what ``assets/kinds.js`` draws, with the same numbers as a table for everybody who sees no drawing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from stoker.reports.text import epoch, number, percent, visible

Series = Sequence[tuple[str, Sequence[Any]]]
"""Names with their values, one for each label, edge or point."""


@dataclass(frozen=True)
class Figure:
    """One chart.

    :param kind: how it is drawn; a name that ``assets/kinds.js`` registers, or the pages' own ``page_charts.js``.
    :param caption: what it says, as a sentence.
    :param data: what the drawing needs; JSON-safe.
    :param columns: the headings of the table.
    :param rows: its cells; numbers are written as people read them.
    """

    kind: str
    caption: str
    data: Mapping[str, Any]
    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]


def intervals(
    caption: str,
    label: str,
    rows: Iterable[Mapping[str, Any]],
    marks: Iterable[tuple[float, str]] = (),
    *,
    legend: Sequence[tuple[str, str]] = (),
) -> Figure:
    """Values with their intervals, one below the other.

    :param label: of the axis.
    :param rows: with ``label``, ``value``, and if known ``low``, ``high`` and ``tone``.
    :param marks: values to compare them with, each with a word for it.
    :param legend: names with their tones, where a label has more than one value.
    """
    shown = [{**row, "label": visible(row["label"])} for row in rows if row["value"] is not None]
    lines = [{"value": value, "label": visible(text)} for value, text in marks]
    named = {tone: name for name, tone in legend}
    return Figure(
        "intervals",
        caption,
        {
            "label": visible(label),
            "rows": shown,
            "marks": lines,
            "legend": [{"name": name, "tone": tone} for name, tone in legend],
        },
        ("", *(("Shown as",) if named else ()), label, "Low", "High"),
        [
            *((row["label"], *_of(row, named), row["value"], row.get("low"), row.get("high")) for row in shown),
            *((line["label"], *_of(line, named), line["value"], None, None) for line in lines),
        ],
    )


def _of(row: Mapping[str, Any], named: Mapping[str, str]) -> tuple[str | None, ...]:
    """What colours say in the chart, for the table."""
    return (named.get(row.get("tone", "")),) if named else ()


def lines(
    caption: str,
    x: str,
    y: str,
    series: Sequence[Mapping[str, Any]],
    *,
    diagonal: tuple[float, float] | None = None,
    square: bool = False,
    dots: bool = False,
) -> Figure:
    """Curves in one pair of axes.

    :param x: label of the axis.
    :param y: label of the other.
    :param series: with ``name``, ``x``, ``y`` and if wanted ``tone``.
    :param diagonal: the ends of a line from corner to corner.
    :param square: whether both axes go from 0 to 1.
    :param dots: whether each point is marked.
    """
    domain = [0, 1] if square else None
    data = {
        "x": {"label": visible(x), **({"domain": domain} if domain else {})},
        "y": {"label": visible(y), **({"domain": domain} if domain else {})},
        "series": [{**one, "name": visible(one["name"])} for one in series],
        "diagonal": diagonal,
        "square": square,
        "dots": dots,
    }
    rows = [(one["name"], *point) for one in series for point in zip(one["x"], one["y"], strict=True)]
    return Figure("lines", caption, data, ("", x, y), rows)


def bars(
    caption: str, label: str, rows: Iterable[tuple[str, float]], *, tone: str = "champion", shares: bool = False
) -> Figure:
    """One bar a name.

    :param shares: whether the values are shares of a whole.
    """
    shown = [(visible(name), value) for name, value in rows]
    drawn = [{"label": name, "value": value, "tone": tone} for name, value in shown]
    cells = [(name, percent(value) if shares else value) for name, value in shown]
    return Figure("bars", caption, {"label": visible(label), "rows": drawn, "percent": shares}, ("", label), cells)


def matrix(caption: str, labels: Sequence[Any], counts: Sequence[Sequence[int]]) -> Figure:
    """A confusion matrix.

    :param counts: a line for each actual class, a column for each predicted one.
    """
    names = [visible(str(label)) for label in labels]
    data = {"rows": names, "columns": names, "counts": counts}
    rows = [(name, *line) for name, line in zip(names, counts, strict=True)]
    return Figure("matrix", caption, data, ("Actual, predicted as", *names), rows)


def distribution(
    caption: str,
    label: str,
    series: Series,
    *,
    edges: Sequence[float] | None = None,
    labels: Sequence[Any] | None = None,
    shares: bool = True,
    times: bool = False,
    tones: Sequence[str] = ("reference", "current"),
) -> Figure:
    """How values are distributed, before and after.

    :param edges: of the bins of numbers; one more than there are values.
    :param labels: the categories, where they are no numbers.
    :param shares: whether the values are shares of all rows; else they are counts.
    :param times: whether the edges are moments, in seconds since 1970.
    """
    named = [{"name": visible(name), "values": values} for name, values in series]
    named = [{**one, "tone": tone} for one, tone in zip(named, tones, strict=False)]
    common = {"label": visible(label), "series": named, "percent": shares}
    if edges is not None:
        edge = epoch if times else number
        places: Sequence[Any] = [f"{edge(low)} to {edge(high)}" for low, high in pairwise(edges)]
        kind, data = "histogram", {**common, "edges": edges, "times": times}
    else:
        places = [visible(str(one)) for one in labels or ()]
        kind, data = "categories", {**common, "labels": places}
    write = percent if shares else number
    cells = [[write(value) for value in one["values"]] for one in named]
    rows = [(place, *values) for place, *values in zip(places, *cells, strict=True)]
    return Figure(kind, caption, data, (label, *(one["name"] for one in named)), rows)


def points(caption: str, x: str, y: str, series: Sequence[Mapping[str, Any]]) -> Figure:
    """A cloud of points around the diagonal."""
    rows = [(one["name"], *point) for one in series for point in zip(one["x"], one["y"], strict=True)]
    return Figure("points", caption, {"x": {"label": x}, "y": {"label": y}, "series": series}, ("", x, y), rows)
