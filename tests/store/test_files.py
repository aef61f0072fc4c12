from __future__ import annotations

import errno
import io
from pathlib import Path

import pytest

from stoker.errors import NotFound, StoreUnavailable
from stoker.store import files


class _Dripping(io.BytesIO):
    """Gives three bytes at a time, as a slow network may."""

    def read(self, size: int | None = -1) -> bytes:
        return super().read(3)


@pytest.mark.parametrize(
    ("left", "right", "same"),
    [
        (b"", b"", True),
        (b"12345678", b"12345678", True),
        (b"1234", b"12345", False),
        (b"12345", b"1234", False),
        (b"1234", b"1235", False),
    ],
)
def test_contents_are_compared_to_their_end(left: bytes, right: bytes, same: bool) -> None:
    assert files.same_content(_Dripping(left), io.BytesIO(right)) is same


def _fetch(target: Path, ending: Exception | None = None) -> None:
    with files.fetching(target) as file:
        file.write(b"half")
        if ending:
            raise ending


def test_a_fetch_that_fails_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        _fetch(tmp_path / "target", NotFound("gone"))
    assert list(tmp_path.iterdir()) == []


def test_a_full_local_disk_is_reported_and_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable, match="No space left"):
        _fetch(tmp_path / "target", OSError(errno.ENOSPC, "No space left on device"))
    assert list(tmp_path.iterdir()) == []


def test_a_fetch_into_a_missing_folder_is_reported(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable, match="No such file"):
        _fetch(tmp_path / "missing" / "target")
