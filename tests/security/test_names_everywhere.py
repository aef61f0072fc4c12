"""No name opens a file outside the store: at every entry, judged by what the interpreter, or the kernel, saw opened."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from stoker.cli.app import app
from stoker.engines import candidates
from stoker.engines.landing import partition_of
from stoker.errors import StokerError
from stoker.loop.broker import Broker
from stoker.loop.ledger import Ledger
from stoker.loop.pins import pinned
from stoker.loop.windows import WindowLog
from stoker.registry.registry import Registry
from stoker.store import partitions
from stoker.store.documents import get_bytes, get_document
from stoker.store.local_files import LocalStore
from tests.registry.cases import ALICE, MODEL
from tests.security.stored_records import LandedFile
from tests.support.applications import client_of
from tests.support.hostile import HOSTILE_NAMES

SEED = 20261121
NAMES = 2_000

Entry = Callable[[LocalStore, str], Any]


def _cli(store: LocalStore, *arguments: str) -> None:
    answer = CliRunner().invoke(app, ["--store", store.uri, *arguments], prog_name="stoker")
    if answer.exception is not None and not isinstance(answer.exception, SystemExit):
        raise answer.exception


def _landed_partition(store: LocalStore, name: str) -> None:
    partition = partition_of(f"{name}.csv", r"(?s)(.*)\.csv")
    if partition is not None:
        digest = "0" * 64
        partitions.point(store, dataset="flights", stage="ok", partition=partition, snapshot=digest, data_id=digest)


def _pages(store: LocalStore, name: str) -> None:
    if len(name) > 1000:  # the server refuses such an address before it reaches us
        return
    spelt = quote(name, safe="")
    with client_of(Registry(store)) as client:
        for path in ("models/{}", "api/v1/models/{}/versions/1", "documents/{}/report", "static/{}"):
            assert client.get("/" + path.format(spelt)).status_code < 500


ENTRIES: dict[str, Entry] = {
    "a model to read": lambda store, name: Registry(store).state(name),
    "a model to register": lambda store, name: Registry(store).register(
        name, {"fingerprint": "0" * 64, "files": {}}, actor=ALICE, reason=""
    ),
    "a file of a version": lambda store, name: Registry(store).register(
        MODEL, {"fingerprint": "0" * 64, "files": {name: {"sha256": "0" * 64, "size": 0}}}, actor=ALICE, reason=""
    ),
    "an alias": lambda store, name: Registry(store).promote(MODEL, 1, alias=name, actor=ALICE, reason=""),
    "a version by its alias": lambda store, name: Registry(store).resolve(MODEL, name),
    "an idempotency key": lambda store, name: Registry(store).register(
        MODEL, {"fingerprint": "0" * 64, "files": {}}, actor=ALICE, reason="", idempotency_key=name
    ),
    "a dataset": lambda store, name: partitions.partitions(store, name, "ok"),
    "a stage": lambda store, name: partitions.partitions(store, "flights", name),
    "a partition": lambda store, name: partitions.newest(store, "flights", "ok", name or "."),
    "a partition to point": lambda store, name: partitions.point(
        store, dataset="flights", stage="ok", partition=name or ".", snapshot="0" * 64, data_id="0" * 64
    ),
    "a digest": get_bytes,
    "a document": lambda store, name: get_document(store, name, "dataset"),
    "a fingerprint": lambda store, name: candidates.newest(store, name),
    "a broker": lambda store, name: Broker(store, name).state(),
    "a journal": lambda store, name: WindowLog(store, MODEL, name).windows(),
    "a window": lambda store, name: WindowLog(store, MODEL, "drift").record(name, 1, None, {}),
    "a run": lambda store, name: pinned(store, MODEL, name.encode(errors="replace").decode(), lambda: 1),
    "a landed file's dataset": lambda store, name: Ledger(store, name).marked("taken"),
    "a landed file's partition": lambda store, name: _landed_partition(store, name),
    "a landed file's address": lambda store, name: Ledger(store, "flights").mark("taken", LandedFile(uri=name)),
    "an address of the pages": lambda store, name: _pages(store, name),
    "a key": lambda store, name: store.read(name),
    "a key to write": lambda store, name: store.create(name, b"x"),
    "a prefix": lambda store, name: list(store.keys(name)),
    "the command line: a model": lambda store, name: _cli(store, "show", name),
    "the command line: a document": lambda store, name: _cli(store, "report", name),
}
"""Everywhere that a name comes in."""

_OPENS = {
    "open", "os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.link", "os.symlink", "os.listdir", "os.scandir",
    "os.truncate", "os.chmod",
}  # fmt: skip
_opened: list[str] = []
_watching = False


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if _watching and event in _OPENS and arguments and isinstance(arguments[0], str | bytes | os.PathLike):
        _opened.append(os.fsdecode(arguments[0]))


@pytest.fixture(scope="module", autouse=True)
def _hooked() -> None:
    sys.addaudithook(_hook)


@contextmanager
def watched() -> Iterator[list[str]]:
    """The paths that were opened, made or removed. Those relative to a folder's descriptor are one part long."""
    global _watching
    _opened.clear()
    _watching = True
    try:
        yield _opened
    finally:
        _watching = False


