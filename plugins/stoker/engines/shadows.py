"""The model in office beside another one on the very same labelled rows.

A hard week makes every model look bad. Whether another would have done better is only to be seen on the same rows.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from stoker.core.promotion import PairedDifference
from stoker.loop.cohorts import Cohort


@dataclass(frozen=True)
class Beside:
    """A version that scored the same rows as the one in office.

    :param version: its number.
    :param difference: how much better the one in office is; it stands there as the challenger.
    """

    version: int
    difference: PairedDifference

    @property
    def worse(self) -> bool:
        """Whether the one in office is surely worse: the whole interval lies on the bad side."""
        return self.difference.high < 0

    @property
    def reason(self) -> str:
        """What was found, for people."""
        one = self.difference
        answer = "is surely worse than" if self.worse else "is not surely worse than"
        return (
            f"On the same rows the model {answer} v{self.version}: {one.metric} {one.challenger:.4f} against {one.champion:.4f}, "
            f"difference {one.estimate:+.4f} (negative is worse), interval {one.low:+.4f} to {one.high:+.4f}."
        )

    def to_record(self) -> dict[str, Any]:
        """What stands in documents; the difference and its ends are negative where the one in office is worse."""
        one = self.difference
        numbers = {"value": one.champion, "difference": one.estimate, "low": one.low, "high": one.high}
        finite = {name: value if math.isfinite(value) else None for name, value in numbers.items()}
        return {"version": self.version, **finite, "worse": self.worse}


def comparable(office: Mapping[str, Any], other: Mapping[str, Any], cohorts: Sequence[Cohort]) -> bool:
    """Whether another version answers the same question, and on rows that are as new to it as to the one in office.

    :param office: the content of the candidate document of the version in office.
    :param other: that of the other.
    """
    same = all(office[name] == other[name] for name in ("task", "classes", "target"))
    return same and not any(cohort.trained(other) for cohort in cohorts)
