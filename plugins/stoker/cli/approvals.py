"""The commands by which people decide on a version that waits for approval."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from stoker.cli.invocation import Invocation
from stoker.cli.output import show_json
from stoker.core.clock import system_clock, to_minute
from stoker.core.names import parse_version
from stoker.errors import ConflictError, UsageError
from stoker.registry.state import APPROVED, REJECTED, VOID, WAITING, ModelState, Review
from stoker.registry.versions import Version

_SHORTEST_EVIDENCE = 12

_pass = click.make_pass_decorator(Invocation, ensure=True)


def _decision(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command what both decisions take."""
    for parameter in (
        click.option("--reason", required=True, metavar="TEXT", help="Why; kept in the audit log."),
        click.option(
            "--evidence",
            required=True,
            metavar="DIGEST",
            help=f"Digest that 'stoker show' printed for the version you looked at; the first {_SHORTEST_EVIDENCE} digits do.",
        ),
        click.argument("version"),
        click.argument("model", metavar="MODEL"),
    ):
        command = parameter(command)
    return command


@click.command("approve")
@_decision
@_pass
def approve(invocation: Invocation, /, **given: str) -> None:
    """Let VERSION of MODEL, which waits for approval, go into production. Moves no alias."""
    _decide(invocation, invocation.registry.approve, **given)


@click.command("reject")
@_decision
@_pass
def reject(invocation: Invocation, /, **given: str) -> None:
    """Keep VERSION of MODEL, which waits for approval, out of production."""
    _decide(invocation, invocation.registry.reject, **given)


COMMANDS: tuple[click.Command, ...] = (approve, reject)


def waiting(state: ModelState) -> list[int]:
    """The versions that can be approved now."""
    return sorted(review.version for review in state.waiting(system_clock()))


def shown(review: Review | None) -> str | None:
    """A review as people read it; ``None`` when nobody was asked."""
    if review is None:
        return None
    end = to_minute(review.until)
    if review.status in (APPROVED, REJECTED):
        return f"{review.status} by {review.decided_by}"
    if review.status == VOID:
        return "void since it was blocked; to be asked for again"
    if not review.waits(system_clock()):
        return f"not answered until {end}"
    other = f" by somebody other than {review.asked_by}" if review.four_eyes else ""
    return f"{WAITING} for approval{other} until {end}"


def _decide(
    invocation: Invocation, decide: Callable[..., Review], *, model: str, version: str, evidence: str, reason: str
) -> None:
    found = invocation.registry.version(model, parse_version(version))
    digest = _digest(found, evidence)
    review = decide(model, found.number, evidence=digest, actor=invocation.actor, reason=reason)
    if invocation.as_json:
        show_json({"model": model, **review.to_record()})
        return
    click.echo(f"Version {review.version} of {model} is {review.status}.")


def _digest(version: Version, given: str) -> str:
    """The whole digest of the version, which a person named by its beginning."""
    if len(given) < _SHORTEST_EVIDENCE:
        raise UsageError(
            f"Evidence must be at least the first {_SHORTEST_EVIDENCE} digits of the version's digest; got {given!a}. "
            f"'stoker show {version.model} {version.number}' prints it."
        )
    if not version.digest.startswith(given.lower()):
        raise ConflictError(
            f"The evidence must be that of version {version.number} of {version.model!r}, {version.digest[:_SHORTEST_EVIDENCE]}; got "
            f"{ascii(given)[:80]}. Look at it with 'stoker show', then decide.",
            model=version.model,
            version=version.number,
        )
    return version.digest
