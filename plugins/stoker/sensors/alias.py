"""Wait until an alias of a model points at a version."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from stoker.core.names import parse_version
from stoker.sensors._base import StokerSensor
from stoker.triggers.alias import ModelAliasTrigger


class ModelAliasSensor(StokerSensor):
    """Wait until an alias points at any version, at a given one, or at one later than another.

    Returns a reference of kind ``version``. A model that does not exist yet is waited for.

    :param name: the registered model.
    :param alias: the alias.
    :param version: the version that it must point at; any by default.
    :param newer_than: a version; it must point at a later one. A rollback does not count.
    """

    template_fields: Sequence[str] = ("name", "alias", "version", "newer_than", *StokerSensor.template_fields)

    def __init__(
        self,
        *,
        name: str,
        alias: str = "champion",
        version: int | str | None = None,
        newer_than: int | str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.name = name
        self.alias = alias
        self.version = version
        self.newer_than = newer_than

    def make_trigger(self, **common: Any) -> ModelAliasTrigger:
        """Looks where the alias points."""
        return ModelAliasTrigger(
            name=self.name,
            alias=self.alias,
            version=None if self.version is None else parse_version(self.version),
            newer_than=None if self.newer_than is None else parse_version(self.newer_than),
            **common,
        )
