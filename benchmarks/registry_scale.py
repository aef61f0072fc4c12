"""Does finding the champion slow down as versions pile up?

Builds two models in local stores, of 10 and of 10,000 versions, and resolves the champion of each with a registry object that
remembers nothing, as a fresh task process does; turn by turn, so that a busy machine slows both alike. Prints medians, their ratio and the
store operations, and fails when the ratio is above the bar.

Run it with ``python -m benchmarks.registry_scale [--versions 10000] [--json]``.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median

from stoker.core.records import Actor
from stoker.registry.registry import Registry
from stoker.store import documents
from stoker.store.local_files import LocalStore

BAR = 2.0
MODEL = "bench"
SMALL = 10
ACTOR = Actor("benchmark", "python")
MEMORY = Path("/dev/shm")  # noqa: S108 - the disk's own speed is not what is measured


class CountingStore(LocalStore):
    """Counts reads, and listed keys one by one."""

    operations = 0

    def read(self, key: str) -> bytes:
        """Count, then read."""
        self.operations += 1
        return super().read(key)

    def keys(self, prefix: str, *, after: str = "") -> Iterator[str]:
        """Count each key that is asked for."""
        for key in super().keys(prefix, after=after):
            self.operations += 1
            yield key


def build(root: Path, versions: int) -> float:
    """Register that many versions and promote every tenth; the seconds that one version took."""
    registry = Registry(LocalStore(root))
    file = documents.put_bytes(registry.store, b"weights")
    verdict = {"outcome": "pass", "reasons": ["A benchmark."], "numbers": {}}
    manifest = {
        "files": {"model.skops": {"sha256": file.sha256, "size": file.size}},
        "evaluation": {"verdict": verdict, "baseline_version": None},
    }
    began = time.perf_counter()
    for number in range(1, versions + 1):
        fingerprint = hashlib.sha256(str(number).encode()).hexdigest()
        registry.register(MODEL, {**manifest, "fingerprint": fingerprint}, actor=ACTOR, reason="benchmark")
        if number % 10 == 0:
            registry.promote(MODEL, number, actor=ACTOR, reason="benchmark")
    return (time.perf_counter() - began) / versions


def seconds(act: Callable[[], object]) -> float:
    """How long one call takes."""
    began = time.perf_counter()
    act()
    return time.perf_counter() - began


def measure(folder: Path, versions: int, turns: int) -> dict[str, float]:
    """Build both models and time them turn by turn."""
    sizes = {"small": SMALL, "large": versions}
    built = {size: build(folder / size, count) for size, count in sizes.items()}
    times: dict[str, list[float]] = {size: [] for size in sizes}
    for _ in range(turns):
        for size in sizes:
            times[size].append(seconds(lambda size=size: Registry(LocalStore(folder / size)).resolve(MODEL)))  # type: ignore[misc]
    result = {f"resolve_ms_{size}": median(taken) * 1000 for size, taken in times.items()}
    for size in sizes:
        store = CountingStore(folder / size)
        Registry(store).resolve(MODEL)
        result[f"operations_{size}"] = store.operations
    result["register_ms"] = built["large"] * 1000
    result["ratio"] = result["resolve_ms_large"] / result["resolve_ms_small"]
    return result


def main() -> int:
    """Measure, print, and judge."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--versions", type=int, default=10_000)
    parser.add_argument("--turns", type=int, default=200)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=MEMORY if os.access(MEMORY, os.W_OK) else None) as folder:
        result = measure(Path(folder), options.versions, options.turns)
    if options.json:
        print(json.dumps({"versions": options.versions, "bar": BAR, **result}))
    else:
        for size, count in (("small", SMALL), ("large", options.versions)):
            taken, operations = result[f"resolve_ms_{size}"], result[f"operations_{size}"]
            print(f"{count:>7,} versions: champion in {taken:.2f} ms, {operations:.0f} store operations")
        print(f"ratio {result['ratio']:.2f} (bar {BAR:g}); registering took {result['register_ms']:.2f} ms a version")
    return 0 if result["ratio"] <= BAR else 1


if __name__ == "__main__":
    sys.exit(main())
