"""When a window of data has drifted from what a model was trained on, and when somebody should hear of it.

Two questions, kept apart. *Has this window drifted?* A column has when its effect size reaches a threshold **and** the
difference is significant after a correction for the number of tests: significance alone calls everything drift once
there are enough rows, effect size alone calls noise drift while there are few. *Is it an alarm?* Only when it persists
over windows, and once for each incident.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from statistics import fmean, stdev

from stoker.core.verdicts import Outcome, Verdict
from stoker.errors import ConfigurationError

MIN_CHUNKS = 6
"""With fewer chunks of reference data their spread says too little to calibrate a threshold by it."""

_MAX_REASONS = 20


class Correction(StrEnum):
    """How p-values are corrected for the number of tests in a window."""

    BH = "bh"
    HOLM = "holm"
    NONE = "none"


class Kind(StrEnum):
    """What has changed; in this order of urgency."""

    DATA_QUALITY = "data_quality"
    LABEL = "label"
    PREDICTION = "prediction"
    COVARIATE = "covariate"


class State(StrEnum):
    """Where an alarm stands after a window."""

    QUIET = "quiet"
    VIOLATING = "violating"
    ALERT = "alert"
    ONGOING = "ongoing"
    CLEARED = "cleared"


FEATURE, PREDICTION, TARGET = "feature", "prediction", "target"
_KIND_OF_ROLE = {FEATURE: Kind.COVARIATE, PREDICTION: Kind.PREDICTION, TARGET: Kind.LABEL}


@dataclass(frozen=True)
class DriftPolicy:
    """The rules of :class:`~stoker.operators.drift.MonitorDriftOperator`.

    :param num_method: effect size of numeric columns, in Evidently's words, such as ``wasserstein``.
    :param cat_method: effect size of texts and booleans, such as ``jensenshannon``.
    :param threshold: the least effect size of a drift; ``None``: the method's own default.
    :param per_column_method: column to method; wins over the two above.
    :param per_column_threshold: column to threshold; wins over ``threshold``.
    :param alpha: the share of windows without drift in which any column may be called drifted, for ``bh`` and ``holm``.
    :param correction: ``bh`` (Benjamini and Hochberg, 1995), ``holm`` (1979) or ``none``.
    :param calibrate: raise the threshold of a column to what its reference already varies by over time: mean plus
        three standard deviations of the effect sizes of the reference's chunks, each against all others.
    :param clear_ratio: an open incident is over below this share of the threshold; more than 0, at most 1.
    :param drift_share: the share of the features' importance that must have drifted; 0: any feature, however little it seems to
        matter. Evidently's 0.5 of all columns overlooks a drift in the one column that matters.
    :param min_rows: rows of a window below which there is no verdict but ``insufficient_data``.
    :param windows: how many windows back an alarm looks.
    :param min_violations: how many of those must have drifted. Broken data needs no second window: see
        :meth:`violations_needed`.
    :param cooldown: the least time between two alerts of one kind, from window end to window end.
    :param max_missing_increase: by how much the share of missing values of a column may grow.
    """

    num_method: str = "wasserstein"
    cat_method: str = "jensenshannon"
    threshold: float | None = None
    per_column_method: dict[str, str] = field(default_factory=dict)
    per_column_threshold: dict[str, float] = field(default_factory=dict)
    alpha: float = 0.05
    correction: Correction = Correction.BH
    calibrate: bool = True
    clear_ratio: float = 0.75
    drift_share: float = 0.0
    min_rows: int = 200
    windows: int = 5
    min_violations: int = 2
    cooldown: timedelta = timedelta(days=1)
    max_missing_increase: float = 0.2

    def __post_init__(self) -> None:
        thresholds = {f"per_column_threshold[{name}]": value for name, value in self.per_column_threshold.items()}
        if self.threshold is not None:
            thresholds["threshold"] = self.threshold
        for name, value in thresholds.items():
            _within(name, value, 1e-9, 1e9)
        _within("alpha", self.alpha, 1e-6, 0.5)
        _within("clear_ratio", self.clear_ratio, 1e-9, 1.0)
        _within("drift_share", self.drift_share, 0.0, 1.0)
        _within("min_rows", self.min_rows, 2, math.inf)
        _within("windows", self.windows, 1, 100)
        _within("min_violations", self.min_violations, 1, self.windows)
        _within("max_missing_increase", self.max_missing_increase, 0.0, 1.0)
        _within("cooldown", self.cooldown.total_seconds(), 0.0, math.inf)
        if self.correction not in set(Correction):
            raise ConfigurationError(f"correction must be one of {', '.join(Correction)}; got {self.correction!r}.")

    def method(self, column: str, *, numeric: bool) -> str:
        """The effect size of a column."""
        return self.per_column_method.get(column, self.num_method if numeric else self.cat_method)

    def violations_needed(self, kind: Kind) -> int:
        """How many of the last windows must show it. Missing columns and null bursts are no matter of chance: one."""
        return 1 if kind is Kind.DATA_QUALITY else self.min_violations


@dataclass(frozen=True)
class ColumnStatistics:
    """What was measured of one column in one window, before anything is judged.

    :param column: its name.
    :param role: ``feature``, ``prediction`` or ``target``.
    :param method: the effect size's name.
    :param effect: the effect size; NaN when one side has no values.
    :param default_threshold: the method's own.
    :param p_value: of a test whether both sides have one distribution; NaN when it could not be made.
    :param calibration: the effect size of each chunk of the reference against all its others; none: not calibrated.
    :param missing: share of missing values in the window, and before in the reference.
    :param missing_p: of a test whether both shares are one; NaN when it could not be made.
    :param weight: the feature's share of the model's importance, from 0 to 1.
    :param shape: ``ok``, ``empty``, ``constant``, ``vanished`` or ``new``: what is odd about the column of the window.
    """

    column: str
    role: str = FEATURE
    method: str = ""
    effect: float = math.nan
    default_threshold: float = math.nan
    p_value: float = math.nan
    calibration: tuple[float, ...] = ()
    missing: float = 0.0
    missing_before: float = 0.0
    missing_p: float = math.nan
    weight: float = 0.0
    shape: str = "ok"


@dataclass(frozen=True)
class ColumnFinding:
    """The judgement of one column in one window.

    :param kind: ``drift``, ``missing`` (many more missing values), ``vanished``, ``new`` (not in the reference),
        ``empty``, ``constant`` or ``ok``.
    :param group: what kind of drift it would be.
    :param effect: ``None`` when it is undefined.
    :param threshold: the configured one, or the method's own.
    :param calibrated_threshold: what the reference varies by; ``None`` when it was not calibrated. The larger of both decides.
    :param adjusted_p: the p-value after correction, of the test that decided.
    :param drifted: whether the column counts as drifted in this window.
    :param lingers: whether it would not let an open incident end yet.
    """

    column: str
    role: str
    kind: str
    group: Kind
    method: str
    effect: float | None
    threshold: float | None
    calibrated_threshold: float | None
    p_value: float | None
    adjusted_p: float | None
    missing_increase: float
    weight: float
    drifted: bool
    lingers: bool

    @property
    def bar(self) -> float | None:
        """The threshold that decided."""
        known = [value for value in (self.threshold, self.calibrated_threshold) if value is not None]
        return max(known) if known else None

    def describe(self) -> str:
        """A sentence for people."""
        if self.kind == "vanished":
            return f"{self.column} is missing from the window."
        if self.kind in {"missing", "empty"} and self.drifted:
            what = "is empty" if self.kind == "empty" else "misses values"
            return f"{self.column} {what}: the share of missing values grew by {self.missing_increase:.1%} (p {_p(self.adjusted_p)})."
        if self.kind == "new":
            return f"{self.column} was not known at training."
        if self.effect is None:
            return f"{self.column} cannot be compared: {self.kind}."
        constant = ", and holds one value only" if self.kind == "constant" else ""
        how = "calibrated threshold" if self.bar != self.threshold else "threshold"
        verb = "drifted" if self.drifted else "is not clear yet" if self.lingers else "did not drift"
        return (
            f"{self.column} {verb}: {self.method} {self.effect:.3g} against the {how} {self.bar or 0:.3g} "
            f"(p {_p(self.adjusted_p)}){constant}."
        )


@dataclass(frozen=True)
class Observation:
    """What an alarm remembers of one window, for one kind.

    :param end: when the window ends; ``None`` when its rows carry no time.
    :param violates: whether the window has drifted.
    :param lingers: whether it is not clearly over: still above the clear threshold.
    """

    violates: bool
    lingers: bool
    end: datetime | None = None


@dataclass(frozen=True)
class Alarm:
    """Where an alarm stands after the last of a row of windows.

    :param violations: how many of the last windows have drifted.
    :param seen: how many windows that is out of: fewer than the policy's while a version is young.
    :param lasted: how many windows ago the alert was, while the incident is open.
    """

    state: State
    violations: int
    seen: int
    lasted: int = 0

    @property
    def raised(self) -> bool:
        """Whether the incident is open."""
        return self.state in {State.ALERT, State.ONGOING}

    def is_due(self, policy: DriftPolicy) -> bool:
        """Whether the incident calls for an answer: at its alert, and again each time that it has lasted ``windows`` more."""
        return self.raised and self.lasted % policy.windows == 0


def judge_columns(statistics: Iterable[ColumnStatistics], policy: DriftPolicy) -> tuple[ColumnFinding, ...]:
    """Judge one window. A column has drifted when its effect size reaches the threshold and is significant.

    All tests of the window, of distributions and of missing values, are corrected together: with ``bh`` or ``holm``
    at most ``alpha`` of the windows without any drift have a drifted column (for ``bh`` under independence or positive
    dependence of the tests). A test that could not be made counts as none.

    :param statistics: one for each column.
    :returns: one finding for each, in the same order.
    """
    measured = list(statistics)
    tests = [p for one in measured for p in (one.p_value, one.missing_p)]
    adjusted = iter(adjust(tests, policy.correction))
    return tuple(_judge(one, next(adjusted), next(adjusted), policy) for one in measured)


def adjust(p_values: Sequence[float], correction: Correction | str) -> list[float]:
    """P-values corrected for their number; NaN stays NaN and counts as no test.

    :param correction: ``bh``: Benjamini and Hochberg's step-up, ``holm``: Holm's step-down, ``none``.
    """
    known = sorted((p, place) for place, p in enumerate(p_values) if not math.isnan(p))
    count, result = len(known), list(p_values)
    if correction == Correction.BH:
        least = 1.0
        for rank in range(count, 0, -1):
            p, place = known[rank - 1]
            least = min(least, p * count / rank)
            result[place] = least
    elif correction == Correction.HOLM:
        most = 0.0
        for rank, (p, place) in enumerate(known):
            most = max(most, min(1.0, p * (count - rank)))
            result[place] = most
    return result


def calibrated_threshold(effects: Sequence[float]) -> float | None:
    """The mean plus three standard deviations of what the reference's own chunks differ by.

    That is the rule of NannyML, but each chunk is compared with the others alone, not with a reference that holds it.

    :param effects: NaN is left out; fewer than :data:`MIN_CHUNKS` give ``None``.
    """
    known = [effect for effect in effects if math.isfinite(effect)]
    return fmean(known) + 3.0 * stdev(known) if len(known) >= MIN_CHUNKS else None


def observe(findings: Iterable[ColumnFinding], policy: DriftPolicy, end: datetime | None) -> dict[Kind, Observation]:
    """What each kind's alarm remembers of a window."""
    judged = list(findings)
    return {
        kind: Observation(
            violates=_enough(kind, judged, lambda one: one.drifted, policy),
            lingers=_enough(kind, judged, lambda one: one.drifted or one.lingers, policy),
            end=end,
        )
        for kind in Kind
    }


