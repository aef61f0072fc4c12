"""Whether this installation can do its work, check by check."""

from __future__ import annotations

import ctypes
import os
import platform
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import metadata
from typing import Literal
from urllib.parse import unquote, urlsplit

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from stoker.cli.invocation import Invocation
from stoker.core.wire import FORMAT
from stoker.errors import StokerError, UnknownFormat
from stoker.registry.registry import Registry
from stoker.store import layout
from stoker.store.local_files import LocalStore
from stoker.store.probe import probe_conditional_writes

_DISTRIBUTION = "airflow-provider-stoker"
_NFS_MAGIC = 0x6969
_RECENT_ENTRIES = 100


@dataclass(frozen=True)
class Check:
    """The answer to one question.

    :param check: what was looked at.
    :param result: ``ok``, ``warn`` or ``fail``.
    :param finding: what was found, and what to do about it.
    """

    check: str
    result: Literal["ok", "warn", "fail"]
    finding: str


def examine(invocation: Invocation) -> list[Check]:
    """Carry out all checks. Nothing is raised for what they find; where no store opens, its checks are left out."""
    checks = [*_software(), _check("settings", lambda: _settings(invocation))]
    if checks[-1].result != "fail":
        checks += [
            _check("store answers", lambda: _answers(invocation)),
            _check("store keeps what is there", lambda: _conditional_writes(invocation)),
            *_filesystem(invocation),
            *_records(invocation),
        ]
    return checks


def filesystem_magic(path: str) -> int | None:
    """The kind of file system under a path, as the kernel numbers it; ``None`` where it cannot be asked."""
    if sys.platform != "linux":
        return None
    # os.statvfs leaves the kind out. It is the first field of struct statfs, which has 120 bytes.
    answer = ctypes.create_string_buffer(256)
    failed = ctypes.CDLL(None).statfs(os.fsencode(path), answer)
    return None if failed else ctypes.c_long.from_buffer(answer).value


def _check(name: str, look: Callable[[], str]) -> Check:
    try:
        return Check(name, "ok", look())
    except StokerError as error:
        return Check(name, "fail", error.message)


def _software() -> Iterator[Check]:
    try:
        about = metadata.distribution(_DISTRIBUTION)
    except metadata.PackageNotFoundError:
        yield Check(
            "packages", "warn", f"{_DISTRIBUTION} is deployed as a folder, so its requirements are unknown here."
        )
        return
    yield _fits("python", platform.python_version(), SpecifierSet(about.metadata["Requires-Python"]))
    for requirement in map(Requirement, about.requires or ()):
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
            yield _package(requirement)


def _package(requirement: Requirement) -> Check:
    try:
        return _fits(requirement.name, metadata.version(requirement.name), requirement.specifier)
    except metadata.PackageNotFoundError:
        return Check(requirement.name, "fail", f"Not installed. Install {requirement.name}{requirement.specifier}.")


def _fits(name: str, version: str, supported: SpecifierSet) -> Check:
    if supported.contains(version, prereleases=True):
        return Check(name, "ok", version)
    return Check(name, "fail", f"{version} is outside the supported range {supported}. Install one inside it.")


def _settings(invocation: Invocation) -> str:
    return f"{invocation.store.uri}, from {invocation.source}"


def _answers(invocation: Invocation) -> str:
    next(iter(invocation.store.keys(layout.MODELS)), None)
    return "Its keys can be listed."


def _conditional_writes(invocation: Invocation) -> str:
    probe_conditional_writes(invocation.store)
    return "It takes writes and refuses to replace an object."


def _filesystem(invocation: Invocation) -> Iterator[Check]:
    if not isinstance(invocation.store, LocalStore):
        return
    folder = unquote(urlsplit(invocation.store.uri).path)
    if filesystem_magic(folder) == _NFS_MAGIC:
        advice = "The folder lies on NFS, whose caches may show old keys to other machines. Share a store through S3 instead."
        yield Check("file system", "warn", advice)
    else:
        yield Check("file system", "ok", "The folder is not on NFS.")


def _records(invocation: Invocation) -> Iterator[Check]:
    try:
        names = invocation.registry.models()
    except StokerError as error:
        yield Check("models", "fail", error.message)
        return
    found = [_damage(invocation.registry, name) for name in names]
    newer = [damage.message for damage in found if isinstance(damage, UnknownFormat)]
    damaged = [damage.message for damage in found if damage and not isinstance(damage, UnknownFormat)]
    yield Check(
        "format", "fail" if newer else "ok", " ".join(newer) or f"All records read are of format {FORMAT} or older."
    )
    healthy = f"{len(names)} models; aliases and the newest entries read. For all records: stoker audit verify."
    advice = " ".join([*damaged, "Run: stoker audit verify."])
    yield Check("models", "fail" if damaged else "ok", advice if damaged else healthy)


def _damage(registry: Registry, name: str) -> StokerError | None:
    """What is wrong with the state, the newest entries or an aliased version of a model."""
    try:
        for alias in registry.aliases(name):
            registry.resolve(name, alias)
        for _ in registry.history(name, after=max(registry.state(name).seq - _RECENT_ENTRIES, 0)):
            pass  # reading an entry proves that it follows from the one before it
    except StokerError as error:
        return error
    return None
