"""Retention: versions are archived, what nothing needs is condemned, and what still nothing needs a grace later is removed.

Each call of :func:`sweep` goes as far as it may: it archives, goes on with the round that is open when that is due, and opens the next
one. So a file is removed by the second sweep after it was needed last. See :mod:`stoker.store.rounds` for what keeps a sweep and the
steps that run meanwhile apart. A sweep that dies is gone on with by the next.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime

from stoker.core import clock as clocks
from stoker.core.clock import Clock, to_minute
from stoker.core.records import Actor
from stoker.core.retention import RetentionPolicy
from stoker.core.sizes import show_size
from stoker.errors import ConflictError, NotFound
from stoker.registry.reachability import (
    WORKERS,
    ModelPlan,
    Roots,
    Tell,
    archivable,
    facts_of,
    reach,
    reached_from,
    survey,
)
from stoker.registry.registry import Registry
from stoker.registry.state import ModelState
from stoker.store import layout, rounds
from stoker.store.base import ObjectStore
from stoker.store.rounds import Round

_log = logging.getLogger(__name__)

_BATCH = 1000
_SAFE_SECONDS = rounds.LEASE.total_seconds() / 2
"""A claim is good for removals for half a lease: the other half is for clocks that differ and requests on their way."""

_REASON = "retention"


@dataclass(frozen=True)
class Plan:
    """What a sweep would come to if nothing changed any more.

    :param models: version by version what stays and what goes.
    :param needed: how many digests something needs.
    :param unneeded: how many objects nothing needs.
    :param bytes: what these take.
    :param expired: how many pointers the policy no longer keeps.
    :param due: when the round that is open may remove what it condemned; ``None`` when none is.
    """

    models: tuple[ModelPlan, ...]
    needed: int
    unneeded: int
    bytes: int
    expired: int
    due: datetime | None


@dataclass
class Swept:
    """What a sweep did.

    :param archived: model to the versions that were archived.
    :param removed: how many objects were removed.
    :param bytes: what they took.
    :param pointers: how many expired pointers were removed.
    :param condemned: how many objects wait for the next sweep.
    :param due: when those may be removed; ``None`` when there are none.
    """

    archived: dict[str, tuple[int, ...]] = field(default_factory=dict)
    removed: int = 0
    bytes: int = 0
    pointers: int = 0
    condemned: int = 0
    due: datetime | None = None


def plan(
    registry: Registry,
    policy: RetentionPolicy | None = None,
    *,
    clock: Clock = clocks.system_clock,
    tell: Tell = _log.info,
) -> Plan:
    """What would go and what stays, and why. Writes nothing.

    :param policy: what to keep; the defaults of :class:`~stoker.core.retention.RetentionPolicy` without it.
    :param tell: takes a line about the progress.
    :raises IntegrityError: when a record that decides on others is damaged.
    """
    store, now, policy = registry.store, clock(), policy or RetentionPolicy()
    roots, models = survey(registry, policy, now, tell)
    needed = reached_from(store, roots, tell)
    unneeded = _unneeded(store, needed)
    with ThreadPoolExecutor(WORKERS) as pool:
        sizes = sum(pool.map(lambda digest: _size(store, digest), unneeded))
    current = rounds.open_round(store)
    due = current.condemned_at + policy.grace if current else None
    return Plan(tuple(models), len(needed), len(unneeded), sizes, len(roots.expired), due)


def sweep(
    registry: Registry,
    policy: RetentionPolicy | None = None,
    *,
    actor: Actor,
    clock: Clock = clocks.system_clock,
    monotonic: Callable[[], float] = time.monotonic,
    tell: Tell = _log.info,
) -> Swept:
    """Archive, remove what was condemned a grace ago and is still not needed, and condemn what is not needed now.

    Any number of steps may run meanwhile. A second sweep is refused or stops.

    :param policy: as of :func:`plan`.
    :param actor: who archives.
    :param clock: tells the age of what is judged.
    :param monotonic: seconds that never go back; tells how long a claim is good.
    :param tell: takes a line about the progress.
    :raises ConflictError: when another sweep is at work.
    :raises IntegrityError: when a record that decides on others is damaged; nothing is removed then.
    :raises TransportError: when the store failed; the next sweep goes on from there.
    """
    return _Sweep(registry, policy or RetentionPolicy(), actor, clock, monotonic, tell).run()


@dataclass
class _Sweep:
    registry: Registry
    policy: RetentionPolicy
    actor: Actor
    clock: Clock
    monotonic: Callable[[], float]
    tell: Tell
    done: Swept = field(default_factory=Swept)
    claimed: float = 0.0

    @property
    def store(self) -> ObjectStore:
        return self.registry.store

    def run(self) -> Swept:
        if left_over := self.store.sweep_temporary():
            self.tell(f"{left_over} temporary files of killed writers removed")
        # Read before anything that it is compared with: whatever is needed later was put, found or spared after this.
        current = rounds.open_round(self.store)
        self._refuse_second(current)
        due = current is not None and self._due(current)
        roots, models = survey(self.registry, self.policy, self.clock(), self.tell)
        for model in models:
            self._archive(model, roots)
        if current is not None and not due:
            self.done.condemned = sum(1 for _ in rounds.listed(self.store, current.condemned))
            self.done.due = current.condemned_at + self.policy.grace
            self.tell(f"{self.done.condemned} objects are condemned and may be removed from {to_minute(self.done.due)}")
            return self.done
        needed = reached_from(self.store, roots, self.tell)
        if current is not None:
            self._finish(current, needed)
            self._remove_pointers(roots.expired)
        self._condemn(needed)
        return self.done

    def _refuse_second(self, current: Round | None) -> None:
        if current is not None and current.lease_ends is not None and self.clock() < current.lease_ends:
            raise ConflictError(
                f"One sweep must be at work at a time; another one may be until {to_minute(current.lease_ends)}. Try again after that.",
                until=clocks.to_text(current.lease_ends),
            )

    def _due(self, current: Round) -> bool:
        return current.given_up is not None or self.clock() >= current.condemned_at + self.policy.grace

    def _archive(self, planned: ModelPlan, roots: Roots) -> None:
        """Write the boundary: from here on nobody can come to need these versions' files."""
        if not planned.archive:
            return
        name, now = planned.model, self.clock()
        _, facts, _ = facts_of(self.registry, name, self.policy, roots.used.get(name, set()), now)

        def choose(state: ModelState) -> Iterable[int]:
            return [number for number in archivable(self.policy, facts, state, now) if number in planned.archive]

        archived = self.registry.archive(name, choose, actor=self.actor, reason=_REASON)
        if archived:
            self.done.archived[name] = archived
        for number in set(planned.archive).difference(archived):  # somebody promoted it meanwhile
            roots.manifests.add(self.registry.version(name, number).digest)
        self.tell(f"{name}: {len(archived)} versions archived")

    def _finish(self, current: Round, needed: set[str]) -> None:
        current = self._claim(current, needed)
        left = [one for one in rounds.listed(self.store, current.doomed) if one not in current.spared]
        total = len(left)
        while left:
            batch, left = left[:_BATCH], left[_BATCH:]
            if self.monotonic() - self.claimed >= _SAFE_SECONDS / 2:
                current = self._claim(current, needed)
            late = self._remove(one for one in batch if one not in current.spared)
            left = late + left
            self.tell(f"{self.done.removed} of {total} objects removed, {show_size(self.done.bytes)}")
        facts = {"removed": self.done.removed, "bytes": self.done.bytes}
        while rounds.finish(self.store, current, facts, clock=self.clock) is None:
            current = self._again(current)

    def _claim(self, current: Round, needed: set[str]) -> Round:
        """Write the entry after which the round's objects may be removed, or the one that renews such a claim."""
        while True:
            started = self.monotonic()
            if current.given_up is not None:
                record: dict[str, object] = {"kind": "resumed"}
            else:
                # What a writer spared is needed with all that it names, until the next round looks again.
                reach(self.store, current.spared, needed, self.tell)
                doomed = [one for one in rounds.listed(self.store, current.condemned) if one not in needed]
                record = {"kind": "given_up", "digests": rounds.store_list(self.store, current.number, doomed)}
            claimed = rounds.append(self.store, current, record, clock=self.clock)
            if claimed is not None:
                self.claimed = started
                return claimed
            current = self._again(current)

    def _again(self, seen: Round) -> Round:
        """The round after others wrote to it; refused unless all that they did was to spare something."""
        now = rounds.open_round(self.store)
        if (
            now is None
            or now.number != seen.number
            or (now.given_up, now.lease_ends) != (seen.given_up, seen.lease_ends)
        ):
            raise ConflictError("One sweep must be at work at a time; another one took over. Try again later.")
        return now

    def _remove(self, digests: Iterable[str]) -> list[str]:
        """Remove these, and return those for which the claim ran out of time."""
        late = []
        with ThreadPoolExecutor(WORKERS) as pool:
            for digest, size in pool.map(self._removed, digests):
                if size is None:
                    late.append(digest)
                else:
                    self.done.removed += 1
                    self.done.bytes += size
        return late

    def _removed(self, digest: str) -> tuple[str, int | None]:
        """Remove one object, and return its size; ``None`` when the claim was too old for it."""
        size = _size(self.store, digest)
        if self.monotonic() - self.claimed >= _SAFE_SECONDS:
            return digest, None
        self.store.delete_swept(layout.blob(digest))
        return digest, size

    def _remove_pointers(self, keys: list[str]) -> None:
        with ThreadPoolExecutor(WORKERS) as pool:
            for _ in pool.map(self.store.delete_swept, keys):
                self.done.pointers += 1
        if keys:
            self.tell(f"{len(keys)} expired pointers removed")

    def _condemn(self, needed: set[str]) -> None:
        unneeded = _unneeded(self.store, needed)
        if not unneeded:
            return
        begun = rounds.begin(self.store, unneeded, clock=self.clock)
        if begun is None:
            raise ConflictError(
                "One sweep must be at work at a time; another one opened the next round. Try again later."
            )
        self.done.condemned, self.done.due = len(unneeded), begun.condemned_at + self.policy.grace
        self.tell(f"{len(unneeded)} objects condemned; they may be removed from {to_minute(self.done.due)}")


def _unneeded(store: ObjectStore, needed: set[str]) -> list[str]:
    stored = (key.rpartition("/")[2] for key in store.keys(layout.BLOBS))
    return [digest for digest in stored if digest not in needed]


def _size(store: ObjectStore, digest: str) -> int:
    try:
        return store.stat(layout.blob(digest)).size
    except NotFound:
        return 0
