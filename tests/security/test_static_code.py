"""What the package never does: load what may hold code, run a text, or start a program, but for a few places and their reasons."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PLUGINS = Path(__file__).resolve().parents[2] / "plugins"
MODULES = {
    "cloudpickle", "code", "commands", "ctypes", "dill", "joblib", "marshal", "pickle", "pty", "shelve", "subprocess", "telnetlib", "xml",
}  # fmt: skip
NAMES = {"__import__", "compile", "eval", "exec"}
METHODS = {
    "execl",
    "execv",
    "execve",
    "extractall",
    "popen",
    "read_pickle",
    "spawnl",
    "spawnv",
    "system",
    "to_pickle",
    "unsafe_load",
}
ALLOWED = {
    ("stoker/cli/doctor.py", "ctypes"): "statfs(2) tells NFS from a disk, and Python has no call for it",
    ("stoker/engines/environment.py", "subprocess"): "asks git for the commit, with fixed arguments",
    ("stoker/engines/smoke.py", "subprocess"): "loads a model in a clean process before it is registered",
}


def found(source: str) -> Iterator[str]:
    """The forbidden things of a source, by name."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Import():
                yield from {alias.name.split(".")[0] for alias in node.names} & MODULES
            case ast.ImportFrom(module=str(module)):
                yield from {module.split(".")[0]} & MODULES
            case ast.Call(func=ast.Name(id=name)) if name in NAMES:
                yield name
            case ast.Call(func=ast.Attribute(attr="load", value=ast.Name(id="yaml"))):
                yield "yaml.load"
            case ast.Attribute(attr=name) if name in METHODS:
                yield name
            case ast.keyword(arg="shell" | "allow_pickle" as name, value=ast.Constant(value=True)):
                yield f"{name}=True"
            case ast.keyword(arg="autoescape" | "verify" as name, value=ast.Constant(value=False)):
                yield f"{name}=False"


def everywhere() -> set[tuple[str, str]]:
    return {
        (str(path.relative_to(PLUGINS)), name)
        for path in sorted(PLUGINS.rglob("*.py"))
        for name in found(path.read_text())
    }


def test_nothing_dangerous_stands_outside_the_places_that_have_a_reason() -> None:
    assert everywhere() == ALLOWED.keys()


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("import pickle", "pickle"),
        ("from subprocess import run", "subprocess"),
        ("import os.path, xml.sax", "xml"),
        ("yaml.load(text)", "yaml.load"),
        ("eval(text)", "eval"),
        ("archive.extractall(folder)", "extractall"),
        ("os.system(line)", "system"),
        ("run(line, shell=True)", "shell=True"),
        ("np.load(file, allow_pickle=True)", "allow_pickle=True"),
        ("requests.get(url, verify=False)", "verify=False"),
        ("Environment(autoescape=False)", "autoescape=False"),
    ],
)
def test_each_would_be_found(source: str, name: str) -> None:
    assert list(found(source)) == [name]


def test_what_looks_alike_is_let_pass() -> None:
    assert not list(found("yaml.safe_load(text); re.compile(text); np.load(file, allow_pickle=False); model.eval()"))
