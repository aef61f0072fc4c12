from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from stoker.core import wire
from stoker.engines.examples import show_examples

FRAME = pd.DataFrame({
    "n": [1.5, np.nan, -3.0, 4.0, 5.0, 6.0, 7.0],
    "text": ["x" * 500, np.nan, "</script>", "‮", "", "e", "f"],
    "at": pd.date_range("2013-01-01", periods=7, tz="UTC"),
    "flag": [True] * 7,
})


def test_the_first_five_rows_are_shown_in_the_columns_asked_for():
    shown = show_examples(FRAME, np.array([1, 2, 3, 4, 5, 6]), ["n", "text"])
    assert [one["row"] for one in shown] == [1, 2, 3, 4, 5]
    assert shown[0]["values"] == {"n": None, "text": None}
    assert shown[1]["values"] == {"n": "-3.0", "text": "</script>"}
    wire.canonical(shown)


def test_a_long_value_is_cut():
    assert show_examples(FRAME, np.array([0]), ["text"])[0]["values"]["text"] == "x" * 200


def test_times_and_flags_are_text_and_missing_columns_left_out():
    assert show_examples(FRAME, np.array([0]), ["at", "flag", "gone", "at"]) == [
        {"row": 0, "values": {"at": "2013-01-01 00:00:00+00:00", "flag": "True"}}
    ]


@pytest.mark.parametrize("row", [0, 1])
def test_a_personal_value_is_masked_missing_or_not(row):
    assert show_examples(FRAME, np.array([row]), ["n", "text"], personal=["text"])[0]["values"]["text"] == "•••"
