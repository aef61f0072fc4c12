"""From an Airflow connection to a store and a registry. Credentials stop here."""

from __future__ import annotations

import json
import os
from functools import cached_property
from pathlib import Path
from typing import Any

from airflow.sdk import BaseHook, conf
from airflow.sdk.exceptions import AirflowNotFoundException

from stoker.core.clock import random_id
from stoker.errors import ConfigurationError, StokerError
from stoker.registry.registry import Registry
from stoker.settings import Settings
from stoker.store.base import ObjectStore
from stoker.store.opening import open_store

_CONFIGURED = ("aws_conn_id", "expected_bucket_owner", "trusted_types", "max_threads", "memory_limit")


class StokerHook(BaseHook):
    """Opens the store that a connection of type ``stoker`` names.

    The connection's extra may hold ``store``, ``aws_conn_id``, ``expected_bucket_owner``, ``trusted_types``, ``max_threads``
    and ``memory_limit``. What it leaves out comes from ``[stoker]`` in Airflow's configuration; without either the store is
    ``$AIRFLOW_HOME/stoker``. The default connection need not exist; any other must.

    :param stoker_conn_id: the connection.
    :param store: a store root that wins over the connection's.
    """

    conn_name_attr = "stoker_conn_id"
    default_conn_name = "stoker_default"
    conn_type = "stoker"
    hook_name = "Stoker"

    def __init__(self, stoker_conn_id: str = default_conn_name, *, store: str | None = None) -> None:
        super().__init__()
        self.stoker_conn_id = stoker_conn_id
        self.store_uri = store

    @cached_property
    def settings(self) -> Settings:
        """The settings that hold for this connection.

        :raises ConfigurationError: when a connection other than the default does not exist, or holds unknown settings.
        """
        given = {**_configured(), **self._connected()}
        if self.store_uri:
            given["store"] = self.store_uri
        return Settings.from_mapping(given)

    def get_conn(self) -> ObjectStore:
        """The store, opened."""
        return self._store

    @cached_property
    def registry(self) -> Registry:
        """The registry in the store."""
        return Registry(self._store)

    def identity(self) -> tuple[Any, ...]:
        """What decides which store is opened, and with which credentials: the same for two hooks that open the same one.

        It holds credentials: compare it, and neither log nor keep it elsewhere.
        """
        aws_conn_id = self.settings.aws_conn_id
        if aws_conn_id is None or not self.settings.store.startswith("s3://"):
            return (self.settings,)
        try:
            aws = self.get_connection(aws_conn_id)
        except AirflowNotFoundException:
            return (self.settings,)
        return self.settings, aws.login, aws.password, aws.extra

    def s3_client(self) -> Any:
        """A boto3 S3 client: through the Amazon provider's hook where that is installed, else boto3's own."""
        from botocore.config import Config

        # Retries are the store's: botocore's own would turn a won conditional write into a refusal.
        config = Config(retries={"total_max_attempts": 1, "mode": "standard"}, connect_timeout=10, read_timeout=60)
        aws_conn_id = self.settings.aws_conn_id
        if aws_conn_id is not None:
            try:
                from airflow.providers.amazon.aws.hooks.s3 import S3Hook
            except ImportError:
                self.log.info("The Amazon provider is not installed; S3 credentials come from boto3's own chain.")
            else:
                return S3Hook(aws_conn_id=aws_conn_id, config=config).get_conn()
        import boto3

        return boto3.client("s3", config=config)

    def test_connection(self) -> tuple[bool, str]:
        """Open the store and prove that it refuses to replace an object; the button in Airflow's connection form."""
        from stoker.store.probe import probe_conditional_writes

        try:
            probe_conditional_writes(self._store, new_id=random_id)
        except StokerError as error:
            return False, error.message
        return True, f"{self._store.uri} takes writes and refuses to replace what is there."

    @cached_property
    def _store(self) -> ObjectStore:
        settings = self.settings
        return open_store(
            settings.store, s3_client_factory=self.s3_client, expected_bucket_owner=settings.expected_bucket_owner
        )

    def _connected(self) -> dict[str, Any]:
        try:
            extra = self.get_connection(self.stoker_conn_id).extra
        except AirflowNotFoundException as error:
            if self.stoker_conn_id == self.default_conn_name:
                return {}
            raise ConfigurationError(
                f"The connection {self.stoker_conn_id!r} must exist; it does not. Create one of type 'stoker'."
            ) from error
        given = _parsed(extra, self.stoker_conn_id)
        return {name: value for name, value in given.items() if value not in (None, "")}


def _parsed(extra: str | None, conn_id: str) -> dict[str, Any]:
    """The extra as JSON. Airflow itself takes a broken one for an empty one, and a task would go on in another store."""
    try:
        given = json.loads(extra or "{}")
    except (ValueError, RecursionError):
        given = None
    if not isinstance(given, dict):
        # The error that json raised holds the whole text, so it must not travel along.
        raise ConfigurationError(
            f"The extra of the connection {conn_id!r} must be a JSON object; it is not. Correct it."
        )
    return given


def _configured() -> dict[str, Any]:
    """The section ``[stoker]``. Its defaults are declared by the provider, and absent where only the folder is deployed."""
    given: dict[str, Any] = {name: conf.get("stoker", name, fallback=None) for name in _CONFIGURED}
    given["store"] = conf.get("stoker", "store_uri", fallback=None) or f"file://{_airflow_home()}/stoker"
    return given


def _airflow_home() -> Path:
    return Path(os.path.expandvars(os.environ.get("AIRFLOW_HOME", "~/airflow"))).expanduser()
