"""Requests to retrain one model, the lease under which they are served, and what became of them.

The state is folded from the records of the broker's journal; nothing here reads a clock or a store.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from stoker.core.clock import from_text, to_text
from stoker.core.records import Actor
from stoker.core.shapes import COUNT, FLAG, LIST, MOMENT, OBJECT, TEXT, Maybe, Shape, conform

SOURCES = (
    "first", "new_data", "schedule", "drift", "performance", "staleness", "alert", "hand", "webhook", "queue",
)  # fmt: skip
"""What may ask for a retraining."""

OUTCOMES = ("promoted", "proposed", "kept", "stopped", "failed", "skipped")
"""How a run that held the lease may end."""

_REMEMBERED = 1000
_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Request:
    """One wish to retrain.

    :param id: names it.
    :param source: one of :data:`SOURCES`.
    :param reason: a sentence for people.
    :param dedupe_key: a later request with the same key is the same request.
    :param time: when it was put.
    :param actor: who put it.
    :param evidence: JSON-safe facts that it rests on.
    """

    id: str
    source: str
    reason: str
    dedupe_key: str
    time: datetime
    actor: Actor
    evidence: dict[str, Any] = field(default_factory=dict)

    def to_record(self) -> dict[str, Any]:
        """The JSON form."""
        return {**vars(self), "time": to_text(self.time), "actor": vars(self.actor)}

    @classmethod
    def from_record(cls, record: dict[str, Any]) -> Request:
        """The inverse of :meth:`to_record`; other fields of the record are left alone."""
        own = {name: record[name] for name in ("id", "source", "reason", "dedupe_key", "evidence")}
        return cls(
            **own, time=from_text(record["time"]), actor=Actor(record["actor"]["user"], record["actor"]["origin"])
        )


@dataclass(frozen=True)
class Lease:
    """The right of one run to train the model.

    :param holder: the run.
    :param since: when it was granted.
    :param until: when it ends unless it is renewed.
    :param ids: the requests that the run serves.
    """

    holder: str
    since: datetime
    until: datetime
    ids: tuple[str, ...]


@dataclass(frozen=True)
class State:
    """What a broker knows about one model.

    :param requests: those that wait or are being served, oldest first.
    :param lease: who trains now; it may have run out.
    :param served: dedupe keys of the last requests that were closed, with their ids; the newest last.
    :param starts: when trainings of the last day began.
    :param last_result: when a training last came to a result, so that the next one may have to cool down.
    :param ineffective: trainings in a row that brought no version worth promoting.
    :param last_ineffective: when the last of them ended.
    :param refused: the last claim, when it was refused and nothing happened since: its kind and reason, and when.
    :param last_holder: the run whose lease was closed last.
    """

    requests: tuple[Request, ...] = ()
    lease: Lease | None = None
    served: dict[str, str] = field(default_factory=dict)
    starts: tuple[datetime, ...] = ()
    last_result: datetime | None = None
    ineffective: int = 0
    last_ineffective: datetime | None = None
    refused: tuple[str, str, datetime] | None = None
    last_holder: str | None = None

    def waiting(self, now: datetime) -> tuple[Request, ...]:
        """The requests that nobody serves; those of a lease that has run out are among them again."""
        lease = self.lease
        if lease is None or lease.until <= now:
            return self.requests
        return tuple(request for request in self.requests if request.id not in lease.ids)

    def useless(self, now: datetime) -> tuple[int, datetime | None]:
        """How many trainings in a row brought no version worth promoting, and when the last of them ended.

        A lease that ran out is one of them: otherwise a training that kills its worker would be tried for ever.
        """
        if self.lease is not None and self.lease.until <= now:
            return self.ineffective + 1, self.lease.until
        return self.ineffective, self.last_ineffective

    def known(self, dedupe_key: str) -> str | None:
        """The id of the request with this key, be it open or closed."""
        for request in self.requests:
            if request.dedupe_key == dedupe_key:
                return request.id
        return self.served.get(dedupe_key)


def fold(state: State, record: dict[str, Any]) -> State:
    """The state after a record of the broker's journal."""
    change = _CHANGES.get(record["kind"])
    return change(state, record, from_text(record["time"])) if change else state


def _put(state: State, record: dict[str, Any], now: datetime) -> State:
    return replace(state, requests=(*state.requests, Request.from_record(record)), refused=None)


def _woke_up(state: State, record: dict[str, Any], now: datetime) -> State:
    if not record["granted"]:
        return replace(state, refused=(record["condition"], record["reason"], now))
    count, last = state.useless(now)
    lease = Lease(record["holder"], now, from_text(record["until"]), tuple(record["requests"]))
    recent = tuple(start for start in state.starts if start > now - _DAY)
    return replace(state, lease=lease, starts=(*recent, now), ineffective=count, last_ineffective=last, refused=None)


def _renewed(state: State, record: dict[str, Any], now: datetime) -> State:
    if state.lease is None or state.lease.holder != record["holder"]:
        return state
    return replace(state, lease=replace(state.lease, until=from_text(record["until"])))


