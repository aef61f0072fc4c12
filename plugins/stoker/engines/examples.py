"""A few of the rows that broke a check, as text."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from stoker.engines.personal import MASK

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

MAX_EXAMPLES = 5

_MAX_TEXT = 200


def show_examples(
    frame: pd.DataFrame, rows: npt.NDArray[np.int64], columns: Sequence[str], *, personal: Collection[str] = ()
) -> list[dict[str, Any]]:
    """The first rows, at most five, each with its values in some columns and in no others.

    :param rows: positions in the frame.
    :param columns: the columns to show; those that the frame lacks are left out.
    :param personal: columns whose values are masked.
    :returns: records with ``row`` and ``values``; a missing value is ``None``.
    """
    shown = [name for name in dict.fromkeys(columns) if name in frame.columns]
    return [
        {"row": row, "values": {name: MASK if name in personal else _text(frame[name].iloc[row]) for name in shown}}
        for row in rows[:MAX_EXAMPLES].tolist()
    ]


def _text(value: Any) -> str | None:
    return None if pd.isna(value) else str(value)[:_MAX_TEXT]
