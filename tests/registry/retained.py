"""What the tests of retention share: a store whose time a test moves, and steps that leave something behind."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from stoker.core import wire
from stoker.core.retention import RetentionPolicy
from stoker.registry.registry import Registry
from stoker.registry.retention import Swept, sweep
from stoker.store import documents, layout, partitions, rounds
from stoker.store.base import ObjectStore
from stoker.store.memory import MemoryStore
from tests.registry.cases import ALICE, SteppedClock

GREEDY = RetentionPolicy(
    newest_versions=1,
    former_champions=0,
    version_age=timedelta(0),
    keep_blocked=False,
    superseded_age=timedelta(0),
    candidate_age=timedelta(0),
    report_age=timedelta(0),
    pin_age=timedelta(0),
    grace=timedelta(days=1),
)
"""Keeps the least that a policy can."""

DAY = 24 * 3600.0


class Installation:
    """A store, its registry, and the one clock of writers and sweeps."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, store: ObjectStore | None = None, *, clock: Any = None) -> None:
        self.clock = clock or SteppedClock()
        monkeypatch.setattr(rounds.time, "system_clock", self.clock)
        self.store = store or MemoryStore(clock=self.clock)
        self.registry = Registry(self.store, clock=self.clock)

    def sweep(self, policy: RetentionPolicy = GREEDY) -> Swept:
        return sweep(self.registry, policy, actor=ALICE, clock=self.clock, tell=lambda line: None)

    def swept_twice(self, policy: RetentionPolicy = GREEDY) -> Swept:
        """A sweep, and another one when what it condemned may go."""
        self.sweep(policy)
        self.clock.step(policy.grace.total_seconds())
        return self.sweep(policy)

    def snapshot(self, rows: str, partition: str = "2013-01", dataset: str = "flights") -> str:
        """Let a partition mean these rows."""
        digest = dataset_document(self.store, rows, partition, dataset)
        self.point(digest, partition, dataset)
        return digest

    def point(self, digest: str, partition: str | None, dataset: str, stage: str = "raw") -> None:
        """Let a partition mean a dataset document."""
        partitions.point(
            self.store,
            dataset=dataset,
            stage=stage,
            partition=partition,
            snapshot=digest,
            data_id=digest,
            clock=self.clock,
        )

    def give_up(self) -> None:
        """What a sweep does first when the round is due: it gives up what was condemned, and then dies."""
        current = rounds.open_round(self.store)
        assert current is not None
        rounds.append(self.store, current, {"kind": "given_up", "digests": current.condemned})

    def dangling(self) -> list[str]:
        """What a version that is not archived, or a partition, names and what is not there."""
        missing = []
        for name in self.registry.models():
            for version in self.registry.versions(name):
                if not version.archived:
                    missing += [file.sha256 for file in version.files.values() if not self.holds(file.sha256)]
        for key in self.store.keys(layout.DATASETS):
            stage, partition = key.split("/")[2:4]
            digest = partitions.newest(self.store, key.split("/")[1], stage, partition)
            assert digest is not None
            if not self.holds(digest):
                missing.append(digest)
                continue
            missing += [] if self.holds(rows_of(self.store, digest)) else [rows_of(self.store, digest)]
        return missing

    def holds(self, digest: str) -> bool:
        return self.store.exists(layout.blob(digest))


def rows_of(store: ObjectStore, digest: str) -> str:
    """The file that a dataset document names."""
    file: str = wire.parse(store.read(layout.blob(digest)), "a dataset")["file"]["sha256"]
    return file


def dataset_document(store: ObjectStore, rows: str, partition: str = "2013-01", dataset: str = "flights") -> str:
    """Store rows and the document that names them, and no pointer."""
    file = documents.put_bytes(store, rows.encode())
    document: dict[str, Any] = {
        "kind": "dataset",
        "dataset": dataset,
        "partition": partition,
        "file": {"sha256": file.sha256, "size": file.size},
    }
    return documents.put_document(store, document)
