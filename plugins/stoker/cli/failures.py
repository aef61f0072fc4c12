"""What an error means to a shell: one exit code, one sentence."""

from __future__ import annotations

import json
from typing import Any

import click

from stoker.cli.output import plain
from stoker.errors import ConflictError, IntegrityError, ModelError, StokerError, TransportError, VerdictError

NEGATIVE, USAGE, CONFLICT, TRANSPORT, INTERRUPTED = 1, 2, 3, 4, 130

EXIT_CODES = (
    "Exit codes: 0 done; 1 the answer is no (gate, blocked version, model that does not load, damaged records, failed check); "
    "2 wrong call, setting, name or data; 3 somebody else was first; 4 the store cannot be reached or written, try again later."
)


def exit_code(error: StokerError) -> int:
    """The exit code of an error, by what the caller does next."""
    match error:
        case VerdictError() | ModelError() | IntegrityError():
            return NEGATIVE
        case ConflictError():
            return CONFLICT
        case TransportError():
            return TRANSPORT
    return USAGE


def show_failure(error: StokerError, *, as_json: bool) -> int:
    """Tell an error on stderr and return its exit code."""
    _tell(type(error).__name__, error.message, error.details, as_json=as_json)
    return exit_code(error)


def show_usage(error: click.ClickException, *, as_json: bool) -> int:
    """Tell on stderr what is wrong with a command line, and return the exit code."""
    if as_json:
        _tell("UsageError", error.format_message(), {}, as_json=True)
    else:
        error.show()
    return USAGE


def _tell(kind: str, message: str, details: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        text = json.dumps({"error": {"kind": kind, "message": message, "details": details}}, default=str)
    else:
        text = f"Error: {plain(message)}"
    click.echo(text, err=True)
