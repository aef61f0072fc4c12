"""What one call of the command line was told, and the store that follows from it."""

from __future__ import annotations

import getpass
import importlib.util
import os
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from stoker.core.records import Actor
from stoker.errors import ConfigurationError, UsageError
from stoker.registry.registry import Registry
from stoker.store.base import ObjectStore

if TYPE_CHECKING:
    from stoker.hooks.registry import StokerHook

STORE_VARIABLE = "STOKER_STORE"


@dataclass
class Invocation:
    """The options that all commands share.

    :param store_uri: the store's root, from ``--store``.
    :param conn_id: the Airflow connection that names the store.
    :param user: who acts; ``None`` means the login name.
    :param as_json: whether a program reads the answer.
    """

    store_uri: str | None = None
    conn_id: str | None = None
    user: str | None = None
    as_json: bool = False

    @property
    def source(self) -> str:
        """Where the address of the store comes from, in words."""
        if self.store_uri:
            return "--store"
        if self.conn_id is None and os.environ.get(STORE_VARIABLE):
            return STORE_VARIABLE
        return f"Airflow: connection {self.conn_id or 'stoker_default'}, then [stoker] store_uri, then the default"

    @property
    def actor(self) -> Actor:
        """Who is behind this call.

        :raises UsageError: when this process has no login name and none was given.
        """
        return Actor(user=self.user or _login_name(), origin="cli")

    @cached_property
    def store(self) -> ObjectStore:
        """The store, opened.

        :raises ConfigurationError: when nothing names one.
        """
        if self.hook is not None:
            return self.hook.get_conn()
        from stoker.store.opening import open_store

        return open_store(self._direct_uri or "")

    @cached_property
    def registry(self) -> Registry:
        """The registry in the store."""
        return Registry(self.store)

    @property
    def trusted_types(self) -> Iterable[str]:
        """Types beyond Stoker's own list that a model file may hold; known where Airflow's settings are used."""
        return self.hook.settings.trusted_types if self.hook is not None else ()

    @cached_property
    def hook(self) -> StokerHook | None:
        """Airflow's side of it; ``None`` where the store was named without Airflow.

        :raises ConfigurationError: when Airflow is not installed, and nothing else names a store.
        """
        if self._direct_uri:
            return None
        if importlib.util.find_spec("airflow") is None:
            raise ConfigurationError(
                f"A store must be named where Airflow is not installed; got none. Pass --store or set {STORE_VARIABLE}."
            )
        # Airflow looks for connections in its database only where a process says that it may; its own commands do the same.
        os.environ.setdefault("_AIRFLOW_PROCESS_CONTEXT", "server")
        from stoker.hooks.registry import StokerHook

        return StokerHook(self.conn_id or StokerHook.default_conn_name, store=self.store_uri)

    @property
    def _direct_uri(self) -> str | None:
        """The address when Airflow need not be asked. A connection that is named is always asked."""
        return None if self.conn_id else self.store_uri or os.environ.get(STORE_VARIABLE)


def _login_name() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError) as error:  # the last two before Python 3.13
        raise UsageError("A change must name who makes it; this process has no login name. Pass --user.") from error
