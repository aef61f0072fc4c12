from __future__ import annotations

import math

import numpy as np
import pytest

from stoker.engines.figures import MAX_POINTS, number, numbers, store_figures, text, thinned
from stoker.errors import StoreUnavailable
from stoker.store.documents import get_document
from stoker.store.memory import MemoryStore


def test_what_json_does_not_have_becomes_null():
    assert numbers([1.0, math.nan, math.inf, -math.inf, 1 / 3]) == [1.0, None, None, None, 0.333333]
    assert number(np.float64(1357000000.5), 10) == 1357000000


def test_a_label_is_short_and_a_number_in_it_plain():
    assert [text(one) for one in (True, 3, 0.1 + 0.2, "a" * 100)] == ["True", "3", "0.3", "a" * 64]


@pytest.mark.parametrize("points", [2, 3, 150, 20_000])
def test_a_thinned_curve_keeps_its_ends_its_corner_and_its_area(points):
    x = np.linspace(0, 1, points)
    y = np.minimum(1, 20 * x)
    kept = thinned(x, y)
    assert len(kept) <= MAX_POINTS
    assert (kept[0], kept[-1]) == (0, points - 1)
    assert np.all(np.diff(kept) > 0)
    assert np.trapezoid(y[kept], x[kept]) == pytest.approx(np.trapezoid(y, x), abs=0.001)


def test_a_curve_that_does_not_move_is_its_two_ends():
    assert thinned(np.ones(500), np.ones(500)).tolist() == [0, 499]


def test_figures_are_a_document_with_what_they_belong_to():
    store = MemoryStore()
    digest = store_figures(store, "drift", lambda: {"rows": 1})
    assert digest == store_figures(store, "drift", lambda: {"rows": 1})
    assert get_document(store, digest, "figures") == {"format": 1, "kind": "figures", "of": "drift", "rows": 1}


@pytest.mark.parametrize("draw", [lambda: {"rows": 1 / 0}, lambda: {"rows": math.nan}, lambda: {"rows": np.int64(1)}])
def test_figures_that_cannot_be_drawn_are_told_and_fail_nothing(draw, caplog):
    store = MemoryStore()
    assert store_figures(store, "evaluation", draw) is None
    assert "The figures of the evaluation could not be drawn" in caplog.text
    assert list(store.keys("")) == []


def test_a_store_out_of_reach_is_no_matter_of_drawing(monkeypatch):
    def away(*_):
        raise StoreUnavailable("The store must answer; it does not.")

    store = MemoryStore()
    monkeypatch.setattr(store, "create", away)
    with pytest.raises(StoreUnavailable):
        store_figures(store, "drift", dict)
