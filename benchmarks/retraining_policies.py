"""What retraining is worth: mean AUC against the number of retrainings on the flights year, policy by policy.

Every policy starts with the model of January and February and walks through the weeks from March on. At the end of each
it decides, from what is known then, whether the next week gets a model that is fitted on all rows so far. Beside the
policies stand yardsticks that look at no data, retraining every so many weeks and random schedules, and one that looks
at too much: the best schedule in hindsight.

Run it with ``python -m benchmarks.retraining_policies``. The models are fitted once and kept in the temporary folder.
"""

from __future__ import annotations

import argparse
import logging
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from rich import box
from rich.console import Console
from rich.table import Table
from scipy.stats import spearmanr

from benchmarks import retraining_alarms as alarms
from benchmarks.retraining_matrix import ROOT, Array, Matrix, build, read_year
from stoker.core.drift import DriftPolicy
from stoker.core.triage import Action
from stoker.loop.policy_file import load_policy

if TYPE_CHECKING:
    from matplotlib.axes import Axes

log = logging.getLogger(__name__)

PICTURE = ROOT / "docs/images/retraining-front.png"
SHIPPED = ROOT / "include/policies/flights_loop.yaml"
EVIDENTLY_SHARE = 0.5
THRESHOLDS, MAX_AGE = (0.1, 1.0, 2.0), 8
PERIODS = (1, 2, 3, 4, 6, 8, 11, 13, 22)
DEFAULT, OURS, RIVAL, PERIODIC = "ours, as shipped", "ours, other settings", "others", "every so many weeks"
MONTHLY = "every month"
# Okabe and Ito's colours, which people with any kind of colour vision tell apart.
STYLES = {
    PERIODIC: ("#E69F00", "s", 28),
    RIVAL: ("#D55E00", "X", 60),
    OURS: ("#56B4E9", "o", 28),
    DEFAULT: ("#0072B2", "*", 190),
}
INK = "#333333"
SCHEDULES, SEED = 200, 0
PAIRS, HORIZON = 250, 4  # models with weeks, and the weeks after over which a gain is measured
DRAWS, BLOCK = 10_000, 4  # weather makes neighbouring weeks alike, so four weeks are drawn together


@dataclass(frozen=True)
class Walk:
    """What became of a policy.

    :param weekly: the AUC of the model in office in each week from March on.
    :param retrained: the windows at whose end it was retrained.
    :param rollbacks: how often an earlier model came back.
    """

    name: str
    group: str
    weekly: Array
    retrained: tuple[int, ...]
    rollbacks: int

    @property
    def retrainings(self) -> int:
        """How many models it cost, after the first."""
        return len(self.retrained)

    @property
    def auc(self) -> float:
        """The mean over weeks."""
        return float(self.weekly.mean())


def walk(matrix: Matrix, name: str, group: str, rule: alarms.Rule) -> Walk:
    """Walk a rule through the weeks. A new model takes over at once: the gate is not what is compared here."""
    models, weekly, retrained, rollbacks = [1], [], [], 0
    for window in range(1, matrix.year.windows):
        weekly.append(matrix.auc[models[-1], window])
        previous = models[-2] if len(models) > 1 else None
        action = rule(models[-1], window, previous) if window + 1 < matrix.year.windows else Action.NONE
        if action is Action.RETRAIN:
            models.append(window + 1)
            retrained.append(window)
        elif action is Action.ROLLBACK:
            models.pop()
            rollbacks += 1
    walked = Walk(name, group, np.array(weekly), tuple(retrained), rollbacks)
    log.info("%s: %d retrainings, mean AUC %.4f.", name, walked.retrainings, walked.auc)
    return walked


def random_schedules(matrix: Matrix, retrainings: int) -> Array:
    """Weekly AUC of :data:`SCHEDULES` random schedules of that many retrainings, one schedule a line."""
    generator, windows = np.random.default_rng([SEED, retrainings]), matrix.year.windows
    in_office = np.zeros((SCHEDULES, windows), dtype=np.int64)
    for schedule in in_office:
        starts = [1, *generator.choice(np.arange(2, windows), retrainings, replace=False)]
        schedule[starts] = starts
    result: Array = matrix.auc[np.maximum.accumulate(in_office, axis=1), np.arange(windows)][:, 1:]
    return result


