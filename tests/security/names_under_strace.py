"""The program that strace watches: hostile names at every entry, after a mark in its log."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from stoker.errors import StokerError
from stoker.store.local_files import LocalStore
from tests.security.test_names_everywhere import ENTRIES, SPICED


def main(root: str, names: int, number: int) -> None:
    """Try that many names, each at one entry, and say how many."""
    store = LocalStore(Path(root))
    pairs: list[tuple[str, str]] = []

    @seed(number)
    @settings(max_examples=names, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(name=SPICED, entry=st.sampled_from(list(ENTRIES)))
    def collect(name: str, entry: str) -> None:
        pairs.append((name, entry))

    collect()
    for entry in ENTRIES:
        with suppress(StokerError):
            ENTRIES[entry](store, "plain")
    Path("/stoker-names-begin-here").exists()
    for name, entry in pairs:
        with suppress(StokerError):
            ENTRIES[entry](store, name)
    print(f"{len(pairs)} hostile names at {len(ENTRIES)} entries")
