"""``airflow stoker …``: the same commands behind Airflow's own."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from airflow.cli.cli_config import ActionCommand, Arg, GroupCommand, lazy_load_command

_COMMANDS = {
    "models": "List all models with their champions",
    "versions": "List the versions of a model",
    "show": "Show one version of a model",
    "promote": "Point an alias at a version",
    "approve": "Let a version that waits for approval go into production",
    "reject": "Keep a version that waits for approval out of production",
    "rollback": "Point an alias back, and block the bad version",
    "unblock": "Let a version that was rolled back be promoted again",
    "why": "Tell what woke a model's loop, and what decided",
    "requests": "List what asks for a training of a model",
    "retrain": "Ask for a training of a model",
    "resume": "Close the circuit breaker of a model",
    "drift": "Show what monitoring found in the last windows",
    "report": "Write the report of a document as one HTML file",
    "card": "Write the model card of a version as one HTML file",
    "audit": "Read and check the commit log",
    "retention": "Give up what nothing needs any more",
    "doctor": "Check this installation",
}


class _Everything(Arg):
    """Takes the rest of the command line, options too: ``stoker`` parses it, so that no command is described twice."""

    def add_to_parser(self, parser: ArgumentParser) -> None:
        super().add_to_parser(parser)
        parser.prefix_chars = ""  # argparse takes options out of a remainder when one stands first


def get_cli_commands() -> list[GroupCommand]:
    """What Airflow adds to its command line. Called by every ``airflow`` command, so it imports nothing of ours."""
    rest = _Everything(("arguments",), nargs="...", help="see: airflow stoker COMMAND --help")  # type: ignore[no-untyped-call]
    run_command = lazy_load_command("stoker.cli.airflow_group.run")
    commands = [ActionCommand(name=name, help=text, func=run_command, args=(rest,)) for name, text in _COMMANDS.items()]
    return [
        GroupCommand(
            name="stoker", help="Look at models and their loops, move aliases, audit the log", subcommands=commands
        )
    ]


def run(parsed: Namespace) -> None:
    """Hand the command line to ``stoker``, which exits."""
    from stoker.cli.app import app
    from stoker.compat import keep_logs_off_stdout

    keep_logs_off_stdout()
    app.main([parsed.subcommand, *parsed.arguments], prog_name="airflow stoker")
