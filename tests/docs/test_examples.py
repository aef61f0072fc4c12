"""Everything that the documentation shows is run, parsed, or compared with the file that it quotes.

``<!-- quote dags/quickstart.py -->`` directly above a Python block says that the block is what stands in that file between
``# [quickstart]`` and ``# [/quickstart]``. Any other Python block is run, and every docstring's ``>>>`` too. Of the commands in a
``console`` block, those of ``stoker`` must parse, those of ``make`` must have a target, and extras of ours must exist.
"""

from __future__ import annotations

import doctest
import importlib
import re
import shlex
import tomllib
from dataclasses import dataclass
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from stoker.cli.app import app

PROJECT = Path(__file__).resolve().parents[2]
PAGES = [PROJECT / "README.md", *sorted((PROJECT / "docs").rglob("*.md"))]
_BLOCK = re.compile(
    r"(?:<!-- quote (?P<quoted>\S+) -->\n)?^```(?P<language>\w+)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL
)


@dataclass(frozen=True)
class Block:
    """A fenced block of a page.

    :param quoted: the file that it quotes, if it does.
    """

    place: str
    language: str
    text: str
    quoted: str | None


def _blocks(page: Path) -> list[Block]:
    text = page.read_text()
    name = page.relative_to(PROJECT)
    return [
        Block(f"{name}:{_line(text, found)}", found["language"], found["text"], found["quoted"])
        for found in _BLOCK.finditer(text)
    ]


def _line(text: str, found: re.Match[str]) -> int:
    return text.count("\n", 0, found.start("text"))


BLOCKS = [block for page in PAGES for block in _blocks(page)]
QUOTES = [block for block in BLOCKS if block.quoted]
EXAMPLES = [block for block in BLOCKS if block.language == "python" and not block.quoted]
COMMANDS = [
    (block.place, line.removeprefix("$ "))
    for block in BLOCKS
    if block.language == "console"
    for line in block.text.splitlines()
    if line.startswith("$ ")
]


@pytest.mark.parametrize("block", QUOTES, ids=lambda block: block.place)
def test_a_quoted_block_is_what_stands_in_the_file(block: Block) -> None:
    assert block.quoted is not None
    name = Path(block.quoted).stem
    source = (PROJECT / block.quoted).read_text()
    region = re.search(rf"^# \[{name}\]\n(.*?)^# \[/{name}\]$", source, re.MULTILINE | re.DOTALL)
    assert region, f"{block.quoted} has no region '# [{name}]'"
    assert block.text == region[1]


@pytest.mark.parametrize("block", EXAMPLES, ids=lambda block: block.place)
def test_an_example_runs(block: Block, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    exec(compile(block.text, block.place, "exec"), {"__name__": "__example__"})


@pytest.mark.parametrize(("place", "line"), COMMANDS, ids=lambda value: value)
def test_a_command_exists_with_its_options(place: str, line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    words = shlex.split(line, comments=True)
    if words[:2] == ["airflow", "stoker"]:
        words = words[1:]
    if words[0] == "stoker":
        _do_nothing(app, monkeypatch)
        result = CliRunner().invoke(app, words[1:])
        assert result.exit_code == 0, result.output
    elif words[0] == "make":
        targets = re.findall(r"^([a-z-]+):", (PROJECT / "Makefile").read_text(), re.MULTILINE)
        assert set(words[1:]) - {word for word in words if "=" in word} <= set(targets), place
    else:
        assert _unknown_extras(line) == set(), place


def _do_nothing(command: click.Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a command parse its arguments and stop there."""
    if isinstance(command, click.Group):
        for child in command.commands.values():
            _do_nothing(child, monkeypatch)
    elif command.callback is not None:
        monkeypatch.setattr(command, "callback", lambda *_, **__: None)


def _unknown_extras(line: str) -> set[str]:
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    asked = re.findall(rf"{project['name']}\[([\w,-]+)\]", line)
    return {extra for group in asked for extra in group.split(",")} - set(project["optional-dependencies"])


def test_a_command_that_does_not_exist_would_be_found(monkeypatch: pytest.MonkeyPatch) -> None:
    for line in ("stoker modles", "stoker promote churn 7", "stoker show churn champion --jsno"):
        with pytest.raises(AssertionError, match=r"Usage|No such|Missing"):
            test_a_command_exists_with_its_options("here", line, monkeypatch)


def test_the_readme_quotes_the_quickstart_and_shows_the_command() -> None:
    assert "dags/quickstart.py" in {block.quoted for block in QUOTES}
    assert EXAMPLES
    assert {shlex.split(line)[0] for _, line in COMMANDS} >= {"make", "stoker"}


def test_examples_in_docstrings_are_true() -> None:
    package = PROJECT / "plugins"
    for path in sorted(package.glob("stoker/**/*.py")):
        if ">>>" in path.read_text():
            module = importlib.import_module(".".join(path.relative_to(package).with_suffix("").parts))
            assert doctest.testmod(module).failed == 0, path
