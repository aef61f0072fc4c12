"""The command about a model's monitoring: which windows were judged, and what was found."""

from __future__ import annotations

from typing import Any

import click

from stoker.cli import records
from stoker.cli.invocation import Invocation
from stoker.cli.output import show_json, show_table
from stoker.core.drift import State
from stoker.errors import NotFound
from stoker.loop.windows import Window, WindowLog
from stoker.store.documents import get_document

_pass = click.make_pass_decorator(Invocation, ensure=True)


@click.command("drift")
@click.argument("model", metavar="MODEL")
@click.option("--windows", type=click.IntRange(1), default=10, show_default=True, help="How many windows at most.")
@_pass
def drift(invocation: Invocation, model: str, windows: int) -> None:
    """Show the last windows of MODEL's data that were judged for drift, the newest version and window first."""
    judged = WindowLog(invocation.store, model, "drift").windows()
    if not judged:
        invocation.registry.state(model)  # a misspelt name must not look like a quiet model
    found = [_record(invocation, one) for one in reversed(judged[-windows:])]
    if invocation.as_json:
        show_json({"model": model, "windows": found})
        return
    show_table(
        f"Drift of {model}",
        ("Window", "Version#", "Ends (UTC)", "Verdict", "Because"),
        [
            (row["window"], row["version"], records.shown_time(row["end"]), _shown(row), row["reasons"][0])
            for row in found
        ],
        empty=f"No window of {model} was judged yet.",
    )


COMMANDS = (drift,)


def _record(invocation: Invocation, window: Window) -> dict[str, Any]:
    facts = window.facts
    try:
        document = get_document(invocation.store, facts["document"], "drift")
    except NotFound:  # retention gave it up; what the journal noted stands
        document = {}
    return {
        "window": window.window,
        "version": window.version,
        "end": window.end,
        "verdict": facts["verdict"],
        "alert": facts["alert"],
        "states": facts["states"],
        "reasons": document.get("verdict", {}).get("reasons", ["The document of this window is gone."]),
        "columns": [one["column"] for one in document.get("columns", ()) if one["drifted"]],
        "report": (document.get("report") or {}).get("sha256"),
        "document": facts["document"],
    }


def _shown(row: dict[str, Any]) -> str:
    """The verdict with what is not quiet."""
    told = [f"{kind} {state}" for kind, state in row["states"].items() if state != State.QUIET]
    return f"{row['verdict']} ({', '.join(told)})" if told else str(row["verdict"])
