"""A temporary folder on a local disk that may be full."""

from __future__ import annotations

import errno
import os
import tempfile
from pathlib import Path

import pytest

from stoker.errors import StoreUnavailable
from stoker.store.files import scratch


def test_it_is_gone_afterwards() -> None:
    with scratch() as folder:
        (folder / "file").write_bytes(b"rows")
    assert not folder.exists()


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EMFILE])
def test_a_full_disk_can_be_tried_again_later(number: int) -> None:
    with pytest.raises(StoreUnavailable, match=f"temporary files.*{os.strerror(number)}"), scratch() as folder:
        raise OSError(number, os.strerror(number))
    assert not folder.exists()


@pytest.mark.parametrize("error", [OSError("Not a Parquet file"), FileNotFoundError(errno.ENOENT, "gone")])
def test_an_error_that_is_not_the_disks_passes(error: OSError) -> None:
    with pytest.raises(OSError, match=r"Parquet|gone") as caught, scratch():
        raise error
    assert caught.value is error


def test_a_machine_without_a_place_for_it_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "missing"))
    with pytest.raises(StoreUnavailable, match="TMPDIR"), scratch():
        pass
