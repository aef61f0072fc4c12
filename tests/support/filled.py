"""A store that holds what another one holds."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TypeVar

from stoker.store.base import ObjectStore

Target = TypeVar("Target", bound=ObjectStore)


def fill(target: Target, source: ObjectStore, replaced: Mapping[str, bytes] = MappingProxyType({})) -> Target:
    """Put everything of ``source`` into ``target``, with other bytes under the keys of ``replaced``."""
    for key in source.keys(""):
        target.create(key, replaced[key] if key in replaced else source.read(key))
    return target
