"""The peak of resident memory during a piece of work."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

_RESET_PEAK = "5"


def peak_of(work: Callable[[], object]) -> int:
    """Bytes that the process held at most while the work ran, beyond what it held before. Linux only.

    The kernel's high-water mark is set back first, which is why it can be asked for one piece of work.
    """
    Path("/proc/self/clear_refs").write_text(_RESET_PEAK)
    before = _status("VmRSS:")
    kept = work()
    peak = _status("VmHWM:")
    del kept
    return max(peak - before, 0)


def resident() -> int:
    """Bytes that the process holds now."""
    return _status("VmRSS:")


def _status(name: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(name))
