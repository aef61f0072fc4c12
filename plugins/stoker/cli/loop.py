"""The commands about the loop of one model: why it trained or did not, what is asked for, asking, and resuming."""

from __future__ import annotations

from dataclasses import asdict

import click

from stoker.cli import records
from stoker.cli.invocation import Invocation
from stoker.cli.output import show_json, show_table
from stoker.core.clock import random_id
from stoker.core.names import check_name
from stoker.core.requests import Request
from stoker.loop.broker import Broker
from stoker.loop.wake_ups import WakeUp

_pass = click.make_pass_decorator(Invocation, ensure=True)
_MODEL = click.argument("model", metavar="MODEL")
_REASON = click.option("--reason", required=True, metavar="TEXT", help="Why; kept in the model's journal.")


@click.command("why")
@_MODEL
@click.option("--last", type=click.IntRange(1), default=10, show_default=True, help="How many wake-ups at most.")
@_pass
def why(invocation: Invocation, model: str, last: int) -> None:
    """Tell what MODEL's loop did at its last wake-ups, and because of what; the newest first."""
    found = _broker(invocation, model).wake_ups(last)
    if invocation.as_json:
        show_json({"model": model, "wake_ups": [asdict(one) for one in found]})
        return
    show_table(
        f"Wake-ups of {model}",
        ("Time (UTC)", "Woken by", "Result", "Because"),
        [(records.shown_time(one.time), _woken_by(one), _result(one), one.reason) for one in found],
        empty=f"The loop of {model} has not decided anything yet.",
    )


@click.command("requests")
@_MODEL
@click.option("--all", "every", is_flag=True, help="Also those that were served.")
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True, help="How many at most.")
@_pass
def requests(invocation: Invocation, model: str, every: bool, limit: int) -> None:
    """List what asks for a training of MODEL, newest first."""
    broker = _broker(invocation, model)
    state = broker.state()
    leased = set(state.lease.ids) if state.lease else set()
    waiting = {request.id for request in state.requests} - leased
    rows = [
        {**request.to_record(), "status": _status(request, leased, waiting)}
        for request in broker.requests(every=every, limit=limit)
    ]
    if invocation.as_json:
        show_json({"model": model, "requests": rows})
        return
    show_table(
        f"Requests to train {model}",
        ("Time (UTC)", "Source", "Status", "By", "Reason"),
        [
            (records.shown_time(row["time"]), row["source"], row["status"], row["actor"]["user"], row["reason"])
            for row in rows
        ],
        empty=f"Nothing asks for a training of {model}.",
    )


@click.command("retrain")
@_MODEL
@_REASON
@_pass
def retrain(invocation: Invocation, model: str, reason: str) -> None:
    """Ask for a training of MODEL. Cooldown, budget and an open breaker do not hold it back; a training under way does."""
    ticket = _broker(invocation, model).put(
        source="hand", reason=reason, dedupe_key=f"hand/{random_id()}", actor=invocation.actor
    )
    if invocation.as_json:
        show_json({"model": model, "id": ticket.id})
        return
    click.echo(f"A training of {model} is asked for as {ticket.id}. Its training DAG takes it up when it looks next.")


@click.command("resume")
@_MODEL
@_REASON
@_pass
def resume(invocation: Invocation, model: str, reason: str) -> None:
    """Let MODEL train by itself again after trainings in a row that brought nothing."""
    changed = _broker(invocation, model).reset(actor=invocation.actor, reason=reason)
    if invocation.as_json:
        show_json({"model": model, "changed": changed})
        return
    click.echo(f"{model} trains by itself again." if changed else f"Nothing held {model} back; nothing was written.")


COMMANDS: tuple[click.Command, ...] = (why, requests, retrain, resume)


def _broker(invocation: Invocation, model: str) -> Broker:
    """The broker of a model that anybody has heard of: a misspelt name must not begin a new journal.

    :raises NotFound: when neither the registry nor a broker knows it.
    """
    broker = Broker(invocation.store, check_name(model, "model"))
    if not broker.known:
        invocation.registry.state(model)
    return broker


def _woken_by(one: WakeUp) -> str:
    told = [f"{request['source']}: {request['reason']}" for request in one.woken_by]
    return "; ".join(told) or one.who


def _result(one: WakeUp) -> str:
    version = f" v{one.version}" if one.version else ""
    return f"{one.result}{version}" if one.condition == "granted" else f"{one.result} ({one.condition})"


def _status(request: Request, leased: set[str], waiting: set[str]) -> str:
    if request.id in leased:
        return "in training"
    return "waiting" if request.id in waiting else "closed"