def follow(observations: Sequence[Observation], kind: Kind, policy: DriftPolicy) -> Alarm:
    """Where an alarm stands after a row of windows. A pure fold: the same windows always give the same state.

    It is raised when the last window has drifted and enough of the last ``windows`` have. The incident stays open
    until a window lies below the clear threshold. One incident is one alert: what comes back within ``windows``
    windows after it was cleared is the same incident again, and a new one within ``cooldown`` waits until that has passed.

    :param observations: all windows of one version, in order; the last is the one in question.
    """
    state, alerted_at, cleared_at, began = State.QUIET, None, None, 0
    for place, now in enumerate(observations):
        due = now.violates and _violations(observations[: place + 1], policy) >= policy.violations_needed(kind)
        if state in {State.ALERT, State.ONGOING}:
            state = State.ONGOING if now.violates or now.lingers else State.CLEARED
            cleared_at = place if state is State.CLEARED else cleared_at
        elif due and cleared_at is not None and place - cleared_at <= policy.windows:
            state = State.ONGOING
        elif due and not _cooling(alerted_at, now.end, policy):
            state, alerted_at, began = State.ALERT, now.end, place
        else:
            state = State.VIOLATING if now.violates else State.QUIET
    lasted = len(observations) - 1 - began if state in {State.ALERT, State.ONGOING} else 0
    return Alarm(state, _violations(observations, policy), min(len(observations), policy.windows), lasted)


