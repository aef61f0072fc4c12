"""Whether this installation can do its work, check by check."""

from __future__ import annotations

import ctypes
import os
import platform
import sys
from collections.abc import Iterator, Sequence
from importlib import metadata
from urllib.parse import unquote, urlsplit

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from stoker.cli.doctor_airflow import examine_airflow
from stoker.cli.doctor_machine import examine_clock, examine_machine
from stoker.cli.examination import Check, checked
from stoker.cli.invocation import Invocation
from stoker.core.wire import FORMAT
from stoker.errors import StokerError, UnknownFormat
from stoker.registry.registry import Registry
from stoker.registry.state import CHAMPION
from stoker.store import layout
from stoker.store.local_files import LocalStore
from stoker.store.probe import probe_conditional_writes

_DISTRIBUTION = "airflow-provider-stoker"
_NFS = 0x6969
_FLEETING = {
    0x01021994: "in memory (tmpfs), and ends with the machine",
    0x858458F6: "in memory (ramfs), and ends with the machine",
    0x794C7630: "in a layer of a container (overlay), and ends with the container",
}
_RECENT_ENTRIES = 100


def examine(invocation: Invocation) -> list[Check]:
    """Carry out all checks. Nothing is raised for what they find; where no store opens, its checks are left out."""
    checks = [*_software(), checked("settings", lambda: _settings(invocation))]
    if checks[-1].result != "fail":
        hook = invocation.hook
        checks += [
            checked("store answers", lambda: _answers(invocation)),
            checked("store keeps what is there", lambda: _conditional_writes(invocation)),
            *_filesystem(invocation),
            *_records(invocation),
        ]
        checks += [examine_clock(invocation.store)] if _passed(checks, "store keeps what is there") else []
        checks += examine_airflow(hook, invocation.store) if hook is not None else []
        checks += examine_machine(hook.settings.memory_limit if hook is not None else None)
    return checks


def _passed(checks: Sequence[Check], name: str) -> bool:
    return any(check.check == name and check.result == "ok" for check in checks)


def filesystem_magic(path: str) -> int | None:
    """The kind of file system under a path, as the kernel numbers it; ``None`` where it cannot be asked."""
    if sys.platform != "linux":
        return None
    # os.statvfs leaves the kind out. It is the first field of struct statfs, which has 120 bytes.
    answer = ctypes.create_string_buffer(256)
    failed = ctypes.CDLL(None).statfs(os.fsencode(path), answer)
    return None if failed else ctypes.c_long.from_buffer(answer).value


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
    kind = filesystem_magic(folder)
    if kind == _NFS:
        advice = "The folder lies on NFS, whose caches may show old keys to other machines. Share a store through S3 instead."
        yield Check("file system", "warn", advice)
    elif kind in _FLEETING:
        yield Check(
            "file system", "warn", f"The folder lies {_FLEETING[kind]}. Put it on a disk or a volume that stays."
        )
    else:
        yield Check("file system", "ok", "The folder is on a disk of this machine.")


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
    yield _champion_files(invocation, names)


def _champion_files(invocation: Invocation, names: Sequence[str]) -> Check:
    """Whether all files of the versions in production are there, as large as they were; nothing is read."""
    missing = [lack for name in names for lack in _missing_files(invocation, name)]
    if missing:
        advice = f"{'; '.join(missing[:5])}. Restore them from a backup, or roll back: stoker rollback."
        return Check("files in production", "fail", advice)
    return Check("files in production", "ok", "All files of champions are there.")


def _missing_files(invocation: Invocation, name: str) -> Iterator[str]:
    try:
        if CHAMPION not in invocation.registry.aliases(name):
            return
        version = invocation.registry.resolve(name, CHAMPION)
    except StokerError:
        return  # the models' check has said so
    for file, stored in version.files.items():
        try:
            size = invocation.store.stat(layout.blob(stored.sha256)).size
        except StokerError as error:
            yield f"{file} of {name} v{version.number}: {error.message}"
            continue
        if size != stored.size:
            yield f"{file} of {name} v{version.number} has {size} bytes, and must have {stored.size}"


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
