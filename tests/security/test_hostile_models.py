"""A model file is data: whatever lies in it, nothing of it runs, and it takes no more memory than a model may."""

from __future__ import annotations

import os
import pickle
import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import skops.io
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from stoker.engines.persistence import dump_model, load_model
from stoker.errors import CorruptArtifact, UntrustedArtifact
from tests.security.hostile_models import BOMBS, FORBIDDEN, LOADERS, WRAPPED, calls, nodes, rewritten, tampered

MODEL = dump_model(
    make_pipeline(StandardScaler(), LogisticRegression()).fit([[0.0], [1.0], [2.0], [3.0]], [0, 0, 1, 1])
)
MAX_GROWTH = 200 * 1024**2

_RUNS = (
    "pickle.find_class",
    "os.system",
    "os.exec",
    "os.posix_spawn",
    "os.fork",
    "os.mkdir",
    "subprocess.Popen",
    "exec",
)
_seen: list[str] = []
_watching = False


def _hook(event: str, arguments: tuple[object, ...]) -> None:
    if _watching and event in _RUNS:
        _seen.append(event)


@pytest.fixture(scope="module", autouse=True)
def _hooked() -> None:
    load_model(MODEL)  # what skops imports at its first use runs code, and is none of the file's
    sys.addaudithook(_hook)


@contextmanager
def watched() -> Iterator[list[str]]:
    """What the interpreter itself reports of calls that run code."""
    global _watching
    _seen.clear()
    _watching = True
    try:
        yield _seen
    finally:
        _watching = False


@pytest.mark.parametrize("wrapped", WRAPPED)
def test_a_pickle_is_refused_in_every_wrapping(tmp_path: Path, wrapped: str) -> None:
    marker = tmp_path / "marker"
    for call in calls(marker).values():
        data = WRAPPED[wrapped](call)
        with watched() as seen, pytest.raises((CorruptArtifact, UntrustedArtifact), match="model file"):
            load_model(data)
        assert not seen
        assert not marker.exists()


@pytest.mark.parametrize("root", [True, False], ids=["outside", "inside"])
@pytest.mark.parametrize("loader", LOADERS)
def test_a_node_that_names_something_else_is_refused(loader: str, root: bool) -> None:
    for module, name in FORBIDDEN:
        data = tampered(MODEL, module, name, loader, root=root)
        with watched() as seen, pytest.raises((CorruptArtifact, UntrustedArtifact), match="model file"):
            load_model(data)
        assert not seen, (module, name)


def test_whichever_node_names_something_else_is_refused_or_not_looked_at() -> None:
    count = len(list(nodes(skops_schema())))
    rows = [[0.5], [2.5]]
    refused = 0
    for number in range(count):

        def change(schema: object, number: int = number) -> object:
            list(nodes(schema))[number].update({"__module__": "os", "__class__": "system"})
            return schema

        with watched() as seen:
            try:
                loaded = load_model(rewritten(MODEL, change))
            except (CorruptArtifact, UntrustedArtifact):
                refused += 1
            else:  # the place of a plain value, or of a node that stands there again
                assert loaded.predict(rows).tolist() == load_model(MODEL).predict(rows).tolist()
        assert not seen
    assert refused > 10


def skops_schema() -> object:
    found: list[object] = []
    rewritten(MODEL, lambda schema: found.append(schema) or schema)
    return found[0]


@pytest.mark.parametrize("bomb", BOMBS)
def test_a_file_that_would_burst_is_refused_unopened(bomb: str) -> None:
    data = BOMBS[bomb]()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with watched() as seen, pytest.raises(CorruptArtifact, match="model file"):
        load_model(data)
    assert not seen
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 < MAX_GROWTH


def test_the_battery_goes_red_for_a_reader_that_trusts_what_the_file_asks_for() -> None:
    data = tampered(MODEL, "os", "system", "FunctionNode", root=True)
    assert skops.io.loads(data, trusted=skops.io.get_untrusted_types(data=data)) is os.system


def test_the_battery_goes_red_for_a_reader_that_unpickles(tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    with watched() as seen:
        pickle.loads(pickle.dumps(calls(marker)["os.mkdir"]))
    assert seen == ["pickle.find_class", "os.mkdir"]
    assert marker.exists()
