"""The assets by which Stoker's DAGs and their users' DAGs hear of one another."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from airflow.sdk import Asset, AssetWatcher

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


def data_asset(dataset: str) -> Asset:
    """New data of a dataset, such as ``x-stoker://data/flights``. Watch it for landed files, or give it to a task as an outlet.

    :param dataset: the dataset.
    :raises InvalidName: when it breaks the naming rules.
    """
    return _asset("data", dataset, "dataset")


def predictions_asset(model: str) -> Asset:
    """New predictions of a model, such as ``x-stoker://predictions/churn``.

    :param model: the registered model.
    :raises InvalidName: when it breaks the naming rules.
    """
    return _asset("predictions", model, "model")


def alert_asset(name: str) -> Asset:
    """An alert about a model, such as ``x-stoker://alert/churn``. A monitoring task emits it only when there is one.

    :param name: the registered model.
    :raises InvalidName: when it breaks the naming rules.
    """
    return _asset("alert", name, "model")


def _asset(what: str, name: str, kind: str) -> Asset:
    check_name(name, kind)
    return Asset(name=f"{name}.{what}", uri=f"x-stoker://{what}/{name}", group=GROUP)


def landing_asset(dataset: str, source: str, *, watchers: Sequence[AssetWatcher] = ()) -> Asset:
    """The place where files of a dataset land, such as ``s3://bucket/landing/``.

    :param dataset: the dataset that the files are taken into.
    :param source: a folder or an ``s3://`` prefix.
    :param watchers: what tells Airflow of new files; see :class:`~stoker.triggers.new_data.NewDataEventTrigger`.
    """
    uri = source if "://" in source else Path(source).absolute().as_uri()
    return Asset(name=f"{check_name(dataset, 'dataset')}.landed", uri=uri, group=GROUP, watchers=list(watchers))


def retrain_asset(name: str, *, watchers: Sequence[AssetWatcher] = ()) -> Asset:
    """The open requests to retrain a model.

    :param watchers: what tells Airflow of them; see :class:`~stoker.triggers.requests.RetrainRequestTrigger`.
    """
    check_name(name, "model")
    return Asset(name=f"{name}.retrain", uri=f"x-stoker://retrain/{name}", group=GROUP, watchers=list(watchers))
