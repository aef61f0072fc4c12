"""Today's Stoker opens the stores that earlier ones left, finds every fact, and goes on where they stopped."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from stoker.core.cadence import CadencePolicy
from stoker.core.clock import from_text
from stoker.core.drift import DriftPolicy
from stoker.core.performance import PerformancePolicy
from stoker.core.policies import Bounds, GatePolicy
from stoker.core.records import Reference
from stoker.engines.drift import monitor_drift
from stoker.engines.drift_report import ReportPolicy
from stoker.engines.drift_windows import Current, office_of
from stoker.engines.environment import differences, environment
from stoker.engines.evaluation import evaluate
from stoker.engines.performance import monitor_performance
from stoker.engines.registration import register
from stoker.engines.scoring import score
from stoker.engines.smoke import smoke_test
from stoker.engines.snapshots import snapshot
from stoker.engines.training import train
from stoker.engines.validation import validate
from stoker.errors import ModelError, UntrustedArtifact, VersionArchived
from stoker.loop.broker import Broker
from stoker.loop.ledger import ANNOUNCED, Ledger
from stoker.loop.pins import pinned
from stoker.registry.audit import verify
from stoker.registry.registry import Registry
from stoker.registry.retention import sweep
from stoker.store import partitions
from stoker.store.base import ObjectStore
from stoker.store.local_files import LocalStore
from stoker.store.memory import MemoryStore
from tests.format import frozen
from tests.format.facts import facts, shapes
from tests.registry.cases import SteppedClock
from tests.support.models import flights
from tests.support.registrations import ACTOR

IDS = ["id", "delay", "grade"]
MONTH = "2025-07"


class Days(SteppedClock):
    """Begins when the frozen store was left."""

    def __init__(self) -> None:
        self.now = from_text(frozen.FACTS["models"]["late"]["history"][-1][1]) + timedelta(days=5)

    def __call__(self) -> datetime:
        return self.step(1)


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return frozen.folder(tmp_path / "store")


def test_every_fact_of_the_frozen_store_is_read_as_on_the_day_it_was_frozen(store: LocalStore, tmp_path: Path) -> None:
    before = _bytes(tmp_path)
    assert json.loads(json.dumps(facts(store))) == frozen.FACTS
    assert _bytes(tmp_path) == before


def test_the_frozen_logs_are_clean_and_end_where_they_ended(store: LocalStore) -> None:
    for name, model in frozen.FACTS["models"].items():
        report = verify(store, name, expected_head=model["audit"]["head"])
        assert report.clean, report.problems
        assert report.entries == len(model["history"])


@pytest.mark.parametrize("name", ["late", "delay"])
def test_a_frozen_model_predicts_as_when_it_was_trained_or_is_refused_with_the_versions(
    store: LocalStore, name: str
) -> None:
    version = Registry(store).resolve(name)
    other = differences(version.manifest["candidate"]["environment"], environment())
    verdict = smoke_test(store, version.manifest["candidate"])
    assert verdict.passed or other, verdict.reasons
    assert verdict.passed or all(one in verdict.reasons[0] for one in other), verdict.reasons


def test_an_archived_version_is_still_told_of_and_never_promoted(store: LocalStore) -> None:
    registry = Registry(store)
    assert registry.version("late", 1).archived
    with pytest.raises(VersionArchived):
        registry.promote("late", 1, actor=ACTOR, reason="back")


def test_the_loop_goes_on_where_an_earlier_stoker_stopped_and_adds_what_its_readers_know(store: LocalStore) -> None:
    before = {key: store.read(key) for key in store.keys("")}
    _go_on(store)
    for name in ("late", "delay"):
        assert verify(store, name, expected_head=frozen.FACTS["models"][name]["audit"]["head"]).clean
    after = facts(store)
    _grown(frozen.FACTS, after)
    lost = {key for key, data in before.items() if not store.exists(key) or store.read(key) != data}
    assert all(key.startswith(("blobs/", "retention/lists/", "replays/")) for key in lost), sorted(lost)
    assert not unknown(frozen.FACTS["shapes"], shapes(_only_new(store, before)))


def test_a_field_more_in_the_log_or_one_less_anywhere_is_told() -> None:
    known = {"log block": ["kind", "seq"], "document drift": ["kind", "rows"]}
    assert not unknown(known, {"log block": ["kind", "seq"], "document drift": ["kind", "news", "rows"]})
    assert unknown(known, {"log block": ["kind", "news", "seq"]}) == ["log block: news is new"]
    assert unknown(known, {"document drift": ["kind"]}) == ["document drift: rows is gone"]
    assert unknown(known, {"log merge": ["kind"]}) == ["log merge: is new"]
    assert not unknown(known, {"document plan": ["kind"]})


def unknown(known: Mapping[str, list[str]], today: Mapping[str, list[str]]) -> list[str]:
    """Why a reader of the frozen format would stumble over what is written today.

    Every record may have fields and kinds beyond those, but in a commit log, where readers refuse what they do not know.
    """
    found = []
    for kind, fields in today.items():
        strict = kind.startswith("log ")
        if kind not in known:
            found += [f"{kind}: is new"] if strict else []
            continue
        found += [f"{kind}: {field} is gone" for field in known[kind] if field not in fields]
        found += [f"{kind}: {field} is new" for field in fields if strict and field not in known[kind]]
    return found


def _go_on(store: ObjectStore) -> None:
    """One more month with everything that a month brings."""
    clock = Days()
    registry = Registry(store, clock=clock)
    good = _land(store, clock)
    number = _train(registry, good)
    registry.ask_approval("late", 5, until=clock() + timedelta(days=1), four_eyes=True, actor=ACTOR, reason="Again.")
    registry.block("late", 5, actor=ACTOR, reason="No.")
    registry.unblock("late", 5, actor=ACTOR, reason="Yes.")
    registry.promote("late", number, expected_version=2, actor=ACTOR, reason="Better.", require_verdict=False)
    moved = registry.rollback("late", actor=ACTOR, reason="Worse.")
    assert (moved.previous, moved.version) == (number, 2)
    _monitor(registry, good, clock)
    _serve(store, clock)
    clock.step(86_400 * 200)
    assert sweep(registry, actor=ACTOR, clock=clock, tell=lambda line: None).removed >= 1


def _land(store: ObjectStore, clock: Days) -> Reference:
    file: Any = SimpleNamespace(uri="file:///landing/new", size=1, version="1")
    Ledger(store, "flights", clock).mark(ANNOUNCED, file)
    rows = flights(300, month=MONTH, seed=7)
    frozen_rows = snapshot(
        store, source="new", table=rows, dataset="flights", partition=MONTH, time_column="departure", clock=clock
    )
    snapshot(
        store,
        source="outcomes",
        table=rows.select(["id", "late"]),
        dataset="outcomes",
        partition=MONTH,
        clock=clock,
    )
    seats = {"type": "expect_column_values_to_be_between", "kwargs": {"column": "seats", "min_value": 0}}
    return validate(store, frozen_rows, expectations=[seats], clock=clock)


def _train(registry: Registry, good: Reference) -> int:
    store, champion = registry.store, registry.resolve("late")
    candidate = train(
        store,
        dataset=good,
        estimator=_tree,
        target="late",
        id_columns=IDS,
        history="all",
        max_threads=1,
        origin="train",
    )
    judged = evaluate(
        store,
        model=candidate,
        policy=GatePolicy(thresholds={"roc_auc": Bounds(min=0.5)}, min_rows=20, n_boot=100),
        champion=champion.manifest,
        champion_version=champion.number,
    )
    made = register(
        store, registry, name="late", model=candidate, evaluation=judged, actor=ACTOR, reason="July.",
        aliases=["challenger"],
    )  # fmt: skip
    assert made.summary["version"] == 6
    return 6


def _tree() -> Any:
    from sklearn.compose import make_column_selector, make_column_transformer
    from sklearn.pipeline import make_pipeline
    from sklearn.tree import DecisionTreeClassifier

    numbers = make_column_transformer(("passthrough", make_column_selector(dtype_include="number")))
    return make_pipeline(numbers, DecisionTreeClassifier(max_depth=3, random_state=0))


def _monitor(registry: Registry, good: Reference, clock: Days) -> None:
    """July is scored by the champion of before beside the new version, and judged against its profile and its evaluation of before.

    Where the libraries are others and it does not load, scoring with it fails, the new version scores alone, and of no version is the
    quality judged.
    """
    store, rows = registry.store, partitions.newest(registry.store, "flights", "ok", MONTH)
    assert rows is not None
    manifests = {number: registry.version("late", number).manifest for number in (2, 6)}
    scoring = partial(
        score, store, model_name="late", dataset_digest=rows, id_columns=["id"], max_threads=1, clock=clock
    )
    served = pinned(store, "late", "july", lambda: 2)
    try:
        scoring(version=manifests[served], version_number=served, shadow=(manifests[6], 6))
    except (ModelError, UntrustedArtifact):
        assert differences(manifests[served]["candidate"]["environment"], environment())
        served = 6
        scoring(version=manifests[served], version_number=served)
    judged = monitor_drift(
        store,
        model="late",
        office=office_of(registry, "late", "champion"),
        current=Current(MONTH, (rows,)),
        policy=DriftPolicy(min_rows=50, windows=1, min_violations=1),
        report=ReportPolicy("never"),
        clock=clock,
    )
    assert (judged.verdict, judged.summary["window"]) == ("pass", MONTH)
    if served == 6:  # it was trained on July, so its predictions of July tell nothing of it
        return
    performance = monitor_performance(
        store,
        model="late",
        version_number=served,
        manifest=manifests[served],
        labels="outcomes",
        id_columns=["id"],
        as_of=clock(),
        policy=PerformancePolicy(min_rows=50, n_boot=100, max_drop=0.5),
        window=MONTH,
        max_threads=1,
        clock=clock,
    )
    assert performance.verdict == "pass"


def _serve(store: ObjectStore, clock: Days) -> None:
    """The request that waited is served by the next training."""
    broker = Broker(store, "late", policy=CadencePolicy(cooldown=timedelta(0)), clock=clock)
    granted = broker.claim("flights_train/new", actor=ACTOR)
    assert [one.dedupe_key for one in granted.requests] == ["ada/1", "hook/1"]
    assert broker.settle("flights_train/new", outcome="kept", reason="No better.")
    assert not broker.put(source="hand", reason="Again.", dedupe_key="ada/1", actor=ACTOR).new


def _grown(before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
    """Nothing that was there is different; there is more of it."""
    for name, model in before["models"].items():
        now = after["models"][name]
        assert now["history"][: len(model["history"])] == model["history"]
        for number, version in model["versions"].items():
            assert now["versions"][number]["digest"] == version["digest"]
        for kind in ("drift", "performance", "cohorts", "pins"):
            assert all(one in now[kind] for one in model[kind]), kind
    for place, rows in before["partitions"].items():
        assert rows.items() <= after["partitions"][place].items(), place


def _only_new(store: ObjectStore, before: Mapping[str, bytes]) -> MemoryStore:
    new = MemoryStore()
    for key in store.keys(""):
        if key not in before:
            new.create(key, store.read(key))
    return new


def _bytes(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}
