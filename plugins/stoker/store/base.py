"""The protocol that every store fulfils, and the guarantees that the rest of Stoker builds on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol, runtime_checkable

from stoker.core import wire

MAX_READ_BYTES = wire.MAX_RECORD_BYTES
"""What :meth:`ObjectStore.read` takes into memory: the largest record. Larger objects are files."""


@dataclass(frozen=True)
class Stat:
    """What a store knows of an object without reading it.

    :param size: its length in bytes.
    :param modified: when it was written, in UTC, by the clock of the store: the file system's, S3's.
    """

    size: int
    modified: datetime


@runtime_checkable
class ObjectStore(Protocol):
    """A flat space of keys, each written once.

    Keys are ``/``-separated ASCII paths built by :mod:`stoker.store.layout` and nowhere else. What every
    implementation guarantees, and :mod:`stoker.store.checks` proves:

    * **Create if absent.** Of any number of concurrent ``create`` calls on one key exactly one succeeds; the others
      raise :class:`~stoker.errors.AlreadyExists`, and nothing is ever replaced. A call whose own bytes already lie
      under the key succeeds, so a call that is repeated after a lost reply finds out that it had won. Callers make
      bytes unique (a write id inside) where winning matters.
    * **All or nothing.** A reader sees a whole object or none; a crash in mid-write leaves none.
    * **Durable.** When ``create`` returns, the object survives a power cut.
    * **Read your writes**, from any process, at once; ``keys`` included.
    * **Three outcomes.** Success; an error after which nothing landed; or :class:`~stoker.errors.CommitStateUnknown`,
      after which nobody may clean up.

    Nothing replaces or appends. Only the retention sweep deletes, through ``delete_swept``.
    """

    @property
    def uri(self) -> str:
        """The root, such as ``s3://bucket/prefix`` or ``file:///var/lib/stoker``, without a trailing slash."""
        ...

    def create(self, key: str, data: bytes) -> None:
        """Write a new object.

        :raises AlreadyExists: when the key holds other bytes.
        :raises StoreNotWritable: when the store is read-only, full or closed to us; nothing landed.
        :raises StoreUnavailable: when the store failed and nothing landed.
        :raises CommitStateUnknown: when it may have landed.
        """
        ...

    def create_from_file(self, key: str, path: Path) -> None:
        """As :meth:`create`, for content too large to hold in memory."""
        ...

    def read(self, key: str) -> bytes:
        """The whole object, which must be at most :data:`MAX_READ_BYTES` long; :meth:`read_to_file` is for all others.

        :raises NotFound: when there is none.
        :raises TamperedRecord: when it is larger. Nothing of it is read then.
        :raises StoreUnavailable: when the store failed.
        """
        ...

    def read_to_file(self, key: str, path: Path) -> None:
        """As :meth:`read`, of any size, into a local file that must not exist yet."""
        ...

    def exists(self, key: str) -> bool:
        """Whether the key holds an object."""
        ...

    def stat(self, key: str) -> Stat:
        """The object's size and age; its bytes are not read.

        :raises NotFound: when there is none.
        :raises StoreUnavailable: when the store failed.
        """
        ...

    def keys(self, prefix: str, *, after: str = "") -> Iterator[str]:
        """All keys that begin with ``prefix`` and sort after ``after``, in ascending order of their code points."""
        ...

    def folders(self, prefix: str) -> Iterator[str]:
        """What stands between ``prefix``, which ends in ``/``, and the next ``/`` in keys; each once, in the order of the keys.

        Costs as much as there are folders, not as there are keys below them. One whose last object was swept may still be named.
        """
        ...

    def delete_swept(self, key: str) -> None:
        """Remove an object that retention gave up. No error when it is gone already."""
        ...

    def sweep_temporary(self) -> int:
        """Remove what writers that were killed a day ago or earlier left beside the objects, and return how many files that were."""
        ...
