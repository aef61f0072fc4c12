"""``strace`` as the hand that kills a process or fails its calls, from outside: no code of ours has a part in it."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from tests.faults.kill_points import told

CHANGING = ("write", "fsync", "linkat", "mkdirat", "unlinkat", "openat")
"""The calls by which a store in a folder changes it; ``openat`` and ``write`` are made for other reasons too."""


def told_under(tell: Callable[[Callable[[str], object]], None], call: str, fault: str, when: int) -> tuple[int, bool]:
    """As :func:`~tests.faults.kill_points.told`, with a fault at one of the calls.

    :param call: the name of the system call.
    :param fault: ``signal=KILL``, which ends the process before the call is made, or ``error=ENOSPC``.
    :param when: at which of these calls, from 1.
    """
    hand: list[subprocess.Popen[bytes]] = []

    def under_the_hand(heard: Callable[[str], object]) -> None:
        _wait_until_traced()
        tell(heard)

    def take(child: int) -> None:
        inject = ("-e", f"trace={call}", "-e", f"inject={call}:{fault}:when={when}")
        hand.append(
            subprocess.Popen(
                ("strace", "-qq", "-f", *inject, "-o", "/dev/null", "-p", str(child)), stderr=subprocess.PIPE
            )
        )

    try:
        return told(under_the_hand, begun=take)
    finally:
        for one in hand:
            one.communicate(timeout=30)


def why_not() -> str:
    """Why nothing can be traced here; empty when it can."""
    if not shutil.which("strace"):
        return "faults from outside need strace: apt-get install strace"
    scope = Path("/proc/sys/kernel/yama/ptrace_scope")
    if os.geteuid() and scope.exists() and scope.read_text().strip() != "0":
        return "faults from outside need root, or kernel.yama.ptrace_scope=0"
    return ""


def _wait_until_traced() -> None:
    status = Path("/proc/self/status")
    with suppress(OSError):  # the fault hit this very call, so it is traced
        while "TracerPid:\t0\n" in status.read_text():
            os.sched_yield()
