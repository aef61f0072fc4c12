"""How often drift rules alarm when nothing has drifted, and how often they see a drift: a seeded simulation.

    python -m benchmarks.drift_alarms [--windows 1000] [--image docs/images/drift-alarms.png]

50 features: 30 normal, 10 exponential and 10 categories of six values. The reference is 20 consecutive chunks, each as large as a window,
drawn like the windows; every 50 windows a new reference is drawn, since a false alarm may be its fault.

No rows are drawn. The counts of independent rows in fixed cells are multinomial, so counts in the profile's cells, about 1024 for a
number, are drawn from that distribution directly; that is exact for the counts and makes 500,000 rows as cheap as 200. Within a cell every
value is taken for the cell's mean, which shifts a normalised Wasserstein distance by about 0.001.

Rules:

* ``stoker``: the judgement of one window by :mod:`stoker.core.drift`, and ``stoker 2 of 5``: its alarm with ``windows=5``,
  ``min_violations=2``.
* ``evidently``: the default for more than 1,000 reference rows: normalised Wasserstein or Jensen-Shannon distance of at least 0.1 by
  column; as a dataset when half of the columns drifted (``share``), or when any did (``any``).
* ``p < 0.05``: what Evidently does for up to 1,000 reference rows, here for all: a Kolmogorov-Smirnov or chi-square test by column, any.
* ``nannyml``: its default, a Jensen-Shannon distance above 0.1 by column, any; here with Evidently's bins instead of Doane's.
* ``nannyml 3 sd``: its calibrated thresholds, which it has for Wasserstein: outside mean ± 3 standard deviations of the reference's own
  chunks, each against the whole reference; categories by Jensen-Shannon above 0.1; any column.

NannyML's two are re-implemented from its documentation.
"""

from __future__ import annotations

import argparse
import logging
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

from stoker.core.drift import ColumnFinding, DriftPolicy, Kind, Observation, follow, judge_columns, observe
from stoker.engines import divergences, drift_measures
from stoker.engines.profiles import ColumnProfile, profile_arrays

log = logging.getLogger(__name__)

SIZES = (200, 2_000, 20_000, 500_000)
SHIFTS = (0.0, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5)
CHUNKS = 20
SERIES = 50
"""Windows that are judged against one reference, one after the other."""

SHIFTED = "normal_00"
POLICY = DriftPolicy()
RULES = ("stoker", "stoker 2 of 5", "evidently share", "evidently any", "p < 0.05", "nannyml", "nannyml 3 sd")

Laws = Mapping[str, Any]
"""By column: the probability of each of its cells."""

_SAMPLE = 50_000
_CATEGORIES = np.array([0.4, 0.25, 0.15, 0.1, 0.07, 0.03])


@dataclass(frozen=True)
class Feature:
    """One column of the world.

    :param name: its name.
    :param cells: a profile that says where its cells lie.
    :param law: its distribution; ``None`` for a category.
    """

    name: str
    cells: ColumnProfile
    law: Any

    def shares(self, shift: float) -> Any:
        """The probability of each cell when the values are moved by ``shift`` standard deviations."""
        if self.law is None:
            known = dict(zip("abcdef", _CATEGORIES, strict=True))
            return np.array([*(known[name] for name in self.cells.categories), 0.0])
        edges = self.cells.edges - shift * self.law.std()
        return np.diff(self.law.cdf(np.concatenate([[-np.inf], edges, [np.inf]])))


@dataclass(frozen=True)
class World:
    """A reference, and what each rule has learnt from it.

    :param unrest: by column: the effects of the reference's chunks against the others.
    :param limits: by column: NannyML's lower and upper threshold.
    """

    reference: Mapping[str, ColumnProfile]
    unrest: Mapping[str, tuple[float, ...]]
    limits: Mapping[str, tuple[float, float]]

    def window(self, rows: int, laws: Laws, generator: np.random.Generator) -> dict[str, ColumnProfile]:
        """A window of so many rows."""
        return {
            name: self.reference[name].with_counts(generator.multinomial(rows, shares)) for name, shares in laws.items()
        }