def best_schedule(matrix: Matrix, most: int) -> list[float]:
    """The highest mean AUC of any schedule of 0, 1, ... ``most`` retrainings, chosen with all labels at hand."""
    last = matrix.year.windows - 1
    sums = np.nancumsum(matrix.auc, axis=1)

    @cache
    def best(model: int, left: int) -> float:
        stay = float(sums[model, last])
        if not left:
            return stay
        change = [float(sums[model, new - 1]) + best(new, left - 1) for new in range(model + 1, last + 1)]
        return max([stay, *change])

    return [best(1, count) / last for count in range(most + 1)]


def difference(first: Array, second: Array) -> tuple[float, float, float]:
    """The mean difference over weeks, and its 95 % interval by a circular block bootstrap (Politis & Romano, 1992)."""
    weekly = first - second
    generator, count = np.random.default_rng(SEED), len(weekly)
    begins = generator.integers(0, count, size=(DRAWS, -(-count // BLOCK)))
    drawn = (begins[:, :, None] + np.arange(BLOCK)).reshape(DRAWS, -1)[:, :count] % count
    low, high = np.quantile(weekly[drawn].mean(axis=1), [0.025, 0.975])
    return float(weekly.mean()), float(low), float(high)


def rivals(matrix: Matrix) -> list[Walk]:
    """The policies of others, as they come."""
    year = matrix.year
    share = alarms.evidently_share(year)
    rules = {
        "never": alarms.never,
        MONTHLY: alarms.each_month(year),
        "Evidently, half of the columns (its default)": alarms.retrain_when(lambda *at: share(*at) >= EVIDENTLY_SHARE),
        "Evidently, any column": alarms.retrain_when(lambda *at: share(*at) > 0),
        "NannyML, any column": alarms.nannyml(year),
    }
    return [walk(matrix, name, RIVAL, rule) for name, rule in rules.items()]


def ours(matrix: Matrix, engine: alarms.Ours) -> list[Walk]:
    """The shipped policy first, then all others that were tried, none left out."""
    shipped = load_policy(SHIPPED)
    concept_alone = replace(shipped.triage, covariate=Action.INVESTIGATE, label=Action.INVESTIGATE)
    walks = [
        walk(matrix, "shipped: flights_loop.yaml", DEFAULT, engine.rule(shipped)),
        walk(matrix, "performance drop alone", OURS, engine.rule(replace(shipped, triage=concept_alone))),
    ]
    kept = replace(shipped.triage, rollback_within=0)
    labels = {"": None, "performance": shipped.triage, "performance without rollback": kept}
    settings = product(_drift_settings(shipped.drift).items(), labels.items(), ["", "staleness"])
    for (alarm, drift), (looked_at, triage), staleness in settings:
        policy = replace(shipped, drift=drift, triage=triage or shipped.triage)
        rule = engine.rule(policy, labels=triage is not None, max_age=MAX_AGE if staleness else None)
        walks.append(walk(matrix, ", ".join(part for part in (alarm, looked_at, staleness) if part), OURS, rule))
    return walks


def _drift_settings(default: DriftPolicy) -> dict[str, DriftPolicy]:
    fixed = replace(default, calibrate=False)
    return {
        "calibrated, 2 of 5 weeks": default,
        "calibrated, 1 week": replace(default, windows=1, min_violations=1),
        **{f"threshold {level:g}, 2 of 5 weeks": replace(fixed, threshold=level) for level in THRESHOLDS},
    }


def front(walks: Sequence[Walk]) -> list[Walk]:
    """Those that no other beats with as few retrainings, by their number."""
    ordered = sorted(walks, key=lambda one: (one.retrainings, -one.auc))
    best, kept = -np.inf, []
    for one in ordered:
        if one.auc > best:
            best = one.auc
            kept.append(one)
    return kept


@dataclass(frozen=True)
class Yardsticks:
    """What a policy is held against.

    :param chance: weekly AUC of random schedules, by number of retrainings.
    :param best: the highest mean AUC that the same numbers allow.
    """

    chance: list[Array]
    best: list[float]

    @property
    def mean(self) -> Array:
        """The mean AUC of random schedules, by number of retrainings."""
        return np.array([weekly.mean() for weekly in self.chance])

    def above(self, one: Walk) -> float:
        """How much higher a policy's mean AUC is than that of random schedules with as many retrainings."""
        return one.auc - float(self.mean[one.retrainings])

    def beaten(self, one: Walk) -> float:
        """The share of random schedules with as many retrainings that do worse."""
        return float(np.mean(self.chance[one.retrainings].mean(axis=1) < one.auc))

    def needed(self, auc: float) -> int | None:
        """With how many retrainings random schedules reach an AUC on average; ``None``: they never do."""
        enough = np.flatnonzero(self.mean >= auc)
        return int(enough[0]) if len(enough) else None


def yardsticks(matrix: Matrix) -> Yardsticks:
    """For every possible number of retrainings."""
    most = matrix.year.windows - 2
    return Yardsticks([random_schedules(matrix, count) for count in range(most + 1)], best_schedule(matrix, most))


def table(walks: Sequence[Walk], against: Yardsticks) -> Table:
    """All policies, the cheapest first."""
    result = Table(box=box.SIMPLE_HEAD)
    for title in ("policy", "retrainings", "mean AUC", "above random", "random beaten", "random needs", "front"):
        result.add_column(title, justify="left" if title == "policy" else "right")
    best = front(walks)
    for one in sorted(walks, key=lambda one: (one.retrainings, one.auc)):
        needed, open_choice = against.needed(one.auc), 0 < one.retrainings < len(against.chance) - 1
        rolled_back = f" ({one.rollbacks} rolled back)" if one.rollbacks else ""
        result.add_row(
            f"{one.name}{rolled_back}",
            str(one.retrainings),
            f"{one.auc:.4f}",
            f"{against.above(one):+.4f}" if open_choice else "",
            f"{against.beaten(one):.0%}" if open_choice else "",
            "never" if needed is None else str(needed),
            "*" if one in best else "",
            style="bold" if one.group == DEFAULT else None,
        )
    return result


def differences(policy: Walk, others: Sequence[Walk], against: Yardsticks) -> Table:
    """How sure the difference between a policy and the others is."""
    chance = against.chance[policy.retrainings].mean(axis=0)
    rows = [("random schedules, their mean", policy.retrainings, chance)]
    rows += [(one.name, one.retrainings, one.weekly) for one in others]
    result = Table(f"{policy.name}, against", "retrainings", "difference", "95 % interval", box=box.SIMPLE_HEAD)
    for name, count, weekly in rows:
        mean, low, high = difference(policy.weekly, weekly)
        result.add_row(name, f"{policy.retrainings} : {count}", f"{mean:+.4f}", f"{low:+.4f} to {high:+.4f}")
    return result


def savings(month: Walk, walks: Sequence[Walk]) -> Table:
    """What each retraining that is saved costs in AUC, against one every month, and who lies on the front of these alone."""
    result = Table(
        "policy", "retrainings", "mean AUC", "saved", "AUC lost", "lost for each saved", "front", box=box.SIMPLE_HEAD
    )
    best = front([month, *walks])
    for one in sorted([month, *walks], key=lambda one: (one.retrainings, one.auc)):
        saved, lost = month.retrainings - one.retrainings, month.auc - one.auc
        numbers = [str(one.retrainings), f"{one.auc:.4f}", str(saved), f"{lost:+.4f}"]
        result.add_row(one.name, *numbers, f"{lost / saved:+.5f}" if saved > 0 else "", "*" if one in best else "")
    return result


def correlations(matrix: Matrix, engine: alarms.Ours) -> Table:
    """Which signal goes along with what a retraining would bring: Spearman's rank correlation over models and weeks."""
    last = matrix.year.windows - 1
    pairs = [(model, window) for model in range(1, last) for window in range(model, last)]
    chosen = np.random.default_rng(SEED).choice(len(pairs), PAIRS, replace=False)
    measured = [engine.signals(*pairs[place]) for place in chosen]
    gains = [_gain(matrix, *pairs[place]) for place in chosen]
    result = Table("signal at the end of a week", "correlation with the gain", box=box.SIMPLE_HEAD)
    for name in measured[0]:
        result.add_row(name, f"{spearmanr([one[name] for one in measured], gains).statistic:+.2f}")
    return result


def _gain(matrix: Matrix, model: int, window: int) -> float:
    """What retraining at the end of a week adds to the mean AUC of the following weeks."""
    ahead = slice(window + 1, window + 1 + HORIZON)
    return float(np.mean(matrix.auc[window + 1, ahead] - matrix.auc[model, ahead]))


def draw(walks: Sequence[Walk], against: Yardsticks, path: Path) -> None:
    """Mean AUC against the number of retrainings, as a PNG of 1200 by 750 pixels."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    plt.rcParams.update({
        "font.size": 11,
        "text.color": INK,
        "axes.labelcolor": INK,
        "xtick.color": INK,
        "ytick.color": INK,
    })
    figure, axes = plt.subplots(figsize=(8, 5), dpi=150, layout="constrained", facecolor="white")
    counts = np.arange(len(against.chance))
    low, high = np.quantile([weekly.mean(axis=1) for weekly in against.chance], [0.05, 0.95], axis=1)
    axes.fill_between(counts, low, high, color="#bbbbbb", alpha=0.35, linewidth=0)
    axes.plot(counts, against.mean, color="#888888", label="random schedules: mean, 5-95 %")
    axes.plot(counts, against.best, color="#888888", linestyle=":", label="best schedule in hindsight")
    for group, (colour, marker, size) in STYLES.items():
        points = [(one.retrainings, one.auc) for one in walks if one.group == group]
        axes.scatter(
            *zip(*points, strict=True), s=size, c=colour, marker=marker, label=group, zorder=3, edgecolors="white"
        )
    for one in walks:
        if one.group in {RIVAL, DEFAULT}:
            _name(axes, one, left=one.retrainings > len(counts) / 2)
    axes.set_xlabel("retrainings from March to December")
    axes.set_ylabel("mean AUC over 44 weeks")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(loc="lower right", frameon=False, fontsize=9)
    figure.savefig(path, metadata={"Software": None})
    plt.close(figure)


def _name(axes: Axes, one: Walk, *, left: bool) -> None:
    axes.annotate(
        one.name.split(" (")[0],
        (one.retrainings, one.auc),
        xytext=(7, -32 if one.group == DEFAULT else -12),
        textcoords="offset points",
        fontsize=9,
        color=STYLES[one.group][0],
        ha="right" if left else "left",
    )


def main() -> None:
    """Print the tables and write the picture."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--picture", type=Path, default=PICTURE)
    given = parser.parse_args()
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    logging.getLogger("benchmarks").setLevel(logging.INFO)
    warnings.simplefilter("ignore")  # Evidently's, about logarithms of empty bins
    matrix = build(read_year())
    against = yardsticks(matrix)
    others = rivals(matrix)
    periodic = [
        walk(matrix, "every week" if weeks == 1 else f"every {weeks} weeks", PERIODIC, alarms.every(weeks))
        for weeks in PERIODS
    ]
    engine = alarms.Ours(matrix)
    tried = ours(matrix, engine)
    console = Console(width=140)
    console.print(table([*others, *periodic, *tried], against))
    shipped, performance, *_ = tried
    console.print(differences(shipped, [*others, *periodic, performance], against))
    month = next(one for one in others if one.name == MONTHLY)
    console.print(savings(month, [*(one for one in others if one is not month), performance, shipped]))
    console.print(correlations(matrix, engine))
    draw([*others, *periodic, *tried], against, given.picture)
    console.print(str(given.picture))


if __name__ == "__main__":
    main()