def outside(paths: list[str], root: Path) -> list[str]:
    """Those that lie neither below the root nor, being one plain part, below a folder that was entered from it.

    Code, the folders that root and code lie in, and what the C library asks when a thread frees memory, are looked at whatever the
    names are.
    """
    code = [one for one in (*sys.path, sys.prefix, sys.base_prefix, "/usr", "/proc/sys/vm/overcommit_memory") if one]
    return [
        path
        for path in paths
        if not path.startswith(str(root))
        and not re.fullmatch(r"(?!\.\.?$)[A-Za-z0-9._=-]+", path)
        and not path.startswith(tuple(code))
        and not any(Path(one).is_relative_to(path) for one in (root, *code))
    ]


SPICED = st.builds(
    lambda before, name, after: before + name + after,
    st.sampled_from(["", "", "a", "../", "/", "a/", "%2e%2e/", "~", "\\\\", "file://", "s3://x/", "-", "{{", "\u202e"]),
    st.sampled_from([name for name in HOSTILE_NAMES if len(name) < 1000]) | st.text(max_size=20),
    st.sampled_from(["", "", "/..", ".json", "/", "\0", "\n", "%00", "}}", " ", ".", "/../../../../etc/passwd"]),
)


def _try(entry: str, store: LocalStore, name: str) -> bool:
    """Whether the name was refused; anything but an error of ours is a failure."""
    try:
        ENTRIES[entry](store, name)
    except StokerError:
        return True
    return False


@pytest.mark.parametrize("entry", ENTRIES)
def test_every_hostile_name_stays_in_the_store(tmp_path: Path, entry: str) -> None:
    root = tmp_path / "store"
    store = LocalStore(root)
    _try(entry, store, "plain")  # what is imported at the first use is none of the name's
    for name in HOSTILE_NAMES:
        with watched() as opened:
            _try(entry, store, name)
        assert not outside(opened, root), name
    assert [path.name for path in tmp_path.iterdir()] == ["store"]


def test_generated_names_stay_in_the_store(tmp_path: Path) -> None:
    _battery(tmp_path / "store", 300)
    assert [path.name for path in tmp_path.iterdir()] == ["store"]


def _battery(root: Path, names: int) -> int:
    store = LocalStore(root)
    tried = 0
    for entry in ENTRIES:
        _try(entry, store, "plain")

    @seed(SEED)
    @settings(max_examples=names, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(name=SPICED, entry=st.sampled_from(list(ENTRIES)))
    def one(name: str, entry: str) -> None:
        nonlocal tried
        tried += 1
        with watched() as opened:
            _try(entry, store, name)
        assert not outside(opened, root), f"{entry}: {name!r}"

    one()
    return tried


def test_the_battery_goes_red_for_a_store_that_believes_a_name(tmp_path: Path) -> None:
    with watched() as opened, pytest.raises(OSError, match="etc"):
        (tmp_path / "../../../../../../../etc/no-such-file").read_bytes()
    assert outside(opened, tmp_path / "store")


@pytest.mark.fault
def test_the_kernel_saw_no_file_opened_outside_the_store(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed: apt-get install strace")
    root, log = tmp_path / "store", tmp_path / "log"
    program = f"from tests.security.names_under_strace import main; main({str(root)!r}, {NAMES}, {SEED})"
    done = subprocess.run(
        ["strace", "-f", "-qq", "-e", "trace=%file", "-o", str(log), sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(Path("plugins").absolute()), str(Path.cwd())])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    lines = log.read_text(errors="replace").splitlines()
    begin = next(number for number, line in enumerate(lines) if "/stoker-names-begin-here" in line)
    named = [path for line in lines[begin + 1 :] for path in re.findall(r'"((?:[^"\\]|\\.)*)"', line)]
    paths = [path for path in named if path]  # no path: what is asked is an open file itself
    assert len(paths) > NAMES
    assert not outside(paths, root)
    with capsys.disabled():
        print(f"\n{done.stdout.strip()} (seed {SEED}): {len(paths)} system calls on files, 0 outside the store")
