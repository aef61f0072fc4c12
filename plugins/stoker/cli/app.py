"""The command ``stoker``: look at models and their loops, move aliases, audit the log."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Sequence
from typing import Any

import click

from stoker import __version__
from stoker.cli import approvals, loop, monitoring, records, reports, retention
from stoker.cli.failures import EXIT_CODES, INTERRUPTED, NEGATIVE, show_failure, show_usage
from stoker.cli.invocation import Invocation
from stoker.cli.output import plain, show_facts, show_json, show_table, utc
from stoker.core.names import parse_version
from stoker.errors import StokerError
from stoker.registry.changes import parse_expected
from stoker.registry.versions import Version

_EPILOG = f"""\b
Examples:
  stoker --store s3://models/stoker models
  stoker show churn champion
  stoker promote churn 7 --expect 6 --reason "better on April"
  stoker rollback churn --reason "predicts only zeros"
  stoker why churn
  stoker audit verify --json

{EXIT_CODES}"""


class _App(click.Group):
    """The one place where an error becomes an exit code, for the console script, Airflow's command and tests alike."""

    def main(self, args: Sequence[str] | None = None, **extra: Any) -> Any:  # type: ignore[override]  # never returns
        argv = list(sys.argv[1:] if args is None else args)
        # Looked for by hand: an error may come up before the option was parsed.
        as_json = "--json" in argv
        try:
            code = super().main(argv, **{**extra, "standalone_mode": False}) or 0
        except StokerError as error:
            code = show_failure(error, as_json=as_json)
        except click.ClickException as error:
            code = show_usage(error, as_json=as_json)
        except click.Abort:
            code = INTERRUPTED
        sys.exit(code)


def _remember(context: click.Context, parameter: click.Parameter, value: Any) -> None:
    if value:  # the same option may stand before and after the command; what was given wins over what was not
        setattr(context.ensure_object(Invocation), str(parameter.name), value)


