"""The model of the reference project, as a plain function that the DAG hands to its training step."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline


def flights_estimator(max_iter: int = 100, learning_rate: float = 0.1, random_state: int = 0) -> Pipeline:
    """Return an unfitted classifier of late arrivals: gradient-boosted trees on numbers and encoded text columns.

    Columns of text are encoded as categories and every other column is taken as a number, so features may be left out
    or added without a change here. Missing values need no imputation, and an airline or destination that was never
    seen in training is treated as missing.

    :param max_iter: trees; from 1.
    :param learning_rate: the weight of each tree; above 0.
    :param random_state: seed of the boosting; the same seed and rows give the same model.
    """
    # Imported here, because a DAG file imports this module at every parse and scikit-learn takes over a second.
    from sklearn.compose import make_column_selector, make_column_transformer
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OrdinalEncoder

    encode = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=float("nan"))
    columns = make_column_transformer(
        (encode, make_column_selector(dtype_include=["object", "string", "category"])), remainder="passthrough"
    )
    boosting = HistGradientBoostingClassifier(
        max_iter=max_iter, learning_rate=learning_rate, early_stopping=False, random_state=random_state
    )
    return make_pipeline(columns, boosting)
