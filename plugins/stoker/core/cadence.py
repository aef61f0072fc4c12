"""When a model may be retrained: cooldown, budget, lease and circuit breaker, decided from a state and a time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from stoker.core.clock import to_minute
from stoker.core.durations import duration_text
from stoker.core.requests import SOURCES, Request, State
from stoker.errors import ConfigurationError

_DAY = timedelta(days=1)


@dataclass(frozen=True)
class CadencePolicy:
    """How often a model may be retrained, and because of what.

    A request by hand passes cooldown, budget and an open breaker, for a person answers for it; never another run's lease.

    :param retrain_on: the sources whose requests start a training, of :data:`~stoker.core.requests.SOURCES`. Requests of
        others wait until a training comes along, which serves them too.
    :param cooldown: the least time between the result of one training and the start of the next.
    :param budget_per_day: the most trainings that may begin in 24 hours; 0 for none but those by hand.
    :param lease: how long a run may train without a sign of life, before another may take over.
    :param max_ineffective: after so many trainings in a row that failed or brought no new champion the breaker opens.
    :param retry_after: how long the breaker stays open before one training is tried again.
    :param max_age: the age at which a champion counts as stale; ``None`` for never.
    """

    retrain_on: tuple[str, ...] = SOURCES
    cooldown: timedelta = timedelta(hours=1)
    budget_per_day: int = 4
    lease: timedelta = timedelta(hours=2)
    max_ineffective: int = 3
    retry_after: timedelta = _DAY
    max_age: timedelta | None = None

    def __post_init__(self) -> None:
        unknown = sorted(set(self.retrain_on) - set(SOURCES))
        if unknown:
            raise ConfigurationError(f"retrain_on must name some of {', '.join(SOURCES)}; got {', '.join(unknown)}.")
        for name in ("cooldown", "retry_after"):
            if getattr(self, name) < timedelta():
                raise ConfigurationError(f"{name} must not be negative; got {getattr(self, name)}.")
        for name in ("lease", "max_age"):
            value = getattr(self, name)
            if value is not None and value <= timedelta():
                raise ConfigurationError(f"{name} must be longer than nothing; got {value}.")
        if self.budget_per_day < 0 or self.max_ineffective < 1:
            raise ConfigurationError(
                f"budget_per_day must be 0 or more and max_ineffective 1 or more; got {self.budget_per_day} and {self.max_ineffective}."
            )


@dataclass(frozen=True)
class Grant:
    """The answer to a claim.

    :param granted: whether the claimant may train now.
    :param kind: ``granted``, ``nothing_to_do``, ``leased``, ``cooldown``, ``budget`` or ``breaker_open``: what decided.
    :param reason: a sentence for people.
    :param requests: what the training serves, oldest first; empty unless granted.
    :param until: when the lease ends, if granted; else when it is worth to ask again, if that is known.
    """

    granted: bool
    kind: str
    reason: str
    requests: tuple[Request, ...] = ()
    until: datetime | None = None


def decide(state: State, policy: CadencePolicy, now: datetime, holder: str) -> Grant:
    """Whether a run may train the model now.

    :param holder: the run that asks. One that holds the lease already is given the very same grant.
    """
    lease = state.lease
    if lease is not None and lease.holder == holder:
        own = tuple(request for request in state.requests if request.id in lease.ids)
        return _granted(own, lease.until if lease.until > now else now + policy.lease)
    if lease is not None and lease.until > now:
        return _refused("leased", f"{lease.holder} trains this model until {to_minute(lease.until)}.", lease.until)
    waiting = state.waiting(now)
    wanted = [request for request in waiting if request.source in policy.retrain_on]
    if not wanted:
        ignored = sorted({request.source for request in waiting})
        others = f" Those of {', '.join(ignored)} start no training under this policy." if ignored else ""
        return _refused("nothing_to_do", f"No request asks for a training.{others}", None)
    refusal = None if any(request.source == "hand" for request in wanted) else _held_back(state, policy, now)
    return refusal or _granted(waiting, now + policy.lease)


def _held_back(state: State, policy: CadencePolicy, now: datetime) -> Grant | None:
    """What keeps a request that no person made from being served now."""
    count, since = state.useless(now)
    if count >= policy.max_ineffective and since is not None and now < since + policy.retry_after:
        return _refused(
            "breaker_open",
            f"The last {count} trainings brought no new champion; the next is tried after {to_minute(since + policy.retry_after)}, "
            "or once a person resumes the model.",
            since + policy.retry_after,
        )
    if state.last_result is not None and now < state.last_result + policy.cooldown:
        return _refused(
            "cooldown",
            f"The last training ended at {to_minute(state.last_result)}; the next may begin {duration_text(policy.cooldown)} later.",
            state.last_result + policy.cooldown,
        )
    recent = [start for start in state.starts if start > now - _DAY]
    if len(recent) >= policy.budget_per_day:
        return _refused(
            "budget",
            f"At most {policy.budget_per_day} trainings may begin in 24 hours; {len(recent)} did.",
            recent[-policy.budget_per_day] + _DAY if policy.budget_per_day else None,
        )
    return None


def _granted(requests: tuple[Request, ...], until: datetime) -> Grant:
    sources = ", ".join(sorted({request.source for request in requests}))
    count = f"{len(requests)} request{'s' if len(requests) != 1 else ''}"
    return Grant(True, "granted", f"A training serves {count} ({sources}).", requests, until)


def _refused(kind: str, reason: str, until: datetime | None) -> Grant:
    return Grant(False, kind, reason, until=until)