def _shared(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options that all have in common."""
    for option in (
        click.option(
            "--user", metavar="NAME", expose_value=False, callback=_remember, help="Who acts. Default: your login."
        ),
        click.option(
            "--json",
            "as_json",
            is_flag=True,
            expose_value=False,
            callback=_remember,
            help="Answer in JSON; errors too, on stderr.",
        ),
        click.option(
            "--conn-id",
            metavar="ID",
            expose_value=False,
            callback=_remember,
            help="Airflow connection that names the store. Default: stoker_default.",
        ),
        click.option(
            "--store",
            "store_uri",
            metavar="URI",
            expose_value=False,
            callback=_remember,
            help="Root of the store: s3://bucket/prefix or file:///folder. Default: $STOKER_STORE, else Airflow's settings.",
        ),
    ):
        command = option(command)
    return command


_pass = click.make_pass_decorator(Invocation, ensure=True)
_MODEL = click.argument("model", metavar="MODEL")
_ALIAS = click.option("--alias", default="champion", show_default=True, help="The alias to move.")
_REASON = click.option("--reason", required=True, metavar="TEXT", help="Why; kept in the audit log.")
_LIMIT = click.option("--limit", type=click.IntRange(1), default=50, show_default=True, help="How many at most.")


@click.group(cls=_App, name="stoker", epilog=_EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="stoker")
@_shared
def app() -> None:
    """Look at registered models, move their aliases, and audit what was done.

    Times are in UTC. The options below may also follow the command.
    """


@app.command("models")
@_shared
@_pass
def list_models(invocation: Invocation) -> None:
    """List all models with their champions, and the versions that wait for approval."""
    rows = [records.model_record(invocation.registry, name) for name in invocation.registry.models()]
    if invocation.as_json:
        show_json({"models": rows})
        return
    show_table(
        f"Models in {plain(invocation.store.uri)}",
        ("Model", "Champion#", "Versions#", "Waiting#", "Changed (UTC)"),
        [
            (
                row["model"],
                row["champion"],
                row["versions"],
                ", ".join(f"v{number}" for number in row["waiting"]) or None,
                records.shown_time(row["changed"]),
            )
            for row in rows
        ],
        empty=f"No model is registered in {plain(invocation.store.uri)} yet.",
    )


@app.command("versions")
@_MODEL
@_LIMIT
@_shared
@_pass
def list_versions(invocation: Invocation, model: str, limit: int) -> None:
    """List the versions of MODEL, newest first."""
    found = [records.version_record(version) for version in invocation.registry.versions(model, limit=limit)]
    if invocation.as_json:
        show_json({"model": model, "versions": found})
        return
    show_table(
        f"Versions of {model}",
        ("Version#", "Aliases", "Verdict", "Registered (UTC)", "By"),
        [
            (
                row["version"],
                ", ".join(row["aliases"]) or None,
                ", ".join([row["verdict"], *(fact for fact in ("blocked", "archived") if row[fact])]),
                records.shown_time(row["time"]),
                row["actor"]["user"],
            )
            for row in found
        ],
        empty=f"Model {model} has no versions.",
    )


@app.command("show")
@_MODEL
@click.argument("which", metavar="VERSION|ALIAS")
@_shared
@_pass
def show_version(invocation: Invocation, model: str, which: str) -> None:
    """Show one version of MODEL, by number or by alias."""
    version = _find(invocation, model, which)
    review = invocation.registry.state(model).reviews.get(version.number)
    record = {**records.version_record(version), "review": review.to_record() if review else None}
    if invocation.as_json:
        show_json({**record, "manifest": version.manifest})
        return
    evaluation = version.manifest.get("evaluation") or {}
    facts = [
        ("Aliases", ", ".join(version.aliases) or None),
        ("Blocked", "yes" if version.blocked else "no"),
        ("Files", "given up by retention" if version.archived else "kept"),
        ("Approval", approvals.shown(review)),
        ("Verdict", record["verdict"]),
        *(("because", reason) for reason in record["reasons"]),
        *((name, value) for name, value in (evaluation.get("metrics") or {}).items()),
        ("Registered", f"{utc(version.time)} by {version.actor.user} ({version.actor.origin})"),
        ("Reason", version.reason),
        ("Digest", version.digest),
        ("Fingerprint", version.fingerprint),
        *((f"File {name}", f"{file.size} bytes, sha256 {file.sha256}") for name, file in version.files.items()),
    ]
    show_facts(f"Version {version.number} of {model}", facts)


@app.command("promote")
@_MODEL
@click.argument("version")
@_ALIAS
@click.option(
    "--expect", default="any", metavar="N|none|any", show_default=True, help="Where the alias must point now."
)
@click.option("--no-verdict", is_flag=True, help="Also a version that has not passed its evaluation.")
@click.option(
    "--approved/--not-approved",
    default=None,
    help="Only a version that a person has approved as it is; or any. Default: approved, if anybody was asked.",
)
@_REASON
@_shared
@_pass
def promote(
    invocation: Invocation,
    model: str,
    version: str,
    alias: str,
    expect: str,
    no_verdict: bool,
    approved: bool | None,
    reason: str,
) -> None:
    """Point an alias of MODEL at VERSION, in one atomic write."""
    move = invocation.registry.promote(
        model,
        parse_version(version),
        alias=alias,
        expected_version=parse_expected(expect),
        require_verdict=not no_verdict,
        require_approval=approved,
        actor=invocation.actor,
        reason=reason,
    )
    _show_move(invocation, records.move_record(model, move))


@app.command("rollback")
@_MODEL
@click.option("--to", metavar="N", help="The version to go back to. Default: the last one that is not blocked.")
@_ALIAS
@click.option("--expect", default="any", metavar="N|any", show_default=True, help="The bad version.")
@_REASON
@_shared
@_pass
def rollback(invocation: Invocation, model: str, to: str | None, alias: str, expect: str, reason: str) -> None:
    """Point an alias of MODEL back at an earlier version, and block the bad one.

    The earlier version is loaded in a clean process first. What Airflow's settings trust is trusted; with --store add --conn-id for that.
    """
    move = invocation.registry.rollback(
        model,
        alias=alias,
        to=None if to is None else parse_version(to),
        expected_version=parse_expected(expect),
        actor=invocation.actor,
        reason=reason,
        verify=lambda version: _verify_loads(invocation, version),
    )
    _show_move(invocation, records.move_record(model, move))


@app.command("unblock")
@_MODEL
@click.argument("version")
@_REASON
@_shared
@_pass
def unblock(invocation: Invocation, model: str, version: str, reason: str) -> None:
    """Let VERSION of MODEL, which was rolled back before, be promoted again."""
    number = parse_version(version)
    changed = invocation.registry.unblock(model, number, actor=invocation.actor, reason=reason)
    record = {"model": model, "version": number, "changed": changed}
    if invocation.as_json:
        show_json(record)
        return
    was = "is free again" if changed else "was not blocked"
    click.echo(f"Version {number} of {model} {was}.")


@app.group("audit")
def audit() -> None:
    """Read and check the commit log."""


@audit.command("log")
@_MODEL
@_LIMIT
@_shared
@_pass
def audit_log(invocation: Invocation, model: str, limit: int) -> None:
    """Show who changed what in MODEL, when and why; the newest last."""
    behind = max(invocation.registry.state(model).seq - limit, 0)
    entries = [records.entry_record(entry) for entry in invocation.registry.history(model, after=behind)]
    if invocation.as_json:
        show_json({"model": model, "entries": entries})
        return
    show_table(
        f"Log of {model}",
        ("Entry#", "Time (UTC)", "Who", "What", "Why"),
        [
            (row["seq"], records.shown_time(row["time"]), row["actor"]["user"], row["description"], row["reason"])
            for row in entries
        ],
        empty=f"The log of {model} is empty.",
    )


@audit.command("verify")
@click.argument("model", metavar="[MODEL]", required=False)
@click.option(
    "--expect-head", metavar="DIGEST", help="Digest of the last entry as it was noted elsewhere; needs MODEL."
)
@_shared
@_pass
@click.pass_context
def audit_verify(context: click.Context, invocation: Invocation, model: str | None, expect_head: str | None) -> None:
    """Read every record of MODEL, or of all models, and name each that is damaged."""
    from stoker.registry.audit import verify

    if expect_head and not model:
        raise click.UsageError("--expect-head needs a MODEL: each model has a log of its own.")
    names = [model] if model else invocation.registry.models()
    found = [records.audit_record(name, verify(invocation.store, name, expected_head=expect_head)) for name in names]
    if invocation.as_json:
        show_json({"models": found})
    else:
        show_table(
            "Audit",
            ("Model", "Entries#", "Problems#", "Head"),
            [(row["model"], row["entries"], len(row["problems"]), row["head"]) for row in found],
            empty="There are no models to audit.",
        )
        for problem in (problem for row in found for problem in row["problems"]):
            click.echo(f"{plain(problem['key'])}: {plain(problem['what'])}")
    if any(row["problems"] for row in found):
        context.exit(NEGATIVE)


@app.command("doctor")
@_shared
@_pass
@click.pass_context
def doctor(context: click.Context, invocation: Invocation) -> None:
    """Check this installation: versions, settings, the store, and its newest records.

    Writes a few objects under .probe/ and removes them again.
    """
    from stoker.cli.doctor import examine

    checks = examine(invocation)
    if invocation.as_json:
        show_json({"ok": all(check.result != "fail" for check in checks), "checks": [vars(check) for check in checks]})
    else:
        show_table(
            "Doctor", ("Check", "Result", "Finding"), [tuple(vars(check).values()) for check in checks], empty=""
        )
    if any(check.result == "fail" for check in checks):
        context.exit(NEGATIVE)


for _command in (*approvals.COMMANDS, *loop.COMMANDS, *monitoring.COMMANDS, *reports.COMMANDS):
    _shared(_command)
    app.add_command(_command)
for _command in retention.retention.commands.values():
    _shared(_command)
app.add_command(retention.retention)


def main() -> None:
    """The console script."""
    app.main(prog_name="stoker")


def _find(invocation: Invocation, model: str, which: str) -> Version:
    if re.match(r"[-0-9]", which):  # no alias begins so
        return invocation.registry.version(model, parse_version(which))
    return invocation.registry.resolve(model, which)


def _verify_loads(invocation: Invocation, version: Version) -> None:
    # Imported here: the engines bring heavy libraries, which only this command needs.
    import importlib

    registration = importlib.import_module("stoker.engines.registration")
    registration.verify_loads(invocation.store, version, trusted=invocation.trusted_types)


def _show_move(invocation: Invocation, record: dict[str, Any]) -> None:
    if invocation.as_json:
        show_json(record)
        return
    was = f"it was version {record['previous']}" if record["previous"] else "it was unset"
    if not record["changed"]:
        was = "it was so already, and nothing was written"
    click.echo(f"{record['model']}@{record['alias']} is version {record['version']}; {was}.")
