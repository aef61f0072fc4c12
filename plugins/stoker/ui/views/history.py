"""The audit log of a model, as people read it."""

from __future__ import annotations

from stoker.core.names import check_name
from stoker.registry.entries import Entry
from stoker.ui.views.places import task_place
from stoker.ui.views.reading import Reading
from stoker.ui.views.records import HistoryEntry, HistoryPage

MOST_ENTRIES = 200


def history_page(reading: Reading, name: str, *, before: int | None, limit: int) -> HistoryPage:
    """Entries, newest first, each proved to be the one that the entry after it names.

    :param before: begin with the entry before this number; ``None`` begins with the newest.
    :param limit: how many, at most :data:`MOST_ENTRIES`.
    :raises NotFound: when there is no such model.
    :raises TamperedRecord: when an entry was changed or removed.
    """
    state, limit = reading.registry.state(check_name(name, "model")), max(1, min(limit, MOST_ENTRIES))

    def read() -> HistoryPage:
        entries = [_entry(entry) for entry in reading.registry.entries_before(name, before, limit=limit)]
        return HistoryPage(name, entries, entries[-1].seq if entries and entries[-1].seq > 1 else None, state.seq)

    return reading.page("history", name, before, limit, stamp=state.digest, make=read)


def _entry(entry: Entry) -> HistoryEntry:
    return HistoryEntry(
        seq=entry.seq,
        time=entry.time,
        kind=entry.change.kind,
        change=entry.change.describe(),
        version=entry.change.version,
        actor=entry.actor.user,
        origin=entry.actor.origin,
        where=task_place(entry.actor.origin),
        reason=entry.reason,
        digest=entry.digest,
    )
