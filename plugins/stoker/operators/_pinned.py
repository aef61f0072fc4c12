"""The version that all tasks of a run work with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stoker.core.names import check_alias, check_name, parse_version
from stoker.errors import NotFound
from stoker.loop.pins import pinned

if TYPE_CHECKING:
    from airflow.sdk import Context

    from stoker.registry.registry import Registry
    from stoker.registry.versions import Version


def pinned_version(registry: Registry, name: str, which: str, context: Context) -> Version | None:
    """The version that an alias points at, as decided by the first task of the run that asked; ``None`` while it is unset.

    :param which: an alias, or a version number, which is taken as it is.
    :raises NotFound: when the model has no such version.
    :raises VersionArchived: when retention gave the version's files up.
    """
    if which.isdigit():
        version = registry.version(name, parse_version(which))
        version.require_files()  # an alias never leads to one without them
        return version
    check_name(name, "model")
    check_alias(which)
    ti = context["ti"]
    try:
        number = pinned(
            registry.store, name, f"{ti.dag_id}/{ti.run_id}@{which}", lambda: registry.resolve(name, which).number
        )
    except NotFound:
        return None
    return registry.version(name, number)
