"""The records that travel between steps and rest in the store."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from stoker.core import wire
from stoker.errors import UsageError

MAX_REFERENCE_BYTES = 8 * 1024
"""A reference goes through Airflow's XCom, which is a database row and no place for data."""


@dataclass(frozen=True)
class Reference:
    """What an operator returns: where the result lies, never the result itself.

    :param kind: ``dataset``, ``validation``, ``candidate``, ``evaluation``, ``version`` or ``alias``.
    :param uri: the address of the document in the store, for people and logs.
    :param digest: SHA-256 of the document; the next step finds the document by it.
    :param verdict: the outcome of the step as a word, ``pass`` for a step that judges nothing.
    :param summary: a few JSON-safe facts; at most 8 KiB with everything else.
    """

    kind: str
    uri: str
    digest: str
    verdict: str
    summary: dict[str, Any] = field(default_factory=dict)

    def to_xcom(self) -> dict[str, Any]:
        """The JSON form.

        :raises UsageError: when it is larger than 8 KiB.
        """
        record = asdict(self)
        size = len(wire.canonical(record))
        if size > MAX_REFERENCE_BYTES:
            raise UsageError(f"A reference must be at most {MAX_REFERENCE_BYTES} bytes; this one has {size}.")
        return record

    @classmethod
    def from_xcom(cls, value: Any, *kinds: str) -> Reference:
        """Read what an earlier task returned.

        :param value: the value of ``op.output``.
        :param kinds: the kinds that the caller can use.
        :raises UsageError: when it is no reference, or one of another kind.
        """
        wanted = " or ".join(kinds) or "any kind"
        if not isinstance(value, Mapping) or set(value) != {"kind", "uri", "digest", "verdict", "summary"}:
            raise UsageError(
                f"A reference of {wanted} must come from an earlier Stoker task (pass its .output); got {ascii(value)[:120]}."
            )
        texts = {name for name, content in value.items() if isinstance(content, str)}
        if texts != set(value) - {"summary"} or not isinstance(value["summary"], Mapping):
            raise UsageError(
                f"A reference of {wanted} must be as an earlier Stoker task returned it (pass its .output); got {ascii(value)[:200]}."
            )
        if kinds and value["kind"] not in kinds:
            raise UsageError(f"A reference of {wanted} is needed here; got one of kind {value['kind']!r}.")
        return cls(**value)


AIRFLOW = "airflow"
"""The user of a change behind which there is no person: a scheduled run, or an answer that nobody gave."""


@dataclass(frozen=True)
class Actor:
    """Who or what made a change.

    :param user: the person or service account; :data:`AIRFLOW` for a scheduled run.
    :param origin: where it came from: ``dag/run/task`` in Airflow, ``cli``, ``ui``, ``python``.
    """

    user: str
    origin: str


@dataclass(frozen=True)
class StoredFile:
    """A blob that a document names.

    :param sha256: its digest, which is also its address.
    :param size: its length in bytes.
    """

    sha256: str
    size: int