def judge_window(
    findings: Sequence[ColumnFinding], alarms: Mapping[Kind, Alarm], policy: DriftPolicy, rows: int
) -> Verdict:
    """The verdict of a window in the light of those before it.

    ``fail`` while an incident is open; a window that has drifted without raising an alarm is a ``pass`` that says so.

    :param findings: from :func:`judge_columns`.
    :param alarms: from :func:`follow`, with this window as the last.
    :param rows: of the window.
    """
    if rows < policy.min_rows:
        return Verdict(
            Outcome.INSUFFICIENT_DATA,
            (f"At least {policy.min_rows} rows are needed to judge a window; there are {rows}.",),
        )
    raised = [kind for kind in Kind if alarms[kind].raised]
    noted = [kind for kind in Kind if alarms[kind].state in {State.VIOLATING, State.CLEARED}]
    reasons = [_headline(kind, alarms[kind], policy) for kind in raised or noted]
    told = [one for one in findings if one.drifted or (one.lingers and one.group in raised)]
    told.sort(key=lambda one: (one.group not in raised, not one.drifted, -one.weight))
    reasons += [one.describe() for one in told[:_MAX_REASONS]]
    if len(told) > _MAX_REASONS:
        reasons.append(f"So did {len(told) - _MAX_REASONS} more columns.")
    if raised:
        return Verdict(Outcome.FAIL, (*reasons, *(_headline(kind, alarms[kind], policy) for kind in noted)))
    return Verdict(Outcome.PASS, tuple(reasons) or (f"None of {len(findings)} columns drifted in {rows} rows.",))