def features(generator: np.random.Generator) -> tuple[Feature, ...]:
    """The columns of the world, with cells chosen by the profile itself from a sample."""
    normal, exponential = stats.norm(), stats.expon()
    laws: dict[str, Any] = {f"normal_{number:02d}": normal for number in range(30)}
    laws |= {f"exponential_{number:02d}": exponential for number in range(10)}
    laws |= {f"category_{number:02d}": None for number in range(10)}
    drawn = {
        name: generator.choice(list("abcdef"), _SAMPLE, p=_CATEGORIES)
        if law is None
        else law.rvs(_SAMPLE, random_state=generator)
        for name, law in laws.items()
    }
    profile = profile_arrays(drawn, chunks=1)
    return tuple(Feature(name, profile.columns[name], law) for name, law in laws.items())


def world(known: tuple[Feature, ...], laws: Laws, rows: int, generator: np.random.Generator) -> World:
    """Draw a reference of 20 chunks of so many rows each, and let the rules learn from it."""
    reference = {
        one.name: one.cells.with_counts(generator.multinomial(rows, laws[one.name], size=CHUNKS)) for one in known
    }
    unrest = {name: drift_measures.calibration(column, POLICY) for name, column in reference.items()}
    return World(reference, unrest, {name: nannyml_limits(column) for name, column in reference.items()})


def nannyml_limits(reference: ColumnProfile) -> tuple[float, float]:
    """Mean ± 3 standard deviations of the distance of each chunk from a reference that holds it; a constant for categories."""
    if not reference.numeric:
        return -np.inf, 0.1
    distances = [
        divergences.divergence("wasserstein", reference, reference.with_counts(chunk)) for chunk in reference.counts
    ]
    return float(np.mean(distances) - 3 * np.std(distances)), float(np.mean(distances) + 3 * np.std(distances))


def judge(here: World, window: Mapping[str, ColumnProfile]) -> tuple[dict[str, set[str]], list[ColumnFinding]]:
    """The columns that each rule calls drifted, and our own findings."""
    effects = {
        name: divergences.divergence(POLICY.method(name, numeric=column.numeric), column, window[name])
        for name, column in here.reference.items()
    }
    flagged: dict[str, set[str]] = {rule: set() for rule in RULES}
    flagged["evidently any"] = {name for name, effect in effects.items() if effect >= 0.1}
    for name, column in here.reference.items():
        low, high = here.limits[name]
        if not low <= effects[name] <= high:
            flagged["nannyml 3 sd"].add(name)
        if divergences.divergence("jensenshannon", column, window[name]) > 0.1:
            flagged["nannyml"].add(name)
        if significant(column, window[name]):
            flagged["p < 0.05"].add(name)
    findings = []
    # Below the clear threshold everywhere no p-value can change the answer, and those of 500,000 rows are dear.
    if max(effects.values()) >= POLICY.clear_ratio * 0.1:
        weight = 1 / len(here.reference)
        measured = [
            drift_measures.measure_column(column, window[name], POLICY, weight=weight, unrest=here.unrest[name])
            for name, column in here.reference.items()
        ]
        findings = list(judge_columns(measured, POLICY))
    flagged["stoker"] = {one.column for one in findings if one.drifted}
    return flagged, findings


def significant(reference: ColumnProfile, window: ColumnProfile) -> bool:
    """Whether the p-value is below 0.05; for numbers by the asymptotic critical value of Kolmogorov and Smirnov."""
    if not reference.numeric:
        return divergences.significance(reference, window) < 0.05
    critical = 1.358 * np.sqrt(1 / reference.values + 1 / window.values)
    return bool(divergences.divergence("ks", reference, window) > critical)


def simulate(rows: int, windows: int, shift: float = 0.0, seed: int = 0) -> dict[str, float]:
    """The share of windows in which each rule alarms; with a shift, in which it names the shifted column.

    :param rows: of a window, and of each chunk of the reference.
    :param windows: how many.
    """
    generator = np.random.default_rng([seed, rows, round(1000 * shift)])
    known = features(generator)
    counts = dict.fromkeys(RULES, 0)
    for alarmed in _alarms(known, rows, windows, shift, generator):
        for rule in alarmed:
            counts[rule] += 1
    return {rule: count / windows for rule, count in counts.items()}


