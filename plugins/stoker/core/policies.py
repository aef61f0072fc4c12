"""What must hold before a model may take over: thresholds and the comparison with the champion, as data.

The files that people write are read by :mod:`stoker.loop.policy_file`; here is only what they mean.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from enum import StrEnum

from stoker.errors import ConfigurationError


class Comparison(StrEnum):
    """What the challenger must show against the champion on the same rows."""

    SUPERIORITY = "superiority"
    NON_INFERIORITY = "non_inferiority"


class Mode(StrEnum):
    """What a gate does with its verdict."""

    ENFORCE = "enforce"
    DRY_RUN = "dry_run"
    OFF = "off"


@dataclass(frozen=True)
class Bounds:
    """The range in which a metric must lie, both ends included; ``None`` leaves an end open."""

    min: float | None = None
    max: float | None = None

    def __post_init__(self) -> None:
        if self.min is None and self.max is None:
            raise ConfigurationError("A threshold must give a min or a max; got neither. Write e.g. {min: 0.7}.")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ConfigurationError(f"A threshold's min must not exceed its max; got {self.min} and {self.max}.")


@dataclass(frozen=True)
class GatePolicy:
    """The rules of :class:`~stoker.operators.evaluate.EvaluateModelOperator`.

    :param thresholds: metric name to bounds, on the evaluation rows.
    :param metric: the metric on which champion and challenger are compared.
    :param comparison: ``superiority``: better by more than ``margin``; ``non_inferiority``: worse by less than ``margin``.
    :param margin: in units of the metric; 0 or more.
    :param alpha: the share of worthless challengers that may slip through, one-sided; between 0 and 0.5.
    :param n_boot: resamples of the paired bootstrap; at least 100.
    :param min_rows: evaluation rows below which there is no verdict but ``insufficient_data``.
    :param max_overlap: share of evaluation rows that may also have been training rows of either model.
    """

    thresholds: dict[str, Bounds] = field(default_factory=dict)
    metric: str | None = None
    comparison: Comparison = Comparison.SUPERIORITY
    margin: float = 0.0
    alpha: float = 0.05
    n_boot: int = 2000
    min_rows: int = 200
    max_overlap: float = 0.0

    def __post_init__(self) -> None:
        _within("margin", self.margin, 0.0, sys.float_info.max)  # with an infinite one every model would do
        _within("alpha", self.alpha, 0.0001, 0.5)
        _within("n_boot", self.n_boot, 100, 1_000_000)
        _within("min_rows", self.min_rows, 2, float("inf"))
        _within("max_overlap", self.max_overlap, 0.0, 1.0)
        if self.comparison is Comparison.NON_INFERIORITY and self.margin == 0.0:
            raise ConfigurationError(
                "A non-inferiority comparison needs a margin above 0; got 0. Give one, such as 0.005."
            )


def _within(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:  # also refuses NaN
        raise ConfigurationError(f"{name} must lie between {low} and {high}; got {value}.")
