"""Draw what retraining is worth: the champion against a model that was never trained again, month by month.

Run it on the report that the demo leaves::

    python benchmarks/plot_auc.py demo-report.json auc.png
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Two of Okabe and Ito's colours, which people with any kind of colour vision tell apart.
RETRAINED, FROZEN, INK = "#0072B2", "#D55E00", "#333333"
INCHES, DOTS_PER_INCH = (8, 4.5), 150


def read_months(report: Path) -> list[dict[str, Any]]:
    """The months of a report that have both scores, in order of time.

    :raises ValueError: when fewer than two months have both, so that there is nothing to draw.
    """
    months = [
        month
        for month in json.loads(report.read_text())["months"]
        if month["champion_auc"] is not None and month["frozen_auc"] is not None
    ]
    if len(months) < 2:
        raise ValueError(f"At least two months need a champion_auc and a frozen_auc; {report} has {len(months)}.")
    return sorted(months, key=lambda month: str(month["month"]))


def draw(months: list[dict[str, Any]], path: Path) -> None:
    """Write the picture as a PNG of 1200 by 675 pixels.

    :param months: what :func:`read_months` returns.
    """
    plt.rcParams.update({
        "font.size": 11,
        "text.color": INK,
        "axes.labelcolor": INK,
        "xtick.color": INK,
        "ytick.color": INK,
    })
    figure, axes = plt.subplots(figsize=INCHES, dpi=DOTS_PER_INCH, layout="constrained", facecolor="white")
    at = range(len(months))
    retrained = [month["champion_auc"] for month in months]
    frozen = [month["frozen_auc"] for month in months]
    axes.fill_between(at, frozen, retrained, color=RETRAINED, alpha=0.08, linewidth=0)
    _line(axes, frozen, FROZEN, "s", "trained once", above=frozen[-1] > retrained[-1])
    _line(axes, retrained, RETRAINED, "o", "kept trained", above=frozen[-1] <= retrained[-1])
    axes.set_xticks(at, [str(month["month"]) for month in months], rotation=30, ha="right")
    axes.set_ylabel("AUC on the whole month")
    better = sum(new > old for new, old in zip(retrained, frozen, strict=True))
    axes.set_title(f"Better in {better} of {len(months)} months, each scored before it was trained on", loc="left")
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color="#e5e5e5")
    axes.set_axisbelow(True)
    figure.savefig(path, metadata={"Software": None})
    plt.close(figure)


def _line(axes: Axes, values: list[float], colour: str, marker: str, label: str, *, above: bool) -> None:
    """A line that says at its end what it is; ``above`` keeps the two texts apart when the lines end close together."""
    axes.plot(values, color=colour, marker=marker, linewidth=2)
    axes.annotate(
        f"{label}\n{values[-1]:.3f}",
        (len(values) - 1, values[-1]),
        xytext=(10, 0),
        textcoords="offset points",
        color=colour,
        va="bottom" if above else "top",
        annotation_clip=False,
    )


def main() -> None:
    """Draw the picture and say where it is."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("report", type=Path)
    parser.add_argument("picture", type=Path)
    given = parser.parse_args()
    draw(read_months(given.report), given.picture)
    print(given.picture)


if __name__ == "__main__":
    main()
