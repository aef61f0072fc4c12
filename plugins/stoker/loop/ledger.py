"""What became of each landed file: announced, taken into a snapshot, or refused.

Marks are objects that are created once and never change, so a run that died, an event that came twice and a watcher that
started anew all read the same truth. A file that is replaced is another file here: its identity covers size and version.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable
from typing import Any, Protocol, TypeVar

from stoker.core import clock as time
from stoker.core import wire
from stoker.core.record_shapes import parse_pointer
from stoker.errors import AlreadyExists
from stoker.store import layout
from stoker.store.base import ObjectStore

log = logging.getLogger(__name__)

ANNOUNCED = "announced"
"""An event about the file is in Airflow's database."""

TAKEN = "taken"
"""The file's rows are in a snapshot that its partition meant."""

REFUSED = "refused"
"""The file cannot be used as it is; it is looked at again only when it has changed."""

_ASK_AT_MOST = 10  # more unknown files than this are looked up by one listing rather than one by one


class FileState(Protocol):
    """A file as it was at one moment."""

    @property
    def uri(self) -> str:
        """Its address."""
        ...

    @property
    def size(self) -> int:
        """Its length in bytes."""
        ...

    @property
    def version(self) -> str:
        """Changes whenever the file is replaced."""
        ...


F = TypeVar("F", bound=FileState)


def identity(file: FileState) -> str:
    """The digest by which a file in this very state is known."""
    return wire.digest({"uri": file.uri, "size": file.size, "version": file.version})


class Ledger:
    """The marks on the landed files of one dataset.

    Holds in memory which marks it has seen. Threads may share it.

    :param store: where the marks lie.
    :param dataset: the dataset that the files belong to.
    """

    def __init__(self, store: ObjectStore, dataset: str, clock: time.Clock = time.system_clock) -> None:
        self._store = store
        self._dataset = dataset
        self._clock = clock
        self._seen: dict[str, set[str]] = {ANNOUNCED: set(), TAKEN: set(), REFUSED: set()}

    def marked(self, mark: str, among: Collection[str] | None = None) -> set[str]:
        """The identities that carry a mark.

        :param among: ask only about these; costs nothing for those that were seen to carry it. All by default.
        """
        seen = self._seen[mark]
        unknown = None if among is None else set(among) - seen
        if unknown is None or len(unknown) > _ASK_AT_MOST:
            keys = self._store.keys(layout.landings(self._dataset, mark))
            seen.update(key.rsplit("/", 1)[-1].removesuffix(".json") for key in keys)
        else:
            seen.update(one for one in unknown if self._store.exists(layout.landing(self._dataset, mark, one)))
        return set(seen) if among is None else seen.intersection(among)

    def mark(self, mark: str, file: FileState, **facts: Any) -> dict[str, Any]:
        """Put a mark on a file, and return the mark that the file carries now.

        The first mark of a kind stays: marking again returns it as it is, whatever ``facts`` say.

        :param facts: JSON-safe, such as ``snapshot`` for :data:`TAKEN` and ``reason`` for :data:`REFUSED`.
        """
        digest = identity(file)
        key = layout.landing(self._dataset, mark, digest)
        record = {
            "format": wire.FORMAT,
            "kind": "landing",
            "mark": mark,
            "uri": file.uri,
            "size": file.size,
            "version": file.version,
            "time": time.to_text(self._clock()),
            **facts,
        }
        try:
            self._store.create(key, wire.canonical(record))
        except AlreadyExists:
            record = parse_pointer(self._store.read(key), f"The mark {key}", "landing")
        self._seen[mark].add(digest)
        return record

    def pending(self, files: Iterable[F]) -> list[F]:
        """Those files that are neither taken nor refused, in the order given."""
        by_identity = {identity(file): file for file in files}
        left = by_identity.keys() - self._seen[TAKEN] - self._seen[REFUSED]
        for mark in (TAKEN, REFUSED):
            left -= self.marked(mark, left)
        return [file for digest, file in by_identity.items() if digest in left]