def _alarms(
    known: tuple[Feature, ...], rows: int, windows: int, shift: float, generator: np.random.Generator
) -> Iterator[set[str]]:
    """The rules that alarm, window by window."""
    started = time.perf_counter()
    quiet = {one.name: one.shares(0.0) for one in known}
    laws = {**quiet, SHIFTED: next(one for one in known if one.name == SHIFTED).shares(shift)}
    for number in range(windows):
        if number % SERIES == 0:
            here, seen = world(known, quiet, rows, generator), list[Observation]()
            log.info("%d rows: %d of %d windows after %.0f s", rows, number, windows, time.perf_counter() - started)
        flagged, findings = judge(here, here.window(rows, laws, generator))
        seen.append(observe(findings, POLICY, None)[Kind.COVARIATE])
        wanted = {SHIFTED} if shift else set(here.reference)
        alarmed = {rule for rule, columns in flagged.items() if columns & wanted}
        if 2 * len(flagged["evidently any"]) >= len(here.reference):
            alarmed.add("evidently share")
        if follow(seen, Kind.COVARIATE, POLICY).raised:
            alarmed.add("stoker 2 of 5")
        yield alarmed


def plot(quiet: Mapping[int, Mapping[str, float]], shifted: Mapping[float, Mapping[str, float]], image: Path) -> None:
    """Both panels."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.8), sharey=True, layout="constrained")
    styles = dict(zip(RULES, ("C0-o", "C0--s", "C1-o", "C1--s", "C7:^", "C2--s", "C2-o"), strict=True))
    for rule, style in styles.items():
        left.plot(list(quiet), [shares[rule] for shares in quiet.values()], style, label=rule, ms=4)
        right.plot(list(shifted), [shares[rule] for shares in shifted.values()], style, ms=4)
    left.axhline(POLICY.alpha, color="black", lw=0.8, ls=":")
    left.annotate("5 %", (SIZES[-1], POLICY.alpha), ha="right", va="bottom", fontsize=8)
    left.set(
        xscale="log", xlabel="rows of a window", ylabel="share of windows", title="No drift, 50 features: false alarms"
    )
    right.set(xlabel="shift of one feature, sd", title="One of 50 features shifted, 2,000 rows: found")
    figure.legend(loc="outside lower center", ncols=len(RULES), frameon=False, fontsize=9)
    image.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(image, dpi=120)


def main() -> None:
    """Run everything on two processes, print the table and draw the picture."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--windows", type=int, default=1000, help="windows of each size without drift")
    parser.add_argument("--image", type=Path, default=Path("docs/images/drift-alarms.png"))
    given = parser.parse_args()
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(message)s")
    with ProcessPoolExecutor(2) as pool:
        quiet = {rows: pool.submit(simulate, rows, given.windows) for rows in SIZES}
        found = {
            shift: pool.submit(simulate, 2_000, max(given.windows // 5, SERIES), shift) for shift in SHIFTS if shift
        }
        without = {rows: future.result() for rows, future in quiet.items()}
        shifted = {0.0: dict.fromkeys(RULES, 0.0)} | {shift: future.result() for shift, future in found.items()}
    _show(f"Alarms without drift, {given.windows} windows each", "rows", without)
    del shifted[0.0]
    _show("Drift of one feature found, 2,000 rows", "shift", shifted)
    plot(without, shifted, given.image)
    print(f"Drawn to {given.image}")


def _show(title: str, heading: str, table: Mapping[Any, Mapping[str, float]]) -> None:
    print(f"\n{title}\n{heading:>8} " + " ".join(f"{rule:>16}" for rule in RULES))
    for key, shares in table.items():
        print(f"{key:>8} " + " ".join(f"{shares[rule]:>16.1%}" for rule in RULES))


if __name__ == "__main__":
    main()
