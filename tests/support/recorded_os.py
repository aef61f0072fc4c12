"""The file system calls of a store as a list that a test can read, with errors where it says so.

Descriptors are shown as paths below a root, so that a test can name what was synced::

    calls = RecordedOs(monkeypatch, root)
    store.create("a/key", b"")
    assert calls.seen.index("fsync .tmp/*") < calls.seen.index("link a/key")
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

RECORDED = ("open", "mkdir", "write", "fsync", "close", "link", "unlink")


class RecordedOs:
    """:param root: paths are shown relative to it; temporary names as ``*``."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, root: Path) -> None:
        self.seen: list[str] = []
        self._root = os.fspath(root)
        self._errors: dict[str, list[int]] = {}
        self._afterwards: dict[str, Callable[[], None]] = {}
        for name in RECORDED:
            monkeypatch.setattr(os, name, self._wrap(name, getattr(os, name)))

    def fail(self, call: str, *numbers: int) -> None:
        """Let the next calls that are shown as ``call`` end with these errors."""
        self._errors[call] = list(numbers)

    def after(self, call: str, action: Callable[[], None]) -> None:
        """Do something when a call that is shown as ``call`` was made, once."""
        self._afterwards[call] = action

    def _wrap(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            shown = f"{name} {self._shown(name, args, kwargs)}"
            self.seen.append(shown)
            pending = self._errors.get(shown)
            if pending:
                if name == "close":
                    real(*args)  # Linux frees the descriptor even when close fails
                number = pending.pop(0)
                raise OSError(number, os.strerror(number))
            result = real(*args, **kwargs)
            if action := self._afterwards.pop(shown, None):
                action()
            return result

        return call

    def _shown(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
        if name == "link":
            return self._join(kwargs.get("dst_dir_fd"), args[1])
        if isinstance(args[0], int):
            return self._relative(_path_of(args[0]))
        return self._join(kwargs.get("dir_fd"), os.fspath(args[0]))

    def _join(self, folder: int | None, name: str) -> str:
        return self._relative(str(Path(_path_of(folder), name)) if folder is not None else name)

    def _relative(self, path: str) -> str:
        relative = os.path.relpath(path, self._root)
        return ".tmp/*" if relative.startswith(".tmp/") else relative


def _path_of(descriptor: int) -> str:
    return os.fspath(Path(f"/proc/self/fd/{descriptor}").readlink()).removesuffix(" (deleted)")
