"""Pipes, devices, sockets, links and folders under a good name: refused or harmless, and nobody waits for them."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from stoker.engines.landing import list_landed
from stoker.engines.sources import list_sources
from stoker.errors import CorruptArtifact, IntegrityError, NotFound, SourceNotFound, StokerError, UsageError
from stoker.store import layout
from stoker.store.documents import get_bytes, put_bytes
from stoker.store.local_files import LocalStore

pytestmark = pytest.mark.timeout(60)  # to open a pipe waits for its other end, for ever

SECRET = b"n\n4711\n"


def _device(path: Path) -> None:
    try:
        os.mknod(path, 0o666 | 0o020000, os.makedev(1, 5))  # /dev/zero, which has no end
    except PermissionError:
        pytest.skip("only root may make a device: run the suite as root, as the image of the project does")


def _socket(path: Path) -> None:
    above = Path.cwd()
    os.chdir(path.parent)  # an address of a socket holds 108 bytes at most
    try:
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(path.name)
    finally:
        os.chdir(above)


def _outside(path: Path) -> Path:
    folder = next(folder for folder in path.parents if folder.name in {"store", "landing"}).with_name("outside")
    folder.mkdir(exist_ok=True)
    (folder / "secret.csv").write_bytes(SECRET)
    return folder


SPECIAL: dict[str, Callable[[Path], object]] = {
    "a pipe": os.mkfifo,
    "a device": _device,
    "a socket": _socket,
    "a link to a file outside": lambda path: path.symlink_to(_outside(path) / "secret.csv"),
    "a relative link": lambda path: path.symlink_to(os.path.relpath(_outside(path) / "secret.csv", path.parent)),
    "a link to nothing": lambda path: path.symlink_to(_outside(path) / "nothing.csv"),
    "a link to itself": lambda path: path.symlink_to(path.name),
    "a link to a device": lambda path: path.symlink_to("/dev/zero"),
    "a link to a folder": lambda path: path.symlink_to(_outside(path)),
}


@pytest.mark.parametrize("special", SPECIAL)
def test_what_is_no_plain_file_is_refused_in_the_place_of_an_object(tmp_path: Path, special: str) -> None:
    store = LocalStore(tmp_path / "store")
    store.create("a/b", b"x")
    SPECIAL[special](tmp_path / "store" / "a" / "key")
    calls: list[Callable[[], object]] = [
        lambda: store.read("a/key"),
        lambda: store.read_to_file("a/key", tmp_path / "fetched"),
        lambda: store.exists("a/key"),
        lambda: store.stat("a/key"),
        lambda: store.create("a/key", SECRET),
    ]
    for call in calls:
        with pytest.raises(StokerError) as refused:
            call()
        assert isinstance(refused.value, IntegrityError) or special == "a socket"
    assert list(store.keys("")) == ["a/b"]
    assert not (tmp_path / "fetched").exists()


def test_a_folder_in_the_place_of_an_object_is_none(tmp_path: Path) -> None:
    store = LocalStore(tmp_path / "store")
    (tmp_path / "store" / "key").mkdir()
    with pytest.raises(NotFound):
        store.read("key")
    assert not store.exists("key")
    with pytest.raises(UsageError, match="under another key"):
        store.create("key", b"x")


def test_a_hard_link_in_the_place_of_a_blob_is_known_by_its_content(tmp_path: Path) -> None:
    store = LocalStore(tmp_path / "store")
    digest = put_bytes(store, b"good").sha256
    path = tmp_path / "store" / layout.blob(digest)
    path.unlink()
    path.hardlink_to(_outside(path) / "secret.csv")
    with pytest.raises(CorruptArtifact, match=digest):
        get_bytes(store, digest, "A file")


@pytest.mark.parametrize("special", SPECIAL)
def test_what_is_no_plain_file_of_the_landing_folder_is_left_alone(tmp_path: Path, special: str) -> None:
    folder = tmp_path / "landing"
    (folder / "2013").mkdir(parents=True)
    (folder / "2013" / "good.csv").write_bytes(b"n\n1\n")
    SPECIAL[special](folder / "2013" / "bad.csv")
    assert [Path(file.uri).name for file in list_landed(str(folder), "*/*.csv")] == ["good.csv"]


def test_a_folder_that_is_linked_into_the_landing_folder_is_not_entered(tmp_path: Path) -> None:
    (tmp_path / "landing").mkdir()
    (tmp_path / "landing" / "2013").symlink_to(_outside(tmp_path / "landing" / "2013"))
    assert list_landed(str(tmp_path / "landing"), "*/*.csv") == []


def test_links_that_stay_in_the_landing_folder_are_followed(tmp_path: Path) -> None:
    real = tmp_path / "real"
    (real / "1").mkdir(parents=True)
    (real / "1" / "a.csv").write_bytes(b"n\n1\n")
    (real / "newest").symlink_to("1")
    (tmp_path / "landing").symlink_to(real)
    found = list_landed(str(tmp_path / "landing"), "*/*.csv")
    assert [file.uri.rsplit("/", 2)[-2] for file in found] == ["1", "newest"]


@pytest.mark.parametrize("special", ["a pipe", "a device", "a socket", "a link to nothing", "a link to a device"])
def test_a_source_that_is_no_plain_file_is_refused(tmp_path: Path, special: str) -> None:
    path = tmp_path / "landing" / "x.csv"
    path.parent.mkdir()
    SPECIAL[special](path)
    with pytest.raises(SourceNotFound):
        list_sources(str(path))