def _settled(state: State, record: dict[str, Any], now: datetime) -> State:
    lease, outcome = state.lease, record["outcome"]
    if lease is None or lease.holder != record["holder"]:
        return state
    state = replace(state, lease=None, refused=None, last_holder=lease.holder)
    if outcome != "failed":
        state = _closed(state, lease.ids, dict.fromkeys(record["covers"], lease.holder))
    if outcome in {"stopped", "skipped"}:
        return replace(state, starts=tuple(start for start in state.starts if start != lease.since))
    if outcome != "failed":
        state = replace(state, last_result=now)
    if outcome in {"promoted", "proposed"}:
        return replace(state, ineffective=0, last_ineffective=None)
    return replace(state, ineffective=state.ineffective + 1, last_ineffective=now)


def _closed(state: State, ids: tuple[str, ...], covered: dict[str, str]) -> State:
    done = {request.dedupe_key: request.id for request in state.requests if request.id in ids}
    return replace(
        state,
        requests=tuple(request for request in state.requests if request.id not in ids),
        served=_remembered({**state.served, **done, **covered}),
    )


def _triaged(state: State, record: dict[str, Any], now: datetime) -> State:
    return replace(state, served=_remembered({**state.served, record["dedupe_key"]: record["write_id"]}), refused=None)


def _reset(state: State, record: dict[str, Any], now: datetime) -> State:
    return replace(state, ineffective=0, last_ineffective=None, refused=None)


def _remembered(served: dict[str, str]) -> dict[str, str]:
    return dict(list(served.items())[-_REMEMBERED:])


_CHANGES: dict[str, Callable[[State, dict[str, Any], datetime], State]] = {
    "request": _put,
    "wake_up": _woke_up,
    "renewal": _renewed,
    "settlement": _settled,
    "triage": _triaged,
    "reset": _reset,
}


_REQUEST: Mapping[str, Shape] = {
    "id": TEXT,
    "source": TEXT,
    "reason": TEXT,
    "dedupe_key": TEXT,
    "evidence": OBJECT,
    "actor": {"user": TEXT, "origin": TEXT},
    "time": MOMENT,
}

_STATE: Mapping[str, Shape] = {
    "requests": [_REQUEST],
    "lease": Maybe({"holder": TEXT, "since": MOMENT, "until": MOMENT, "ids": [TEXT]}),
    "served": [LIST],
    "starts": [MOMENT],
    "last_result": Maybe(MOMENT),
    "ineffective": COUNT,
    "last_ineffective": Maybe(MOMENT),
    "refused": Maybe(LIST),
    "last_holder": Maybe(TEXT),
}

SHAPES: Mapping[str, Mapping[str, Shape]] = {
    "request": _REQUEST,
    "wake_up": {
        "granted": FLAG,
        "condition": TEXT,
        "reason": TEXT,
        "holder": TEXT,
        "until": Maybe(MOMENT),
        "requests": [TEXT],
    },
    "renewal": {"holder": TEXT, "until": MOMENT},
    "settlement": {"holder": TEXT, "outcome": TEXT, "covers": [TEXT]},
    "triage": {"dedupe_key": TEXT},
}
"""What the records must look like that :func:`fold` reads."""


def dump(state: State) -> dict[str, Any]:
    """The state as JSON."""
    lease, refused = state.lease, state.refused
    return {
        "requests": [request.to_record() for request in state.requests],
        "lease": lease
        and {**vars(lease), "since": to_text(lease.since), "until": to_text(lease.until), "ids": list(lease.ids)},
        # A list, since JSON with sorted keys would lose their order.
        "served": [list(pair) for pair in state.served.items()],
        "starts": [to_text(start) for start in state.starts],
        "last_result": state.last_result and to_text(state.last_result),
        "ineffective": state.ineffective,
        "last_ineffective": state.last_ineffective and to_text(state.last_ineffective),
        "refused": refused and [refused[0], refused[1], to_text(refused[2])],
        "last_holder": state.last_holder,
    }


def load(record: dict[str, Any]) -> State:
    """The inverse of :func:`dump`.

    :raises TamperedRecord: when it is not of that form.
    """
    conform(record, _STATE, "The state of a broker")
    lease, refused = record["lease"], record["refused"]
    return State(
        requests=tuple(Request.from_record(request) for request in record["requests"]),
        lease=lease
        and Lease(lease["holder"], from_text(lease["since"]), from_text(lease["until"]), tuple(lease["ids"])),
        served=dict(record["served"]),
        starts=tuple(from_text(start) for start in record["starts"]),
        last_result=record["last_result"] and from_text(record["last_result"]),
        ineffective=record["ineffective"],
        last_ineffective=record["last_ineffective"] and from_text(record["last_ineffective"]),
        refused=refused and (refused[0], refused[1], from_text(refused[2])),
        last_holder=record["last_holder"],
    )
