"""Which windows of a model's data were monitored, and what was found: the memory of alarms that look back.

A window belongs to the version that it was judged against, so that a promotion starts with a clean slate and a rollback
finds its own past again. Windows are ordered as text, whenever they were judged.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from stoker.core import clock as time
from stoker.core import wire
from stoker.core.names import check_partition, check_version
from stoker.core.shapes import COUNT, OBJECT, TEXT, Maybe, Shape, conform
from stoker.errors import UsageError
from stoker.loop.journal import Journal
from stoker.store import layout
from stoker.store.base import ObjectStore

KEPT = 400
"""So many windows of a version are remembered, the last ones in their order; so are the last versions with any."""

MAX_FACTS_BYTES = 2 * 1024

_KEPT_VERSIONS = 8


@dataclass(frozen=True)
class Window:
    """One monitored window, as it was judged last.

    :param window: its key: a partition.
    :param version: the version of the model that it was judged against.
    :param end: when it ends, as ISO text; ``None`` when its rows carry no time.
    :param facts: what the monitoring step noted.
    """

    window: str
    version: int
    end: str | None
    facts: Mapping[str, Any]


_State = tuple[Window, ...]

_WINDOW: Mapping[str, Shape] = {"window": TEXT, "version": COUNT, "end": Maybe(TEXT), "facts": OBJECT}


class WindowLog:
    """The monitored windows of one model, for one kind of monitoring.

    :param kind: ``drift`` or ``performance``.
    """

    def __init__(
        self,
        store: ObjectStore,
        model: str,
        kind: str,
        *,
        clock: time.Clock = time.system_clock,
        new_id: time.IdFactory = time.random_id,
    ) -> None:
        self._journal: Journal[_State] = Journal(
            store,
            layout.journal(model, kind),
            fold=_fold,
            empty=(),
            dump=lambda state: {"windows": [asdict(one) for one in state]},
            load=_load,
            shapes={"window": _WINDOW},
            clock=clock,
            new_id=new_id,
        )

    def record(self, window: str, version: int, end: str | None, facts: Mapping[str, Any]) -> None:
        """Note what was found in a window. The same again writes nothing; anything else replaces what was noted.

        :param facts: JSON-safe, at most 2 KiB; where the rest lies, not the rest itself.
        :raises UsageError: when the facts are larger.
        """
        check_partition(window)
        check_version(version)
        size = len(wire.canonical(facts))
        if size > MAX_FACTS_BYTES:
            raise UsageError(f"The facts of a window must be at most {MAX_FACTS_BYTES} bytes; these are {size}.")
        judged = Window(window, version, end, dict(facts))

        def decide(state: _State) -> dict[str, Any] | None:
            return None if _find(state, window, version) == judged else {"kind": "window", **asdict(judged)}

        self._journal.append(decide)

    def at(self, window: str, version: int) -> Window | None:
        """A window as it was judged against a version, if it was."""
        return _find(self._journal.read()[1], window, version)

    def before(self, window: str, version: int, count: int) -> list[dict[str, Any]]:
        """The facts of the last ``count`` windows of a version that sort before this one, in order."""
        earlier = [dict(one.facts) for one in self.windows(version) if one.window < window]
        return earlier[-count:] if count > 0 else []

    def windows(self, version: int | None = None) -> list[Window]:
        """All remembered windows in their order, of one version or, version by version, of all."""
        return [one for one in self._journal.read()[1] if version in {None, one.version}]


def _load(record: dict[str, Any]) -> _State:
    conform(record, {"windows": [_WINDOW]}, "The state of a journal of windows")
    return tuple(Window(**one) for one in record["windows"])


def _find(state: _State, window: str, version: int) -> Window | None:
    return next((one for one in state if (one.window, one.version) == (window, version)), None)


def _fold(state: _State, record: dict[str, Any]) -> _State:
    if record["kind"] != "window":
        return state
    judged = Window(record["window"], record["version"], record.get("end"), record["facts"])
    others = [one for one in state if (one.window, one.version) != (judged.window, judged.version)]
    ordered = sorted([*others, judged], key=lambda one: (one.version, one.window))
    versions = sorted({one.version for one in ordered} - {judged.version})[-(_KEPT_VERSIONS - 1) :]
    return tuple(
        one
        for version in sorted({*versions, judged.version})
        for one in [other for other in ordered if other.version == version][-KEPT:]
    )
