"""The commands about retention: what would go, and letting it go."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import click

from stoker.cli.invocation import Invocation
from stoker.cli.output import plain, show_json, show_table, utc
from stoker.core.clock import to_text
from stoker.core.retention import RetentionPolicy
from stoker.core.sizes import show_size
from stoker.registry import retention as engine
from stoker.registry.retention import Plan, Swept

_pass = click.make_pass_decorator(Invocation, ensure=True)
_POLICY = click.option(
    "--policy",
    "path",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="YAML with a section 'retention'. Default: what docs/retention.md names.",
)


@click.group("retention")
def retention() -> None:
    """Give up what nothing needs any more."""


@click.command("plan")
@_POLICY
@_pass
def plan(invocation: Invocation, path: Path | None) -> None:
    """Show what a sweep would come to, and why the rest stays. Writes nothing.

    Reads every log, pointer and document of the store once.
    """
    found = engine.plan(invocation.registry, _policy(path), tell=_tell)
    if invocation.as_json:
        show_json(_plan_record(found))
        return
    show_table(
        f"Versions in {plain(invocation.store.uri)}",
        ("Model", "Versions#", "Archived#", "To archive#", "Why the others stay"),
        [
            (
                one.model,
                one.versions,
                one.archived,
                len(one.archive),
                "; ".join(f"{count}: {reason}" for reason, count in sorted(one.kept.items())) or None,
            )
            for one in found.models
        ],
        empty="No model is registered.",
    )
    click.echo(
        f"{found.unneeded} objects of {show_size(found.bytes)} are needed by nothing, {found.needed} are; {found.expired} pointers expired."
    )
    if found.due:
        click.echo(f"An earlier sweep condemned some of them; they may be removed from {utc(found.due)}.")


@click.command("sweep")
@_POLICY
@click.option("--yes", is_flag=True, help="Do it. Without this the command only says what it needs.")
@_pass
def sweep(invocation: Invocation, path: Path | None, yes: bool) -> None:
    """Archive versions, remove what was condemned by an earlier sweep, and condemn what nothing needs now.

    Nothing is removed by the sweep that finds it. What is removed is gone; see 'stoker retention plan' first.
    """
    if not yes:
        raise click.UsageError("A sweep removes objects for good. Look at 'stoker retention plan', then pass --yes.")
    done = engine.sweep(invocation.registry, _policy(path), actor=invocation.actor, tell=_tell)
    if invocation.as_json:
        show_json(_swept_record(done))
        return
    for model, versions in done.archived.items():
        click.echo(f"{plain(model)}: archived {len(versions)} versions.")
    click.echo(f"{done.removed} objects of {show_size(done.bytes)} and {done.pointers} expired pointers were removed.")
    if done.due:
        click.echo(f"{done.condemned} objects are condemned; a sweep from {utc(done.due)} on removes them.")


retention.add_command(plan)
retention.add_command(sweep)


def _policy(path: Path | None) -> RetentionPolicy:
    if path is None:
        return RetentionPolicy()
    from stoker.loop.policy_file import load_policy  # brings pydantic, which only this option needs

    return load_policy(path).retention


def _tell(line: str) -> None:
    """Progress goes to stderr, so that it never mixes with the answer."""
    click.echo(plain(line), err=True)


def _plan_record(found: Plan) -> dict[str, Any]:
    models = [{**vars(one), "archive": list(one.archive)} for one in found.models]
    return {**vars(found), "models": models, "due": _time(found.due)}


def _swept_record(done: Swept) -> dict[str, Any]:
    archived = {model: list(versions) for model, versions in done.archived.items()}
    return {**vars(done), "archived": archived, "due": _time(done.due)}


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else to_text(moment)
