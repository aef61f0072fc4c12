"""What a view costs does not grow with what there is; and threads may share the views."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from stoker.registry.registry import Registry
from stoker.store.base import ObjectStore
from stoker.ui.views import Views
from tests.support.registrations import ACTOR, register
from tests.ui.views.conftest import CountingStore
from tests.ui.views.lives import drifted

VIEWS: dict[str, Callable[[Views], object]] = {
    "model": lambda views: views.model("churn"),
    "overview": lambda views: views.overview(),
    "versions": lambda views: views.versions("churn", limit=10),
    "an old version": lambda views: views.version("churn", 3),
    "compare": lambda views: views.compare("churn", 2, 9),
    "quality": lambda views: views.quality("churn", versions=10),
    "champions": lambda views: views.champions("churn", limit=5),
    "lineage": lambda views: views.lineage("churn"),
    "drift": lambda views: views.drift("churn"),
    "history": lambda views: views.history("churn", limit=10),
    "why": lambda views: views.why("churn"),
}

CHANCE = 40
"""How far a log may lie behind its last checkpoint, and what is read of versions that are not behind it."""


@pytest.fixture(scope="module")
def small() -> CountingStore:
    return grown(110)


@pytest.fixture(scope="module")
def large() -> CountingStore:
    return grown(300)


def grown(versions: int) -> CountingStore:
    store = CountingStore()
    registry = Registry(store)
    for number in range(1, versions + 1):
        register(registry)
        if number % 2:
            registry.promote("churn", number, actor=ACTOR, reason="better")
    drifted(store, "2013-04")
    return store


def cost(store: CountingStore, look: Callable[[Views], object]) -> int:
    before = store.reads
    look(Views(Registry(store)))
    return store.reads - before


@pytest.mark.parametrize("name", VIEWS)
def test_reads_do_not_grow_with_versions(name: str, small: CountingStore, large: CountingStore) -> None:
    assert cost(large, VIEWS[name]) <= cost(small, VIEWS[name]) + CHANCE


def test_threads_may_share_the_views(large: CountingStore) -> None:
    views = Views(Registry(large))
    wanted = {name: look(Views(Registry(large))) for name, look in VIEWS.items()}
    with ThreadPoolExecutor(8) as pool:
        for _ in range(5):
            found = dict(zip(VIEWS, pool.map(lambda look: look(views), VIEWS.values()), strict=True))
            assert found == wanted


def test_a_view_writes_nothing(registry: Registry, store: ObjectStore) -> None:
    register(registry)
    before = list(store.keys(""))
    views = Views(registry)
    for name, look in VIEWS.items():
        if name not in {"an old version", "compare"}:
            look(views)
    assert list(store.keys("")) == before
