"""Do the pages stay fast when there are many models, and when one model has many versions?

Builds 1,000 models in a local store, with journals of drift, performance and training on every fourth, and beside them two models of 1,000
and of 10,000 versions. Asks for pages and API routes through the application: cold, of a registry that nothing was read of, of which the
fastest counts; then warm, again and again, once all models were looked at. Prints times of the server and reads of the store. Fails when
a cold answer or the median of the warm ones is above the bar, when an answer about 10,000 versions reads more than one about 1,000 by
more than a few objects, or when it takes too long until it is known of all models whether they need a person.

Run it with ``python -m benchmarks.ui_scale [--models 1000] [--versions 10000] [--turns 20] [--json]``.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path
from statistics import median
from typing import Any

from fastapi.testclient import TestClient

from benchmarks import registry_scale
from stoker.core.records import Actor
from stoker.loop.broker import Broker
from stoker.loop.windows import WindowLog
from stoker.registry.registry import Registry
from stoker.store.documents import put_bytes, put_document
from stoker.store.local_files import LocalStore
from stoker.store.memory import MemoryStore
from stoker.ui.app import create_app

BAR_MS = 300.0
BAR_FILL_S = 10.0
COLD_TURNS = 3
MORE_READS = 40
"""How far a log may lie behind its last checkpoint, for two models and their journals: chance, not growth."""

ACTOR = Actor("benchmark", "bench/run__1/register/-1")
FEW, MANY = "model-few", "model-many"

PAGES = ("/", "/api/v1/models", "/api/v1/attention")
OF_A_MODEL = (
    "/models/{model}",
    "/api/v1/models/{model}",
    "/api/v1/models/{model}/versions",
    "/api/v1/models/{model}/quality",
    "/api/v1/models/{model}/champions",
    "/api/v1/models/{model}/lineage",
    "/api/v1/models/{model}/drift",
    "/api/v1/models/{model}/history",
    "/api/v1/models/{model}/why",
)


class CountingStore(registry_scale.CountingStore):
    """Counts single looks and listed folders as well."""

    def exists(self, key: str) -> bool:
        """Count, then look."""
        self.operations += 1
        return super().exists(key)

    def folders(self, prefix: str) -> Iterator[str]:
        """Count the listing, which is one request for a thousand names."""
        self.operations += 1
        return super().folders(prefix)


def build(root: Path, models: int, few: int, many: int) -> None:
    """Write the store. It is made in memory, for neither durability nor writing is what is measured."""
    store = MemoryStore()
    registry = Registry(store)
    for number in range(models):
        name = f"model-{number:04d}"
        versions(registry, name, 1 + number % 3)
        if number % 4 == 0:
            journals(store, name)
    for name, count in ((FEW, few), (MANY, many)):
        versions(registry, name, count)
        journals(store, name)
    for key in store.keys(""):
        path = root / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(store.read(key))


def versions(registry: Registry, name: str, count: int) -> None:
    """Register so many versions, each with what a training writes down, and promote every tenth of them and the first."""
    for number in range(1, count + 1):
        registry.register(name, manifest(registry, name, number), actor=ACTOR, reason="trained by bench")
        if number % 10 == 1:
            registry.promote(name, number, actor=ACTOR, reason="it is better")


def manifest(registry: Registry, name: str, number: int) -> dict[str, Any]:
    """A manifest of the size that a real one has."""
    fingerprint = hashlib.sha256(f"{name} {number}".encode()).hexdigest()
    file = put_bytes(registry.store, b"weights")
    verdict = {"outcome": "pass", "reasons": ["The challenger is better."], "numbers": {}}
    metrics = {f"metric_{at}": 0.5 + at / 100 for at in range(9)}
    return {
        "fingerprint": fingerprint,
        "files": {"model.skops": {"sha256": file.sha256, "size": file.size}},
        "candidate": {
            "digest": fingerprint,
            "dataset_name": name,
            "partition": "2026-01",
            "datasets": [hashlib.sha256(f"{name} data {at}".encode()).hexdigest() for at in range(12)],
            "features": [{"name": f"feature_{at}", "type": "float64"} for at in range(40)],
            "params": {f"parameter_{at}": at for at in range(60)},
            "rows": {"train": 100_000, "holdout": 20_000},
        },
        "evaluation": {
            "verdict": verdict,
            "baseline_version": None,
            "metrics": metrics,
            "policy": {"metric": "metric_0"},
            "digest": fingerprint,
        },
    }


def journals(store: MemoryStore, name: str) -> None:
    """A loop that has run for a while: windows, each with its document, and wake-ups."""
    drift, performance, broker = (
        WindowLog(store, name, "drift"),
        WindowLog(store, name, "performance"),
        Broker(store, name),
    )
    for month in range(1, 13):
        window = f"2026-{month:02d}"
        columns = [_finding(f"feature_{at}", (month * at % 17) / 10) for at in range(40)]
        document = put_document(store, {"kind": "drift", "model": name, "window": window, "columns": columns})
        facts = {"document": document, "verdict": "fail" if month == 12 else "pass", "alert": False, "states": {}}
        drift.record(window, 1, None, facts)
        measured = {"metric": "metric_0", "value": 0.5, "interval": [0.4, 0.6], "baseline": 0.5, "coverage": 1.0}
        performance.record(window, 1, None, {"document": document, "verdict": "pass", **measured})
        run = f"bench/run__{month}"
        broker.put(source="hand", reason="benchmark", dedupe_key=window, actor=ACTOR)
        broker.claim(run, actor=ACTOR)
        broker.settle(run, outcome="promoted", reason="It is better.", version=1)


def _finding(column: str, effect: float) -> dict[str, Any]:
    facts = {"role": "feature", "kind": "drift" if effect > 1 else "ok", "method": "wasserstein", "weight": 0.025}
    return {
        "column": column,
        "effect": effect,
        "threshold": 1.0,
        "drifted": effect > 1,
        "reason": f"{column} so.",
        **facts,
    }


def measure(root: Path, path: str, turns: int) -> dict[str, float]:
    """Times in ms and reads of one address: cold, and warm."""
    cold = [ask(root, path, 1)[0] for _ in range(COLD_TURNS)]
    warm = ask(root, path, 1 + turns)[1:]
    times = sorted(taken for taken, _ in warm)
    return {
        "cold_ms": min(taken for taken, _ in cold),
        "warm_ms": median(times),
        "warm_p95_ms": times[min(len(times) - 1, int(len(times) * 0.95))],
        "cold_reads": cold[0][1],
        "warm_reads": median(reads for _, reads in warm),
    }


def ask(root: Path, path: str, times: int) -> list[tuple[float, int]]:
    """Ask so many times of a registry that nothing was read of; how long each answer took in ms, and how much it read."""
    registries = [Registry(LocalStore(root))]
    found: list[tuple[float, int]] = []
    with TestClient(create_app(lambda: registries[-1])) as client:
        client.get(path)  # templates are compiled once in the life of a server
        store = CountingStore(root)
        registries.append(Registry(store))
        for _ in range(times):
            before, began = store.operations, time.perf_counter()
            answer = client.get(path)
            found.append(((time.perf_counter() - began) * 1000, store.operations - before))
            if answer.status_code != HTTPStatus.OK:
                raise SystemExit(f"{path} must answer 200; it answers {answer.status_code}: {answer.text[:500]}")
            if times > 1 and len(found) == 1 and path in PAGES:
                fill(client)
    return found


def fill(client: TestClient) -> tuple[float, int]:
    """Ask who needs a person, as the pages do, until all models were looked at; how many seconds and answers that took."""
    began, answers, known = time.perf_counter(), 0, {"scanned": 0, "total": 1}
    while known["scanned"] < known["total"]:
        known = client.get("/api/v1/attention", params={"limit": 1}).json()
        answers += 1
    return time.perf_counter() - began, answers


def judge(results: dict[str, dict[str, float]]) -> list[str]:
    """What is above a bar, in words."""
    found = [
        f"{path}: {what} took {taken[what]:.0f} ms; the bar is {BAR_MS:g} ms."
        for path, taken in results.items()
        for what in ("cold_ms", "warm_ms")
        if taken[what] > BAR_MS
    ]
    for path in OF_A_MODEL:
        few, many = (results[path.format(model=model)]["cold_reads"] for model in (FEW, MANY))
        if many > few + MORE_READS:
            found.append(f"{path}: {many:.0f} reads with many versions, {few:.0f} with few.")
    return found


def main() -> int:
    """Build, measure, print, and judge."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--models", type=int, default=1000)
    parser.add_argument("--versions", type=int, default=10_000)
    parser.add_argument("--turns", type=int, default=20)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    paths = [*PAGES, *(path.format(model=model) for model in (FEW, MANY) for path in OF_A_MODEL)]
    with tempfile.TemporaryDirectory(
        dir=registry_scale.MEMORY if os.access(registry_scale.MEMORY, os.W_OK) else None
    ) as folder:
        build(Path(folder), options.models, options.versions // 10, options.versions)
        results = {path: measure(Path(folder), path, options.turns) for path in paths}
        registry = Registry(LocalStore(Path(folder)))
        with TestClient(create_app(lambda: registry)) as client:
            seconds, answers = fill(client)
    failures = judge(results)
    if seconds > BAR_FILL_S:
        failures.append(f"To know of all models who needs a person took {seconds:.1f} s; the bar is {BAR_FILL_S:g} s.")
    if options.json:
        filled = {"fill_s": seconds, "fill_answers": answers}
        print(json.dumps({"bar_ms": BAR_MS, "results": results, **filled, "failures": failures}))
    else:
        print(f"{'address':<46}{'cold ms':>9}{'warm ms':>9}{'p95':>7}{'reads':>8}{'warm':>6}")
        for path, taken in results.items():
            numbers = f"{taken['cold_ms']:>9.0f}{taken['warm_ms']:>9.1f}{taken['warm_p95_ms']:>7.1f}"
            print(f"{path:<46}{numbers}{taken['cold_reads']:>8.0f}{taken['warm_reads']:>6.0f}")
        print(f"All models were looked at after {seconds:.1f} s and {answers} answers about attention.")
        print("\n".join(failures) or "All within the bars.")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
