"""Every error that Stoker raises, in one tree that is split by what the caller does next.

::

    StokerError
    ├── UsageError              fix the call            (never retried)
    │   ├── InvalidName
    │   └── ConfigurationError
    ├── DataError               fix the data            (never retried)
    │   ├── SourceNotFound
    │   ├── UnreadableData
    │   ├── SchemaMismatch
    │   ├── DataTooLarge
    │   └── UnsuitableData
    ├── ModelError              fix the model code      (never retried)
    ├── VerdictError            accept the verdict      (never retried)
    │   ├── DataValidationFailed
    │   ├── GateFailed
    │   │   └── NotApproved
    │   ├── ApprovalRefused
    │   ├── VersionBlocked
    │   └── VersionArchived
    ├── ConflictError           look again, then decide (never retried blindly)
    │   ├── AlreadyExists
    │   └── PromotionConflict
    ├── NotFound                name something that exists
    ├── IntegrityError          stop and investigate    (never retried)
    │   ├── CorruptArtifact
    │   ├── TamperedRecord
    │   ├── UntrustedArtifact
    │   └── UnknownFormat
    └── TransportError          try again later         (the only retryable branch)
        ├── StoreUnavailable
        ├── StoreNotWritable
        └── CommitStateUnknown

Messages say what must hold, what came instead, and what to do. Details that a program may want are
attributes (:attr:`StokerError.details`), and survive pickling between processes.
"""

from __future__ import annotations

from typing import Any


class StokerError(Exception):
    """The root. ``retryable`` tells whether the same call may succeed later with nothing changed.

    :param message: what must hold, what came instead, what to do.
    :param details: JSON-safe facts for programs, such as the version that was seen in a conflict.
    """

    retryable: bool = False

    def __init__(self, message: str, **details: Any) -> None:
        super().__init__(message)
        self.message = message
        self.details = details

    def __reduce__(self) -> tuple[Any, ...]:
        return (_rebuild, (type(self), self.message, self.details))


def _rebuild(kind: type[StokerError], message: str, details: dict[str, Any]) -> StokerError:
    return kind(message, **details)


class UsageError(StokerError):
    """The call itself is wrong."""


class InvalidName(UsageError):
    """A model, alias, dataset or partition name breaks the naming rules."""


class ConfigurationError(UsageError, ValueError):
    """A setting, connection or policy file is missing or contradicts itself."""


class DataError(StokerError):
    """The data cannot be used as it is."""


class SourceNotFound(DataError):
    """The source names no file, or an empty selection of files."""


class UnreadableData(DataError):
    """The bytes are not what their name promises: truncated, empty or of another format."""


class SchemaMismatch(DataError):
    """Columns are missing, extra or of another type than the contract says."""


class UnsuitableData(DataError):
    """Readable data that this step cannot work with: one class only, an all-null feature, NaN in the target."""


class DataTooLarge(DataError):
    """The data needs more memory than this process may use. The same data on a larger worker is fine."""


class ModelError(StokerError):
    """The estimator cannot be built, fitted, stored or trusted to predict."""


class VerdictError(StokerError):
    """A check was carried out and its answer is no."""


class DataValidationFailed(VerdictError):
    """Data broke an expectation of severity ``critical``, or too many rows would be quarantined."""


class GateFailed(VerdictError):
    """A model has no passing evaluation, so it may not be promoted."""


class NotApproved(GateFailed):
    """No person has approved the version as it lies in the store, so it may not be promoted."""


class ApprovalRefused(VerdictError):
    """This approval does not count: it comes too late, or from the person who asked for it."""


class VersionBlocked(VerdictError):
    """The version was rolled back before and stays blocked until a person unblocks it."""


class VersionArchived(VerdictError):
    """Retention gave the version's files up; its record is all that is left."""


class ConflictError(StokerError):
    """Somebody else was first."""


class AlreadyExists(ConflictError):
    """The key holds other bytes already; nothing was replaced."""


class PromotionConflict(ConflictError):
    """The alias no longer points at the version that the caller expected."""


class NotFound(StokerError):
    """No such key, model, version or alias."""


class IntegrityError(StokerError):
    """Stored bytes are not what the log says they are."""


class CorruptArtifact(IntegrityError):
    """The digest of stored bytes differs from the recorded one."""


class TamperedRecord(IntegrityError):
    """A record of the commit log was changed, removed or put in another place."""


class UntrustedArtifact(IntegrityError):
    """A model file holds types that are not on the allow-list of this installation."""


class UnknownFormat(IntegrityError):
    """Written by a newer Stoker than this one."""


class TransportError(StokerError):
    """The store or the network failed."""

    retryable = True


class StoreUnavailable(TransportError):
    """The store gave no usable answer, and nothing was written."""


class StoreNotWritable(TransportError):
    """The store answers but takes no writes: read-only, full, or without permission."""


class CommitStateUnknown(TransportError):
    """The write may or may not have landed. Nothing was cleaned up; the same call again finds out."""
