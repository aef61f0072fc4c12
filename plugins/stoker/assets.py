"""The assets by which Stoker's DAGs and their users' DAGs hear of one another."""

from __future__ import annotations

from airflow.sdk import Asset

from stoker.core.names import check_alias, check_name

GROUP = "stoker"


def model_asset(name: str, alias: str = "champion") -> Asset:
    """The alias of a model as an asset, such as ``x-stoker://model/churn/champion``.

    Give it to a promote task as an outlet, and to a DAG as its schedule, and that DAG runs whenever the champion moves.

    :param name: the registered model.
    :param alias: the alias.
    :raises InvalidName: when either breaks the naming rules.
    """
    check_name(name, "model")
    check_alias(alias)
    return Asset(name=f"{name}.{alias}", uri=f"x-stoker://model/{name}/{alias}", group=GROUP)
