"""The commands that write reports and model cards."""

from __future__ import annotations

import re
from typing import IO, Any

import click

from stoker.cli.invocation import Invocation
from stoker.cli.output import show_json
from stoker.core.names import parse_version
from stoker.store.documents import get_document

_pass = click.make_pass_decorator(Invocation, ensure=True)
_OUTPUT = click.option(
    "-o",
    "--output",
    type=click.File("w", encoding="utf-8", lazy=True),
    default="-",
    metavar="FILE",
    help="Where to write the HTML. Default: standard output.",
)
_THEME = click.option("--theme", type=click.Choice(["light", "dark"]), help="Default: the reader's own setting.")


def _digest(context: click.Context, parameter: click.Parameter, value: str) -> str:
    if not re.fullmatch(r"[0-9a-f]{64}", value):
        raise click.BadParameter(f"a document is named by 64 hexadecimal digits; got {ascii(value)[:80]}.")
    return value


@click.command("report")
@click.argument("digest", metavar="DIGEST", callback=_digest)
@_OUTPUT
@_THEME
@_pass
def report(invocation: Invocation, digest: str, output: IO[str], theme: str | None) -> None:
    """Write the report of the document DIGEST as one HTML file, which needs no network.

    Evaluations, validations, trainings, drift and performance have one; 'stoker show' and the pages name their digests. With --json the
    document itself is shown.
    """
    from stoker.reports import render

    document = get_document(invocation.store, digest)
    if invocation.as_json:
        show_json(document)
        return
    _write(output, render.report(document, digest=digest, read=_reader(invocation), theme=theme))


@click.command("card")
@click.argument("model", metavar="MODEL")
@click.argument("version", metavar="VERSION")
@_OUTPUT
@_THEME
@_pass
def card(invocation: Invocation, model: str, version: str, output: IO[str], theme: str | None) -> None:
    """Write the model card of VERSION of MODEL as one HTML file, or with --json as JSON."""
    from stoker.reports import card as cards

    found = invocation.registry.version(model, parse_version(version))
    entries, read = cards.entries_of(invocation.registry, found), _reader(invocation)
    if invocation.as_json:
        show_json(cards.card_record(found, entries=entries, read=read))
        return
    _write(output, cards.card(found, entries=entries, read=read, theme=theme))


COMMANDS = (report, card)


def _reader(invocation: Invocation) -> Any:
    return lambda digest: get_document(invocation.store, digest)


def _write(output: IO[str], content: str) -> None:
    with output as file:
        file.write(content)
    if output.name != "-":
        click.echo(f"Wrote {output.name}.")
