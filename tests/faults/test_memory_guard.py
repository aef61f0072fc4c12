"""Input far beyond a real limit of the process ends in a readable error, and without the guard in the death of the process.

The limit is RLIMIT_AS, and in full size a control group that root makes, which kills with SIGKILL as Kubernetes does.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

ROOM = 150_000_000
ROWS = 200_000
GROUPS = 100  # 20 million rows of ten numbers, 1.6 GB, more than ten times the room

CHILD = """
import json, os, resource, sys
from pathlib import Path
import numpy, pandas, pyarrow.dataset
from benchmarks.peak import resident
from stoker.core import memory
from stoker.engines import snapshots
from stoker.errors import DataTooLarge
from stoker.store.memory import MemoryStore

source, room, limit, guarded = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4] == "guarded"
if limit == "address space":
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    resource.setrlimit(resource.RLIMIT_AS, (int(status["VmSize"].split()[0]) * 1024 + room,) * 2)
else:
    group = Path(limit)
    (group / "cgroup.procs").write_text(str(os.getpid()))
if not guarded:
    memory.require = lambda *_: None
before = resident()
try:
    snapshots.snapshot(MemoryStore(), source=source, dataset="flights")
except DataTooLarge as error:
    print(json.dumps({"message": error.message, "taken": resident() - before}))
"""


@pytest.fixture(scope="module")
def oversized(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("oversized") / "rows.parquet"
    table = pa.table({f"x{place}": np.zeros(ROWS) for place in range(10)})
    with pq.ParquetWriter(path, table.schema) as file:
        for _ in range(GROUPS):
            file.write_table(table)
    return path


@pytest.fixture
def control_group(request: pytest.FixtureRequest) -> Iterator[str]:
    """A group of the first or the second version whose memory is limited; the children that enter it have ended."""
    mounts = {"/sys/fs/cgroup": "memory.max", "/sys/fs/cgroup/memory": "memory.limit_in_bytes"}
    for mount, limit in mounts.items():
        own = _own_group(Path(mount))
        group = own / request.node.name[:60]
        if not (own / "cgroup.procs").exists() or not os.access(own, os.W_OK):
            continue
        group.mkdir()
        try:
            if (group / limit).exists():
                (group / limit).write_text(str(ROOM))
                yield str(group)
                return
        finally:
            group.rmdir()
    pytest.skip(
        "No control group with a limit of memory can be made here: that takes root and a writable /sys/fs/cgroup."
    )


def _own_group(mount: Path) -> Path:
    controllers = "memory" if mount.name == "memory" else ""
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, known, path = line.split(":", 2)
        if known == controllers:
            own = mount / path.strip("/")
            return own if own.is_dir() else mount
    return mount


def run(source: Path, limit: str, how: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", CHILD, str(source), str(ROOM), limit, how]
    root = Path(__file__).parents[2]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=root, check=False)


def answer(done: subprocess.CompletedProcess[str]) -> Any:
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)


def test_input_beyond_the_address_space_is_refused_unread(oversized: Path) -> None:
    found = answer(run(oversized, "address space", "guarded"))
    assert "needs about 6.4 GB of memory" in found["message"]
    assert "ulimit -v" in found["message"]
    assert found["taken"] < 30_000_000


def test_without_the_guard_it_ends_in_an_error_that_says_nothing(oversized: Path) -> None:
    done = run(oversized, "address space", "unguarded")
    assert done.returncode != 0
    assert "DataTooLarge" not in done.stdout + done.stderr
    assert any(sign in done.stderr for sign in ("MemoryError", "malloc", "bad_alloc", "realloc")) or done.returncode < 0


@pytest.mark.fault
def test_input_beyond_a_control_group_is_refused_unread(
    oversized: Path, control_group: str, capsys: pytest.CaptureFixture[str]
) -> None:
    found = answer(run(oversized, control_group, "guarded"))
    with capsys.disabled():
        print(
            f"\n{ROWS * GROUPS:,} rows in a control group of {ROOM // 10**6} MB: refused, {found['taken'] // 10**6} MB taken"
        )
    assert "the control group" in found["message"]
    assert found["taken"] < 30_000_000


@pytest.mark.fault
def test_without_the_guard_the_kernel_kills_it(oversized: Path, control_group: str) -> None:
    assert run(oversized, control_group, "unguarded").returncode == -signal.SIGKILL
