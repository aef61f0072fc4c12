"""A folder in memory: a sync costs nothing there, and a kill loses nothing that was written."""

from __future__ import annotations

import os
import tempfile

_MEMORY = "/dev/shm"


def memory_folder() -> tempfile.TemporaryDirectory[str]:
    """An empty folder until it is cleaned up, in memory where the machine has such a place."""
    return tempfile.TemporaryDirectory(dir=_MEMORY if os.access(_MEMORY, os.W_OK) else None)
