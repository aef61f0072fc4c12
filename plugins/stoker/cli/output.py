"""How results reach a terminal, a pipe or a program."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

import click


def show_json(value: Any) -> None:
    """One JSON document on stdout, in ASCII, so that nothing stored can steer a terminal."""
    click.echo(json.dumps(value, indent=2))


def show_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[Any]], *, empty: str) -> None:
    """A table that fits into 80 columns, also when it is piped.

    :param columns: the headings; one that ends in ``#`` holds numbers and is right-aligned.
    :param rows: the cells; ``None`` is shown as a dash.
    :param empty: what to say when there are no rows.
    """
    # Imported here: half of the start-up time of "stoker --help" otherwise.
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    cells = [[Text("–" if cell is None else plain(cell)) for cell in row] for row in rows]
    if not cells:
        click.echo(empty)
        return
    table = Table(title=Text(title), title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        numeric = column.endswith("#")
        table.add_column(
            column.removesuffix("#"), justify="right" if numeric else "left", no_wrap=numeric, overflow="fold"
        )
    for row in cells:
        table.add_row(*row)
    Console().print(table)


def show_facts(title: str, facts: Iterable[tuple[str, Any]]) -> None:
    """Names and values, one a line."""
    show_table(title, ("", ""), facts, empty="")


def utc(moment: datetime) -> str:
    """A time as people read it, in UTC."""
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def plain(value: Any) -> str:
    """Text without control characters: stored reasons may come from anybody, and a terminal obeys what it is sent."""
    return "".join(sign if sign.isprintable() else ascii(sign)[1:-1] for sign in str(value))
