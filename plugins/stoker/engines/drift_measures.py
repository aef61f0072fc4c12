"""What there is to judge of the columns of a window: effect sizes, p-values and the unrest of the reference, from profiles alone."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from stoker.core.drift import FEATURE, ColumnStatistics, DriftPolicy
from stoker.engines import divergences
from stoker.engines.profiles import ColumnProfile, Profile


def measure(
    reference: Profile, window: Profile, policy: DriftPolicy, weights: Mapping[str, float]
) -> Iterator[ColumnStatistics]:
    """What is to be judged of each column. Labels and predictions that the window does not have yet are nothing to judge.

    :param window: counted in the cells of the reference.
    :param weights: each feature's share of the model's importance.
    """
    for name, column in reference.columns.items():
        if name in window.columns:
            unrest = calibration(column, policy)
            yield measure_column(column, window.columns[name], policy, weight=weights.get(name, 0.0), unrest=unrest)
        elif column.role == FEATURE:
            yield ColumnStatistics(name, shape="vanished", weight=weights.get(name, 0.0))
    for name in window.unknown:
        yield ColumnStatistics(name, shape="new")


def calibration(reference: ColumnProfile, policy: DriftPolicy) -> tuple[float, ...]:
    """The effect size of each chunk of a reference against its others; none when a chunk is smaller than a window must be, for such
    chunks differ by chance alone.
    """
    chunks = reference.counts.sum(axis=1)
    if not policy.calibrate or not (chunks[chunks > 0] >= policy.min_rows).all():
        return ()
    method = policy.method(reference.name, numeric=reference.numeric)
    return tuple(divergences.leave_one_out(method, reference).tolist())


def measure_column(
    reference: ColumnProfile,
    window: ColumnProfile,
    policy: DriftPolicy,
    *,
    weight: float,
    unrest: tuple[float, ...] = (),
) -> ColumnStatistics:
    """What is to be judged of one column.

    :param weight: the feature's share of the model's importance.
    :param unrest: what :func:`calibration` gives for the reference.
    """
    method = policy.method(reference.name, numeric=reference.numeric)
    return ColumnStatistics(
        column=reference.name,
        role=reference.role,
        method=method,
        effect=divergences.divergence(method, reference, window),
        default_threshold=divergences.METHODS[method].threshold,
        p_value=divergences.significance(reference, window) if reference.values and window.values else math.nan,
        calibration=unrest,
        missing=_share(window.nulls, window.rows),
        missing_before=_share(reference.nulls, reference.rows),
        missing_p=divergences.missing_significance(reference, window) if reference.nulls or window.nulls else math.nan,
        weight=weight,
        shape=_shape(reference, window),
    )


def _shape(reference: ColumnProfile, window: ColumnProfile) -> str:
    if window.rows and not window.values:
        return "empty"
    if not reference.values and window.values:
        return "new"
    different, before = ((column.cells > 0).sum() for column in (window, reference))
    return "constant" if different == 1 and before > 1 and window.values > 1 else "ok"


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0
