"""Files that land wake a DAG, or a task that waits for them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Hashable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow.triggers.base import BaseEventTrigger, TriggerEvent

from stoker.compat import AdvanceItem, SharedStreamProducer
from stoker.core import wire
from stoker.core.clock import system_clock
from stoker.core.records import Reference
from stoker.errors import StokerError
from stoker.triggers.polling import polled
from stoker.triggers.waiting import WaitingTrigger

if TYPE_CHECKING:
    from stoker.engines.landing import LandedFile
    from stoker.loop.ledger import Ledger
    from stoker.triggers.landing_watch import LandingWatch

log = logging.getLogger(__name__)

_NAMES_AT_MOST, _NAME_LENGTH = 20, 80  # in a reference, which must stay small


class NewDataEventTrigger(BaseEventTrigger):
    """For an ``AssetWatcher``: one event for all files that are new since the last look.

    The event is a wake-up and no list of work: it may come late, or twice, and one run may answer several. The run asks the
    ledger what is pending. Files are marked as announced only after Airflow stored the event, so a triggerer that dies forgets none;
    files that are still pending after ``remind_seconds`` are announced again.

    Watchers with the same arguments share one look. A look that fails is logged and made again.

    :param source: a folder as an absolute path or ``file:///`` address, or ``s3://bucket/prefix``.
    :param dataset: whose ledger tells which files were taken or refused.
    :param pattern: a glob relative to the source; no wildcard crosses a slash. It must leave out what the runs leave out, or they are
        woken for it again and again.
    :param stoker_conn_id: the connection that names the store. Airflow shows these arguments to everybody; no secret is among them.
    :param store: a store root that wins over the connection's.
    :param poll_seconds: the pause after each look.
    :param stable_seconds: a file counts once it has not changed for this long.
    :param success_marker: such as ``_SUCCESS``: files count as soon as a file of this name lies in their folder.
    :param remind_seconds: after which files that were announced and are still pending are announced again.
    """

    def __init__(
        self,
        source: str,
        dataset: str,
        pattern: str = "*",
        stoker_conn_id: str = "stoker_default",
        store: str | None = None,
        poll_seconds: float = 5,
        stable_seconds: float = 5,
        success_marker: str | None = None,
        remind_seconds: float = 300,
    ) -> None:
        super().__init__()
        self.place: dict[str, Any] = {
            "source": source,
            "dataset": dataset,
            "pattern": pattern,
            "stoker_conn_id": stoker_conn_id,
            "store": store,
            "stable_seconds": stable_seconds,
            "success_marker": success_marker,
        }
        self.poll_seconds = poll_seconds
        self.remind_seconds = remind_seconds

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Class and arguments, for Airflow's database."""
        arguments = {**self.place, "poll_seconds": self.poll_seconds, "remind_seconds": self.remind_seconds}
        return f"{__name__}.NewDataEventTrigger", arguments

    def shared_stream_key(self) -> Hashable:
        """The same for watchers with the same arguments."""
        path, arguments = self.serialize()
        return path, wire.digest(arguments)

    @classmethod
    def create_shared_stream_producer(cls, kwargs: dict[str, Any]) -> SharedStreamProducer:
        """The one look for all watchers with these arguments; Airflow tells it which events are stored."""
        trigger = cls(**kwargs)
        return Announcer(trigger.watch(), trigger.poll_seconds)

    async def filter_shared_stream(self, shared_stream: AsyncIterator[dict[str, Any]]) -> AsyncIterator[TriggerEvent]:
        """Every announcement is an event."""
        async for announcement in shared_stream:
            yield TriggerEvent(announcement)

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """The same events without a word from Airflow whether they were stored: what Airflow 3.2 runs, for each watcher by itself."""
        async for announcement, _ in Announcer(self.watch(), self.poll_seconds).open_stream():
            yield TriggerEvent(announcement)

    def watch(self) -> LandingWatch:
        """A watch that knows nothing yet."""
        # Not at the top: DAG files import this module, and only the triggerer watches.
        from stoker.triggers.landing_watch import LandingWatch, Place

        return LandingWatch(Place(**self.place), remind_seconds=self.remind_seconds)


class Announcer(SharedStreamProducer):
    """Announces what a watch finds due, and notes in the ledger what Airflow has stored.

    :param watch: looks.
    :param poll_seconds: the pause after each look.
    """

    def __init__(self, watch: LandingWatch, poll_seconds: float) -> None:
        self._watch = watch
        self._poll_seconds = poll_seconds

    async def open_stream(self) -> AsyncIterator[tuple[dict[str, Any], list[LandedFile]]]:
        """Announcements, each with its files."""
        async for files in polled(self._watch.due, self._poll_seconds, self._watch.place.source):
            if files:
                yield self._watch.announcement(files), files

    async def advance(self, batch: Sequence[AdvanceItem]) -> None:
        """Note what became of announcements. To fail would end the watchers, and to forget does no harm."""
        for files, outcome in batch:
            try:
                await asyncio.to_thread(self._watch.stored if outcome.is_clean else self._watch.lost, files)
            except StokerError as error:
                log.warning("%d files stay unmarked and may be announced again: %s", len(files), error.message)


class NewDataTrigger(WaitingTrigger):
    """For a task that waits: fires when a finished file is neither taken nor refused.

    :param source: as for :class:`NewDataEventTrigger`, and so are the others.
    """

    def __init__(
        self,
        *,
        source: str,
        dataset: str,
        pattern: str = "*",
        stable_seconds: float = 5,
        success_marker: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.source = source
        self.dataset = dataset
        self.pattern = pattern
        self.stable_seconds = stable_seconds
        self.success_marker = success_marker

    def arguments(self) -> dict[str, Any]:
        """The arguments of its own."""
        names = ("source", "dataset", "pattern", "stable_seconds", "success_marker")
        return {name: getattr(self, name) for name in names}

    def look(self) -> Reference | None:
        """A reference of kind ``landing`` that stands for all pending files and names the first of them."""
        from stoker.engines.landing import finished, name_of
        from stoker.loop.ledger import identity

        files = self._ledger.pending(
            finished(
                self.source,
                self.pattern,
                self.hook.s3_client,
                now=system_clock(),
                stable_seconds=0 if self.success_marker else self.stable_seconds,
                success_marker=self.success_marker,
            )
        )
        if not files:
            return None
        names = [name_of(file, self.source)[:_NAME_LENGTH] for file in files[:_NAMES_AT_MOST]]
        summary = {"dataset": self.dataset, "count": len(files), "files": names}
        return Reference("landing", self.source, wire.digest([identity(file) for file in files]), "pass", summary)

    @cached_property
    def _ledger(self) -> Ledger:
        from stoker.loop.ledger import Ledger

        return Ledger(self.hook.get_conn(), self.dataset)
