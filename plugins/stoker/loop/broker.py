"""The retrain broker: whatever wants a model trained asks here, and one run at a time is let.

Requests coalesce, so that fifty alarms in a minute make one training; whether it may begin is decided by
:mod:`stoker.core.cadence`. Everything lies in the store and survives restarts of whatever asked.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from stoker.core import clock as time
from stoker.core import wire
from stoker.core.cadence import CadencePolicy, Grant, decide
from stoker.core.records import Actor
from stoker.core.requests import OUTCOMES, SHAPES, SOURCES, Request, State, dump, fold, load
from stoker.errors import UsageError
from stoker.loop.journal import Journal
from stoker.loop.wake_ups import WakeUp, wake_ups
from stoker.store import layout
from stoker.store.base import ObjectStore

log = logging.getLogger(__name__)

POLICY = CadencePolicy()

MAX_EVIDENCE_BYTES = 4 * 1024
MAX_REASON = 1000
"""Characters of a reason or a dedupe key."""

MAX_TOLD = 10
"""Requests that a wake-up tells the reasons of."""

MAX_WAITING = 100
"""Waiting requests of one source: a further one tells nothing new, for one training serves them all."""

_SAY_AGAIN = timedelta(hours=1)


@dataclass(frozen=True)
class Ticket:
    """What became of a request.

    :param id: the request; an earlier one when this one is the same.
    :param new: whether it was written.
    """

    id: str
    new: bool


class Broker:
    """The requests to retrain one model, and who may serve them.

    :param store: where the journal lies.
    :param model: the model's name.
    :param policy: how often a training may begin. Only :meth:`claim` and :meth:`pending` look at it.
    :param clock: the time of records and decisions.
    :param new_id: makes ids of requests and records.
    """

    def __init__(
        self,
        store: ObjectStore,
        model: str,
        *,
        policy: CadencePolicy = POLICY,
        clock: time.Clock = time.system_clock,
        new_id: time.IdFactory = time.random_id,
    ) -> None:
        self.model = model
        self.policy = policy
        self._clock = clock
        self._new_id = new_id
        self._journal: Journal[State] = Journal(
            store,
            layout.journal(model, "broker"),
            fold=fold,
            empty=State(),
            dump=dump,
            load=load,
            shapes=SHAPES,
            clock=clock,
            new_id=new_id,
        )

    def put(
        self, *, source: str, reason: str, dedupe_key: str, actor: Actor, evidence: dict[str, Any] | None = None
    ) -> Ticket:
        """Ask for a training.

        :param source: one of :data:`~stoker.core.requests.SOURCES`.
        :param reason: a sentence for people, at most :data:`MAX_REASON` characters.
        :param dedupe_key: says what it is about, such as a window and a version. The same key again, be the request
            open or served (the last 1,000 are remembered), is the same request, and nothing is written.
        :param evidence: JSON-safe facts that it rests on, such as digests; at most 4 KiB.
        :raises UsageError: when an argument breaks these rules.
        """
        _check(source, reason, dedupe_key, evidence or {})
        request = Request(self._new_id(), source, reason, dedupe_key, self._clock(), actor, evidence or {})
        ticket = Ticket(request.id, new=True)

        def decided(state: State) -> dict[str, Any] | None:
            nonlocal ticket
            same = state.known(dedupe_key)
            waiting = [other for other in state.waiting(self._clock()) if other.source == source]
            if same is None and len(waiting) >= MAX_WAITING:
                same = waiting[-1].id
            ticket = Ticket(same or request.id, new=same is None)
            return {"kind": "request", **request.to_record()} if ticket.new else None

        self._journal.append(decided)
        log.info(
            "Model %s: request from %s %s: %s", self.model, source, "noted" if ticket.new else "known already", reason
        )
        return ticket

    def claim(self, holder: str, *, actor: Actor) -> Grant:
        """Ask to train now, and take the lease if it is granted. Either answer is recorded.

        A refusal that repeats the last one is recorded once an hour. The holder of the lease is given the same grant
        again, so a repeated task is safe.

        :param holder: the run, such as ``dag/run``; unique.
        """
        grant = Grant(granted=False, kind="", reason="")

        def decided(state: State) -> dict[str, Any] | None:
            nonlocal grant
            now = self._clock()
            grant = decide(state, self.policy, now, holder)
            if grant.granted and state.lease is not None and state.lease.holder == holder:
                return None if state.lease.until > now else _renewal(holder, now + self.policy.lease)
            if state.refused is not None and not grant.granted:
                kind, reason, when = state.refused
                if (kind, reason) == (grant.kind, grant.reason) and now < when + _SAY_AGAIN:
                    return None
            return {
                "kind": "wake_up",
                "holder": holder,
                "actor": vars(actor),
                "granted": grant.granted,
                "condition": grant.kind,
                "reason": grant.reason,
                "requests": [request.id for request in grant.requests],
                "because": [
                    {"source": request.source, "reason": request.reason} for request in grant.requests[:MAX_TOLD]
                ],
                "until": grant.until and time.to_text(grant.until),
            }

        self._journal.append(decided)
        log.info("Model %s: claim of %s: %s. %s", self.model, holder, grant.kind, grant.reason)
        return grant

    def renew(self, holder: str) -> bool:
        """A sign of life of the run that holds the lease: it then lasts its full length from now.

        :returns: whether the run still holds it; ``False`` means that it must not promote anything any more.
        """
        held = False

        def decided(state: State) -> dict[str, Any] | None:
            nonlocal held
            held = state.lease is not None and state.lease.holder == holder
            return _renewal(holder, self._clock() + self.policy.lease) if held else None

        self._journal.append(decided)
        return held

    def settle(
        self,
        holder: str,
        *,
        outcome: str,
        reason: str,
        version: int | None = None,
        evidence: dict[str, Any] | None = None,
        covers: Sequence[str] = (),
    ) -> bool:
        """Give the lease back and say how the run ended.

        :param outcome: ``promoted``; ``proposed`` when a version was registered and waits for a person; ``kept`` when the
            champion stays; ``stopped`` when the data was not fit to train on; ``skipped`` when nothing was trained for
            another reason; ``failed``. After ``failed`` the requests wait again, after all others they are closed.
            ``stopped`` and ``skipped`` count neither against the budget nor towards the breaker; only ``promoted`` and
            ``proposed`` close that again.
        :param version: the version that was registered, if one was.
        :param evidence: JSON-safe facts; at most 4 KiB.
        :param covers: dedupe keys of requests that the run has answered though nobody put them; not after ``failed``.
        :returns: whether the lease was still this run's, or had been given back by it already.
        :raises UsageError: when an argument breaks these rules.
        """
        if outcome not in OUTCOMES:
            raise UsageError(f"An outcome must be one of {', '.join(OUTCOMES)}; got {outcome!r}.")
        _check_evidence(evidence or {})
        held = False

        def decided(state: State) -> dict[str, Any] | None:
            nonlocal held
            if state.lease is None or state.lease.holder != holder:
                held = state.lease is None and state.last_holder == holder
                return None
            held = True
            return {
                "kind": "settlement",
                "holder": holder,
                "outcome": outcome,
                "reason": reason[:MAX_REASON],
                "version": version,
                "evidence": evidence or {},
                "covers": list(covers),
            }

        self._journal.append(decided)
        log.info(
            "Model %s: %s ended as %s%s. %s", self.model, holder, outcome, "" if held else ", without the lease", reason
        )
        return held

    def note_triage(self, *, action: str, kind: str, reason: str, dedupe_key: str, actor: Actor) -> bool:
        """Record what a triage decided, so that it is found beside the wake-ups.

        :param dedupe_key: the same triage again writes nothing.
        :returns: whether it was news.
        """

        def decided(state: State) -> dict[str, Any] | None:
            if state.known(dedupe_key) is not None:
                return None
            return {
                "kind": "triage",
                "action": action,
                "condition": kind,
                "reason": reason[:MAX_REASON],
                "dedupe_key": dedupe_key,
                "actor": vars(actor),
            }

        return self._journal.append(decided)[1] is not None

    def reset(self, *, actor: Actor, reason: str) -> bool:
        """Close the circuit breaker by hand.

        :returns: whether there was anything to reset.
        """

        def decided(state: State) -> dict[str, Any] | None:
            if state.useless(self._clock())[0] == 0:
                return None
            return {"kind": "reset", "actor": vars(actor), "reason": reason[:MAX_REASON]}

        return self._journal.append(decided)[1] is not None

    @property
    def known(self) -> bool:
        """Whether anything was ever written about this model here."""
        return self._journal.read()[0] > 0

    def state(self) -> State:
        """Everything that is known now."""
        return self._journal.read()[1]

    def requests(self, *, every: bool = False, limit: int = 100) -> list[Request]:
        """Requests, newest first.

        :param every: also those that were closed.
        """
        if not every:
            return list(reversed(self.state().requests))[:limit]
        records = (record for record in self._journal.backwards() if record["kind"] == "request")
        return [Request.from_record(record) for record in islice(records, limit)]

    def pending(self) -> bool:
        """Whether a claim would be granted to a run that does not hold the lease. Writes nothing."""
        return decide(self.state(), self.policy, self._clock(), "").granted

    def wake_ups(self, limit: int = 20, *, within: int | None = None) -> list[WakeUp]:
        """What the loop did of late and what decided it, newest first.

        :param within: how many of the newest records are searched at most; ``None`` for all.
        """
        state = self.state()
        holder = state.lease.holder if state.lease is not None and state.lease.until > self._clock() else None
        return wake_ups(islice(self._journal.backwards(), within), limit, training=holder)


def _renewal(holder: str, until: datetime) -> dict[str, Any]:
    return {"kind": "renewal", "holder": holder, "until": time.to_text(until)}


def _check(source: str, reason: str, dedupe_key: str, evidence: dict[str, Any]) -> None:
    if source not in SOURCES:
        raise UsageError(f"A request's source must be one of {', '.join(SOURCES)}; got {ascii(source)[:80]}.")
    for name, text in (("reason", reason), ("dedupe_key", dedupe_key)):
        if not isinstance(text, str) or not 1 <= len(text) <= MAX_REASON:
            raise UsageError(
                f"A request's {name} must be text of 1 to {MAX_REASON} characters; got {ascii(text)[:80]}."
            )
    _check_evidence(evidence)


def _check_evidence(evidence: dict[str, Any]) -> None:
    try:
        size = len(wire.canonical(evidence))
    except (TypeError, ValueError) as error:
        raise UsageError(f"Evidence must be plain JSON; {error}. Pass texts and numbers.") from error
    if size > MAX_EVIDENCE_BYTES:
        raise UsageError(f"Evidence must have at most {MAX_EVIDENCE_BYTES} bytes; it has {size}. Pass digests instead.")
