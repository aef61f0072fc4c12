"""One entry of a model's log: who changed what, when and why, tied to the entry before it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from stoker.core import clock, wire
from stoker.core.records import Actor
from stoker.errors import TamperedRecord
from stoker.registry import changes
from stoker.registry.changes import Change, Register
from stoker.registry.state import OPTIONAL_TEXT, ModelState, fields, moment
from stoker.store import layout


@dataclass(frozen=True)
class Entry:
    """A change that was made.

    :param model: the model's name; keeps an entry from passing for one of another model.
    :param seq: its number, from 1.
    :param prev: SHA-256 of the bytes of the entry before it; empty for the first. The log is tamper-evident by it.
    :param write_id: makes the bytes unique, so that a writer recognises its own entry.
    :param time: when it was made; never earlier than the entry before it, whatever the writers' clocks say.
    :param actor: who made it.
    :param reason: why, in words.
    :param idempotency_key: the caller's name for this change; a second call with it makes no second change.
    :param change: the change.
    :param state: SHA-256 of the state's content afterwards, by which a checkpoint is proved against the log.
    :param data: the stored bytes.
    """

    model: str
    seq: int
    prev: str
    write_id: str
    time: datetime
    actor: Actor
    reason: str
    idempotency_key: str | None
    change: Change
    state: str
    data: bytes = field(repr=False)

    @property
    def key(self) -> str:
        """Where it is stored."""
        return entry_key(self.model, self.seq)

    @property
    def digest(self) -> str:
        """SHA-256 of the stored bytes."""
        return wire.sha256(self.data)

    def index_texts(self) -> list[str]:
        """The texts by which the entry is looked up again: its idempotency key and its fingerprint."""
        texts = [] if self.idempotency_key is None else [key_text(self.idempotency_key)]
        if isinstance(self.change, Register):
            texts.append(fingerprint_text(self.change.fingerprint))
        return texts


def entry_key(model: str, seq: int) -> str:
    """Where entry ``seq`` of a model is stored."""
    return layout.numbered(layout.log(model), seq)


def key_text(idempotency_key: str) -> str:
    """The index text of a caller's key; the prefix keeps it apart from fingerprints."""
    return f"key:{idempotency_key}"


def fingerprint_text(fingerprint: str) -> str:
    """The index text of a training fingerprint."""
    return f"fingerprint:{fingerprint}"


def write_entry(
    state: ModelState,
    change: Change,
    *,
    write_id: str,
    now: datetime,
    actor: Actor,
    reason: str,
    idempotency_key: str | None = None,
) -> Entry:
    """The entry that makes a change to a state. Nothing is stored here.

    :param state: the state at the head of the log.
    :param now: the writer's time; the entry takes the head's where that is later.
    """
    change_record, expects = changes.to_records(change)
    seq = state.seq + 1
    record = {
        "format": wire.FORMAT,
        "kind": "entry",
        "model": state.model,
        "seq": seq,
        "prev": state.digest,
        "write_id": write_id,
        "time": clock.to_text(max(now, state.time or now)),
        "actor": {"user": actor.user, "origin": actor.origin},
        "reason": reason,
        "idempotency_key": idempotency_key,
        "change": change_record,
        "expects": expects,
        "state": wire.digest(change.apply(state).to_record()),
    }
    # Read back before it is stored: what no reader could take must never become part of a log.
    return read_entry(wire.canonical(record), state.model, seq)


def read_entry(data: bytes, model: str, seq: int) -> Entry:
    """Read the bytes that lie in the place of entry ``seq``.

    :raises TamperedRecord: when they are no entry, or one of another place or model.
    :raises UnknownFormat: when a newer Stoker wrote them.
    """
    what = entry_key(model, seq)
    record = fields(
        wire.parse(data, what),
        what,
        format=int,
        kind=str,
        model=str,
        seq=int,
        prev=str,
        write_id=str,
        time=str,
        actor=dict,
        reason=str,
        idempotency_key=OPTIONAL_TEXT,
        change=dict,
        expects=dict,
        state=str,
    )
    if not _is_canonical(record, data):
        raise TamperedRecord(f"{what} must be written as Stoker writes JSON; it is not.", record=what)
    if (record["kind"], record["model"], record["seq"]) != ("entry", model, seq):
        raise TamperedRecord(
            f"{what} must hold entry {seq} of model {model!r}; it holds {record['kind']!a} {record['seq']} of "
            f"{record['model']!a}: it was put in another place.",
            record=what,
        )
    actor = Actor(**fields(record["actor"], what, user=str, origin=str))
    time = moment(record["time"], what)
    return Entry(
        model=model,
        seq=seq,
        prev=record["prev"],
        write_id=record["write_id"],
        time=time,
        actor=actor,
        reason=record["reason"],
        idempotency_key=record["idempotency_key"],
        change=changes.from_records(record["change"], record["expects"], what, actor=actor, time=time),
        state=record["state"],
        data=data,
    )


def follow(state: ModelState, entry: Entry) -> ModelState:
    """The state after the entry.

    :raises TamperedRecord: when the entry was not written on this state: its link, its time or its requirement is wrong.
    """
    if entry.prev != state.digest:
        raise TamperedRecord(
            f"{entry.key} must follow the entry with digest {state.digest or '(none)'}; it follows {ascii(entry.prev)[:80]}. "
            f"Entry {entry.seq} or the one before it was changed: audit the log.",
            record=entry.key,
        )
    if state.time is not None and entry.time < state.time:
        raise TamperedRecord(f"{entry.key} must not be older than the entry before it.", record=entry.key)
    after = entry.change.apply(state)
    if wire.digest(after.to_record()) != entry.state:
        raise TamperedRecord(f"{entry.key} does not lead to the state that it claims.", record=entry.key)
    return replace(after, seq=entry.seq, digest=entry.digest, time=entry.time)


def _is_canonical(record: dict[str, Any], data: bytes) -> bool:
    try:
        return wire.canonical(record) == data
    except ValueError:  # half a surrogate pair, or a number out of range
        return False
