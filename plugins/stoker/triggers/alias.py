"""An alias that moves lets a waiting task go on."""

from __future__ import annotations

from typing import Any

from stoker.core.records import Reference
from stoker.errors import NotFound
from stoker.store import layout
from stoker.triggers.waiting import WaitingTrigger


class ModelAliasTrigger(WaitingTrigger):
    """For a task that waits: fires when an alias of a model points where the task wants it.

    :param name: the registered model.
    :param alias: the alias.
    :param version: the version that it must point at; any by default.
    :param newer_than: a version; it must point at a later one.
    """

    def __init__(
        self,
        *,
        name: str,
        alias: str = "champion",
        version: int | None = None,
        newer_than: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.name = name
        self.alias = alias
        self.version = version
        self.newer_than = newer_than

    def arguments(self) -> dict[str, Any]:
        """The arguments of its own."""
        return {name: getattr(self, name) for name in ("name", "alias", "version", "newer_than")}

    def look(self) -> Reference | None:
        """A reference of kind ``version``, once the alias points at a wanted one. A model that does not exist may yet come."""
        registry = self.hook.registry
        try:
            found = registry.resolve(self.name, self.alias)
        except NotFound:
            return None
        if self.version not in {None, found.number} or found.number <= (self.newer_than or 0):
            return None
        return Reference(
            kind="version",
            uri=f"{registry.store.uri}/{layout.version_manifest(self.name, found.number)}",
            digest=found.digest,
            verdict="pass",
            summary={
                "name": self.name,
                "version": found.number,
                "fingerprint": found.fingerprint,
                "reasons": [f"{self.name}@{self.alias} is version {found.number}."],
            },
        )