def _judge(one: ColumnStatistics, p: float, missing_p: float, policy: DriftPolicy) -> ColumnFinding:
    threshold = policy.per_column_threshold.get(one.column, policy.threshold or one.default_threshold)
    calibrated = calibrated_threshold(one.calibration) if policy.calibrate else None
    bar = max(threshold, calibrated or 0.0)
    increase = one.missing - one.missing_before
    allowed = policy.max_missing_increase
    gaps, gaps_linger = (
        one.role != TARGET and increase > share and missing_p <= policy.alpha
        for share in (allowed, policy.clear_ratio * allowed)
    )
    moved, moved_lingers = (
        p <= policy.alpha and one.effect >= level for level in (bar, policy.clear_ratio * bar)
    )  # NaN compares as False: what cannot be measured has not drifted
    lost = one.shape == "vanished"
    broken = lost or gaps
    kind = one.shape
    if kind in {"ok", "constant"} and gaps:
        kind = "missing"
    elif kind == "ok" and moved:
        kind = "drift"
    return ColumnFinding(
        column=one.column,
        role=one.role,
        kind=kind,
        group=Kind.DATA_QUALITY if broken or (gaps_linger and not moved_lingers) else _KIND_OF_ROLE[one.role],
        method=one.method,
        effect=_finite(one.effect),
        threshold=_finite(threshold),
        calibrated_threshold=calibrated,
        p_value=_finite(one.missing_p if gaps else one.p_value),
        adjusted_p=_finite(missing_p if gaps else p),
        missing_increase=increase,
        weight=one.weight,
        drifted=broken or moved,
        lingers=broken or gaps_linger or moved_lingers,
    )


def _enough(
    kind: Kind, findings: Iterable[ColumnFinding], counts: Callable[[ColumnFinding], bool], policy: DriftPolicy
) -> bool:
    found = [one for one in findings if one.group is kind and counts(one)]
    # An importance is measured on few rows: a 0 is no proof that a feature may drift unheard.
    needed = policy.drift_share if kind is Kind.COVARIATE else 0.0
    return bool(found) and sum(one.weight for one in found) >= needed


def _violations(observations: Sequence[Observation], policy: DriftPolicy) -> int:
    return sum(one.violates for one in observations[-policy.windows :])


def _cooling(alerted_at: datetime | None, now: datetime | None, policy: DriftPolicy) -> bool:
    return alerted_at is not None and now is not None and now - alerted_at < policy.cooldown


def _headline(kind: Kind, alarm: Alarm, policy: DriftPolicy) -> str:
    name = kind.value.replace("_", " ")
    count = f"found in {alarm.violations} of the last {alarm.seen} windows"
    match alarm.state:
        case State.ALERT:
            return f"Alert ({name}): {count}."
        case State.ONGOING:
            return f"The {name} incident goes on: {count}."
        case State.CLEARED:
            return f"The {name} incident is over."
        case _:
            return f"No alert ({name}) yet: {count}, {policy.violations_needed(kind)} needed and no alert within the cooldown before."


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _p(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.2g}"


def _within(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:  # also refuses NaN
        raise ConfigurationError(f"{name} must lie between {low:g} and {high:g}; got {value}.")
