from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from stoker.engines import baselines
from stoker.engines.baselines import fit_baselines
from stoker.engines.persistence import dump_model

GENERATOR = np.random.default_rng(0)
FRAME = pd.DataFrame({
    "number": np.where(GENERATOR.random(300) < 0.1, np.nan, GENERATOR.normal(size=300)),
    "count": GENERATOR.integers(0, 5, 300),
    "flag": GENERATOR.random(300) < 0.5,
    "word": np.where(GENERATOR.random(300) < 0.1, np.nan, GENERATOR.choice(["a", "b"], 300).astype(object)),
    "when": pd.Timestamp("2013-01-01", tz="UTC"),
})


@pytest.mark.parametrize(
    ("task", "y"),
    [
        ("binary", GENERATOR.integers(0, 2, 300)),
        ("multiclass", GENERATOR.choice(["x", "y", "z"], 300)),
        ("regression", GENERATOR.normal(size=300)),
    ],
)
def test_both_baselines_take_every_kind_of_column_and_can_be_stored(task, y):
    fitted = fit_baselines(FRAME, y, task=task, random_state=0)
    assert list(fitted) == ["dummy", "linear"]
    for model in fitted.values():
        assert len(model.predict(FRAME)) == 300
        dump_model(model)


def test_the_linear_one_takes_words_that_it_has_not_seen_and_gaps_in_flags():
    model = fit_baselines(FRAME, GENERATOR.integers(0, 2, 300), task="binary", random_state=0)["linear"]
    other = FRAME.assign(word="new", flag=np.nan)
    assert np.isfinite(model.predict_proba(other)).all()


def test_many_rows_are_sampled_by_the_seed(monkeypatch):
    monkeypatch.setattr(baselines, "MAX_ROWS", 50)
    y = np.arange(300.0)
    first, again, other = (
        fit_baselines(FRAME, y, task="regression", random_state=seed)["dummy"].predict(FRAME)[0] for seed in (1, 1, 2)
    )
    assert first == again != other


def test_columns_that_no_linear_model_takes_leave_only_the_dummy():
    frame = FRAME.assign(number=np.inf)
    assert list(fit_baselines(frame, GENERATOR.normal(size=300), task="regression", random_state=0)) == ["dummy"]
