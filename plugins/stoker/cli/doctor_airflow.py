"""What the doctor asks Airflow: whether its configuration fits what Stoker needs, and whether its parts run.

A worker in Airflow 3 has no database; there the parts that run are left out, and the API server's doctor tells.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.specifiers import SpecifierSet

import stoker
from stoker.cli.examination import Check, checked
from stoker.store.local_files import LocalStore

if TYPE_CHECKING:
    from stoker.hooks.registry import StokerHook
    from stoker.store.base import ObjectStore

_SEVERAL_MACHINES = ("Celery", "Kubernetes", "Edge", "Ecs", "Batch")
_SETTING = "[stoker] store_uri"
_CELERY = SpecifierSet(">=5.5,<5.7")
_VERSION = re.compile(r"^__version__ = \"([^\"]+)\"", re.MULTILINE)
_DANGEROUS = {
    "builtins",
    "ctypes",
    "importlib",
    "marshal",
    "os",
    "pickle",
    "posix",
    "runpy",
    "shutil",
    "socket",
    "subprocess",
    "sys",
}
_HARMLESS = {"builtins.object"}


def examine_airflow(hook: StokerHook, store: ObjectStore) -> Iterator[Check]:
    """The checks of an installation whose settings come from Airflow."""
    yield _trusted_types(hook.settings.trusted_types)
    yield _one_store(hook)
    yield _shared_store(store)
    yield _one_copy()
    yield checked("webhook", _webhook)
    yield from _celery()
    yield from _parts()


def _trusted_types(trusted: tuple[str, ...]) -> Check:
    bad = [name for name in trusted if name.split(".")[0] in _DANGEROUS and name not in _HARMLESS]
    if bad:
        advice = f"A model file could run programs with {', '.join(bad)}. Take them out of trusted_types, and find out who put them in."
        return Check("trusted types", "fail", advice)
    return Check("trusted types", "ok", f"{len(trusted)} beyond Stoker's own list.")


def _one_store(hook: StokerHook) -> Check:
    from airflow.sdk import conf

    configured = conf.get("stoker", "store_uri", fallback=None)
    used = hook.settings.store
    if configured and configured.rstrip("/") != used.rstrip("/"):
        advice = (
            f"The connection names {used} and {_SETTING} names {configured}. When Airflow cannot look the connection up, tasks "
            "would go on in the other store. Let both name the same."
        )
        return Check("one store", "warn", advice)
    return Check("one store", "ok", "Connection and configuration do not contradict each other.")


def _executor() -> str:
    from airflow.sdk import conf

    return conf.get("core", "executor", fallback=None) or ""


def _shared_store(store: ObjectStore) -> Check:
    executor = _executor()
    if isinstance(store, LocalStore) and any(name in executor for name in _SEVERAL_MACHINES):
        advice = f"{executor} runs tasks on several machines, and {store.uri} is a folder of one. Use an s3:// store."
        return Check("shared store", "fail", advice)
    return Check("shared store", "ok", f"{executor or 'No executor'} can reach the store from all its workers.")


def _one_copy() -> Check:
    from airflow.sdk import conf

    folder = Path(conf.get("core", "plugins_folder", fallback=None) or "plugins", "stoker").absolute()
    running = Path(stoker.__file__).parent
    source = folder / "__init__.py"
    if not source.is_file() or folder.resolve() == running.resolve():
        return Check("one copy", "ok", f"Stoker {stoker.__version__} from {running}.")
    found = _VERSION.search(source.read_text(errors="replace"))
    other = found.group(1) if found else "of unknown version"
    advice = (
        f"Stoker {stoker.__version__} runs from {running}, and {other} lies in {folder}. Some parts of Airflow load one, some the "
        "other. Remove one."
    )
    return Check("one copy", "warn" if other == stoker.__version__ else "fail", advice)


def _webhook() -> str:
    from stoker.hooks.webhook_secrets import webhook_secrets

    secrets = webhook_secrets()
    return f"{len(secrets)} secrets hold." if secrets else "Closed: [stoker] webhook_conn_id names no connection."


def _celery() -> Iterator[Check]:
    if "Celery" not in _executor():
        return
    try:
        version = metadata.version("celery")
    except metadata.PackageNotFoundError:
        yield Check(
            "celery",
            "fail",
            "CeleryExecutor needs celery, which is not installed. Install apache-airflow-providers-celery.",
        )
        return
    fits = _CELERY.contains(version, prereleases=True)
    advice = version if fits else f"{version} is outside the tested range {_CELERY}. Install one inside it."
    yield Check("celery", "ok" if fits else "warn", advice)


def _parts() -> Iterator[Check]:
    health = _health()
    if health is None:
        return
    for part, need in {
        "scheduler": "No task starts without it",
        "dag_processor": "No DAG is read without it",
        "triggerer": "New data, alerts and requests for training are noticed by it",
    }.items():
        status = health[part]["status"]
        if status == "healthy":
            yield Check(part, "ok", "It runs.")
        else:
            yield Check(
                part, "warn", f"No {part} has given a sign of life. {need}. Start: airflow {part.replace('_', '-')}."
            )


def _health() -> dict[str, dict[str, str | None]] | None:
    """The parts of Airflow by its own account; ``None`` where its database cannot be asked."""
    try:
        from airflow.api.common.airflow_health import get_airflow_health
    except (ImportError, RuntimeError):
        return None
    ask: Callable[[], dict[str, dict[str, str | None]]] = get_airflow_health
    health = ask()
    return health if health["metadatabase"]["status"] == "healthy" else None
