"""Who was in office when, and why it changed."""

from __future__ import annotations

from datetime import datetime

from stoker.core.names import check_name
from stoker.registry.changes import Block, Move, Rollback, Unblock
from stoker.registry.entries import Entry
from stoker.ui.views.places import task_place
from stoker.ui.views.reading import Reading
from stoker.ui.views.records import ChampionEvent, ChampionHistory

MOST_EVENTS = 200


def champion_history(reading: Reading, name: str, *, limit: int) -> ChampionHistory:
    """The changes of office, newest first, walked back over the champion's own moves; and blocks among the newest entries.

    :param limit: how many changes of office at most; so many of the newest entries are searched for blocks as well.
    :raises NotFound: when there is no such model.
    """
    digest, limit = reading.registry.state(check_name(name, "model")).digest, max(1, min(limit, MOST_EVENTS))
    return reading.page("champions", name, limit, stamp=digest, make=lambda: _history(reading, name, limit))


def _history(reading: Reading, name: str, limit: int) -> ChampionHistory:
    moves = reading.registry.moves(name, limit=limit)
    ends = [None, *(entry.time for entry, _ in moves)]
    events = [_moved(entry, move, until) for (entry, move), until in zip(moves, ends, strict=False)]
    newest = reading.registry.entries_before(name, limit=limit)
    events += [_marked(entry, entry.change) for entry in newest if isinstance(entry.change, Block | Unblock)]
    events.sort(key=lambda event: -event.seq)
    return ChampionHistory(name, events, complete=not moves or moves[-1][1].prior_move == 0)


def _moved(entry: Entry, move: Move, until: datetime | None) -> ChampionEvent:
    kind = "rolled_back" if isinstance(entry.change, Rollback) else "promoted"
    return _event(entry, kind, move.version, move.before, until)


def _marked(entry: Entry, change: Block | Unblock) -> ChampionEvent:
    return _event(entry, "blocked" if isinstance(change, Block) else "unblocked", change.version, None, None)


def _event(entry: Entry, kind: str, version: int, before: int | None, until: datetime | None) -> ChampionEvent:
    return ChampionEvent(
        kind=kind,
        version=version,
        before=before,
        time=entry.time,
        until=until,
        actor=entry.actor.user,
        where=task_place(entry.actor.origin),
        reason=entry.reason,
        seq=entry.seq,
    )
