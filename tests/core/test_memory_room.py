"""The tightest of many limits decides, and what does not fit is refused with what to do."""

from __future__ import annotations

import resource
from pathlib import Path

import pytest

from stoker.core import memory
from stoker.errors import DataTooLarge

MEMINFO = "MemTotal: 8000000 kB\nMemAvailable: 4000000 kB\n"
STATUS = "VmSize:\t 300000 kB\nVmRSS:\t 200000 kB\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    put(tmp_path, "proc/meminfo", MEMINFO)
    put(tmp_path, "proc/self/status", STATUS)
    return tmp_path


def put(root: Path, path: str, text: str) -> None:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_text(text)


def group(root: Path, path: str, limit: str, used: int, cache: int = 0) -> None:
    put(root, f"sys/fs/cgroup{path}/memory.max", f"{limit}\n")
    put(root, f"sys/fs/cgroup{path}/memory.current", f"{used}\n")
    put(root, f"sys/fs/cgroup{path}/memory.stat", f"anon 5\ninactive_file {cache}\n")


def test_without_limits_it_is_what_the_machine_has_available(root: Path) -> None:
    assert memory.room(root) == memory.Room(4_000_000 * 1024, "the machine")


def test_nothing_is_known_where_the_kernel_says_nothing(tmp_path: Path) -> None:
    assert memory.room(tmp_path) is None


def test_a_control_group_leaves_what_is_not_used_and_its_cache(root: Path) -> None:
    put(root, "proc/self/cgroup", "0::/kubepods/pod1\n")
    group(root, "/kubepods/pod1", "1000000000", used=700_000_000, cache=100_000_000)
    assert memory.room(root) == memory.Room(400_000_000, "the control group (1 GB)")


def test_a_group_above_may_be_the_tightest(root: Path) -> None:
    put(root, "proc/self/cgroup", "0::/kubepods/pod1\n")
    group(root, "/kubepods/pod1", "max", used=0)
    group(root, "/kubepods", "2000000000", used=1_900_000_000)
    assert memory.room(root) == memory.Room(100_000_000, "the control group (2 GB)")


def test_in_a_container_the_group_that_is_mounted_counts(root: Path) -> None:
    put(root, "proc/self/cgroup", "0::/docker/4711\n")
    group(root, "", "1000000000", used=0)
    assert memory.room(root) == memory.Room(1_000_000_000, "the control group (1 GB)")


def test_control_groups_of_the_first_version_count_too(root: Path) -> None:
    put(root, "proc/self/cgroup", "9:cpu:/x\n4:memory:/docker/4711\n0::/\n")
    put(root, "sys/fs/cgroup/memory/docker/4711/memory.limit_in_bytes", "500000000\n")
    put(root, "sys/fs/cgroup/memory/docker/4711/memory.usage_in_bytes", "200000000\n")
    put(root, "sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n")
    put(root, "sys/fs/cgroup/memory/memory.usage_in_bytes", "200000000\n")
    assert memory.room(root) == memory.Room(300_000_000, "the control group (500 MB)")


def test_a_group_that_is_full_leaves_nothing(root: Path) -> None:
    put(root, "proc/self/cgroup", "0::/full\n")
    group(root, "/full", "1000", used=5000)
    assert memory.room(root) == memory.Room(0, "the control group (1 kB)")


def test_the_setting_counts_what_is_resident_already(root: Path) -> None:
    with memory.limited(300_000 * 1024):
        assert memory.room(root) == memory.Room(100_000 * 1024, "memory_limit (307 MB)")
    assert memory.room(root) == memory.Room(4_000_000 * 1024, "the machine")


def test_no_setting_leaves_the_other_limits(root: Path) -> None:
    with memory.limited(1), memory.limited(None):
        assert memory.room(root) == memory.Room(4_000_000 * 1024, "the machine")


def test_the_address_space_counts_what_is_mapped(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (400_000 * 1024, -1))
    assert memory.room(root) == memory.Room(100_000 * 1024, "ulimit -v (410 MB)")


def test_work_that_fits_goes_on() -> None:
    with memory.limited(10**15):
        memory.require(1, "A snapshot")


def test_work_that_does_not_fit_is_refused_with_both_figures_and_what_to_do() -> None:
    with memory.limited(1), pytest.raises(DataTooLarge) as refused:
        memory.require(5 * 10**9, "A snapshot")
    assert refused.value.message == (
        "A snapshot needs about 5 GB of memory; this process may use 0 bytes more, 80% of what memory_limit (1 bytes) leaves. "
        f"{memory.ADVICE}."
    )
    assert refused.value.details == {"need": 5 * 10**9, "room": 0, "limit": "memory_limit (1 bytes)"}
    assert not refused.value.retryable


def test_a_share_of_the_room_is_kept_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "room", lambda: memory.Room(1000, "the machine"))
    memory.require(800, "A snapshot")
    with pytest.raises(DataTooLarge):
        memory.require(801, "A snapshot")
    assert (memory.at_most(900), memory.at_most(700)) == (800, 700)


def test_where_no_limit_is_known_nothing_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "room", lambda: None)
    memory.require(10**18, "A snapshot")
    assert memory.at_most(10**18) == 10**18
