"""The list of models, and those that need a person."""

from __future__ import annotations

from itertools import count

import pytest

from stoker.errors import StoreUnavailable, UsageError
from stoker.loop.broker import Broker
from stoker.registry.registry import Registry
from stoker.store.base import ObjectStore
from stoker.ui.views import Views, overview
from stoker.ui.views.overview import Models
from stoker.ui.views.reading import Reading
from tests.registry.cases import SteppedClock
from tests.support.registrations import register
from tests.ui.views.conftest import CountingStore
from tests.ui.views.lives import TASK, damage, drifted, trained


def names(views: Views, **wanted: object) -> list[str]:
    return [row.name for row in views.overview(**wanted).models]  # type: ignore[arg-type]


def test_an_empty_registry_has_no_models(views: Views) -> None:
    page = views.overview()
    assert (page.models, page.next, page.scanned, page.total) == ([], None, 0, 0)
    attention = views.attention()
    assert (attention.items, attention.needing, attention.scanned, attention.total) == ([], 0, 0, 0)


def test_pages_follow_each_other_by_name(views: Views, registry: Registry) -> None:
    for number in range(7):
        register(registry, f"model{number}")
    first = views.overview(limit=3)
    assert [row.name for row in first.models] == ["model0", "model1", "model2"]
    assert (first.next, first.total) == ("model2", 7)
    second = views.overview(limit=3, after=first.next or "")
    assert [row.name for row in second.models] == ["model3", "model4", "model5"]
    last = views.overview(limit=3, after=second.next or "")
    assert [row.name for row in last.models] == ["model6"]
    assert last.next is None


def test_a_search_finds_parts_of_names(views: Views, registry: Registry) -> None:
    for name in ("churn", "churn-eu", "fraud"):
        register(registry, name)
    assert names(views, search=" CHURN ") == ["churn", "churn-eu"]
    assert names(views, search="nothing") == []


def test_a_page_of_one_state_scans_until_it_is_full(views: Views, registry: Registry) -> None:
    for number in range(6):
        register(registry, f"model{number}")
        if number % 2:
            registry.promote(f"model{number}", 1, actor=TASK, reason="good")
    page = views.overview(state="healthy", limit=2)
    assert [row.name for row in page.models] == ["model1", "model3"]
    assert page.next is not None
    rest = views.overview(state="healthy", limit=2, after=page.next)
    assert [row.name for row in rest.models] == ["model5"]
    assert rest.next is None
    with pytest.raises(UsageError, match="A state must be one of"):
        views.overview(state="splendid")


def test_a_damaged_model_hides_no_other(views: Views, registry: Registry, store: ObjectStore) -> None:
    register(registry, "churn")
    register(registry, "fraud")
    damage(store, "fraud")
    rows = Views(Registry(store)).overview().models
    assert [(row.name, row.state) for row in rows] == [("churn", "new"), ("fraud", "damaged")]
    assert rows[1].problem


def test_a_model_that_only_its_loop_knows_is_no_row(views: Views, registry: Registry, store: ObjectStore) -> None:
    register(registry, "churn")
    Broker(store, "wished").put(source="hand", reason="please", dedupe_key="a", actor=TASK)
    assert names(views) == ["churn"]
    attention = views.attention()
    assert attention.scanned == attention.total == 2


def test_names_are_as_they_were_some_seconds_ago(views: Views, registry: Registry, clock: SteppedClock) -> None:
    register(registry, "churn")
    assert names(views) == ["churn"]
    register(registry, "fraud")
    assert names(views) == ["churn"]
    clock.step(11)
    assert names(views) == ["churn", "fraud"]


def test_the_most_urgent_comes_first(views: Views, registry: Registry, store: ObjectStore) -> None:
    for name in ("a-drifts", "b-damaged", "c-healthy"):
        trained(registry, name)
        registry.promote(name, 1, actor=TASK, reason="good")
    drifted(store, "2013-04", model="a-drifts", verdict="fail", kinds=["covariate"])
    damage(store, "b-damaged")
    fresh = Views(Registry(store))
    items = fresh.attention().items
    assert [(item.model, item.state) for item in items] == [("b-damaged", "damaged"), ("a-drifts", "drifting")]
    assert all(item.reason and item.action for item in items)
    first = fresh.attention(limit=1)
    assert (first.items, first.needing, first.scanned) == (items[:1], 2, 3)


@pytest.fixture
def hurried(registry: Registry, clock: SteppedClock) -> Models:
    """A list on a machine that is so slow that time is up at every look at it."""
    hours = count()
    return Models(Reading(registry, clock), timer=lambda: 3600.0 * next(hours))


def test_among_many_models_attention_is_read_bit_by_bit(hurried: Models, registry: Registry) -> None:
    for number in range(20):
        register(registry, f"model{number:02d}")
    found = [hurried.attention(limit=20) for _ in range(4)]
    assert [(one.scanned, one.total) for one in found] == [(8, 20), (16, 20), (20, 20), (20, 20)]


def test_what_was_read_longest_ago_is_read_again_first(
    hurried: Models, registry: Registry, store: CountingStore, clock: SteppedClock
) -> None:
    for number in range(12):
        trained(registry, f"model{number:02d}")
    hurried.attention(limit=20)
    clock.step(5)
    assert hurried.attention(limit=20).scanned == 12
    drifted(store, "2013-04", model="model11", verdict="fail", kinds=["covariate"])
    clock.step(31)
    assert not hurried.attention(limit=20).items
    assert [item.model for item in hurried.attention(limit=20).items] == ["model11"]


def test_one_answer_at_a_time_reads_on(
    registry: Registry, clock: SteppedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    register(registry)
    monkeypatch.setattr(overview, "PATIENCE", 0.01)
    models = Models(Reading(registry, clock))
    with models._refreshing:
        attention = models.attention(limit=20)
    assert (attention.scanned, attention.total) == (0, 1)
    assert models.attention(limit=20).scanned == 1


def test_a_search_for_a_state_ends_in_time(hurried: Models, registry: Registry) -> None:
    for number in range(5):
        register(registry, f"model{number}")
    page = hurried.overview(search="", state="healthy", after="", limit=2)
    assert (page.models, page.scanned, page.next) == ([], 2, "model1")


def test_attention_is_remembered_for_half_a_minute(
    views: Views, registry: Registry, store: CountingStore, clock: SteppedClock
) -> None:
    for number in range(5):
        register(registry, f"model{number}")
    views.attention()
    before = store.reads
    views.attention()
    assert store.reads == before
    clock.step(31)
    views.attention()
    assert store.reads > before


def test_a_store_that_is_away_is_no_damage(registry: Registry, clock: SteppedClock) -> None:
    register(registry)

    class Away(CountingStore):
        def read(self, key: str) -> bytes:
            raise StoreUnavailable("The store must answer; it does not.")

    away = Away()
    away.create("models/churn/log/x.json", b"x")
    with pytest.raises(StoreUnavailable):
        Views(Registry(away)).overview()


def test_a_second_look_costs_a_probe_for_each_log(views: Views, registry: Registry, store: CountingStore) -> None:
    for number in range(10):
        trained(registry, f"model{number}")
        registry.promote(f"model{number}", 1, actor=TASK, reason="good")
        drifted(store, "2013-04", model=f"model{number}")
    views.overview()
    before = store.reads
    views.overview()
    assert store.reads - before <= 10 * 4
