"""The story of a model, told step by step, which the batteries of this folder cut short in every way, and what must hold then.

A step is a text such as ``register 3`` or ``score 2013-04``, and each can be told again: a story that is told twice ends as if it had been
told once. :func:`after` says what a whole number of steps comes to, from the texts alone; :func:`seen` reads the same from a store.
"""

from __future__ import annotations

import random
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stoker.core import wire
from stoker.engines.frames import read_table
from stoker.engines.landing import list_landed
from stoker.engines.scoring import score
from stoker.engines.snapshots import snapshot
from stoker.loop.cohorts import STAGE
from stoker.loop.pins import pinned
from stoker.registry.audit import verify
from stoker.registry.registry import Registry
from stoker.store import documents, layout, partitions
from stoker.store.base import ObjectStore
from stoker.store.local_files import LocalStore
from tests.support.memory_folder import memory_folder
from tests.support.models import fit, flights, manifest, put, tree
from tests.support.registrations import ACTOR

MODEL = "late"
DATASET = "flights"
PARTITIONS = ("2013-03", "2013-04", "2013-05")
ROWS = 12
WHOLE_STORY = ("register 3", "promote 3", "snapshot 2013-03", "score 2013-03", "rollback 1")

_ENTRIES = 13
"""Of the prepared log: the third change of a story takes a checkpoint along, which happens at every 16th entry."""

_CHAMPION = 1

Story = Sequence[str]


@contextmanager
def scratch() -> Iterator[Path]:
    """A folder in memory where the machine has such a place; all temporary files of this process go there as well."""
    usual = tempfile.tempdir
    with memory_folder() as made:
        try:
            tempfile.tempdir = made
            yield Path(made)
        finally:
            tempfile.tempdir = usual


@dataclass(frozen=True)
class Outcome:
    """What a story came to.

    :param entries: the kinds of the entries that it added to the log.
    :param versions: how many there are.
    :param champion: the version in office.
    :param snapshots: each partition with the numbers of its pointers.
    :param taken: the landed files that a snapshot has taken, by their partitions.
    :param scored: each partition of predictions with the numbers of its pointers, and the version that scored it.
    """

    entries: tuple[str, ...] = ()
    versions: int = 2
    champion: int = _CHAMPION
    snapshots: frozenset[tuple[str, int]] = frozenset()
    taken: frozenset[str] = frozenset()
    scored: frozenset[tuple[str, int, int]] = frozenset()


class World:
    """A prepared folder, copies of which are where stories happen.

    :param folder: empty; best in memory, unless syncing is what is tested.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._made = 0
        (folder / "landed").mkdir()
        for number, partition in enumerate(PARTITIONS):
            _land(folder / "landed", partition, number)
        self.prepared = folder / "prepared"
        _prepare(LocalStore(self.prepared))

    def fresh(self, root: Path | None = None) -> Path:
        """The root of a new store, ready for a story.

        :param root: where; in the folder of the world without it.
        """
        self._made += 1
        return Path(shutil.copytree(self.prepared, root or self._folder / f"store-{self._made}"))

    def tell(self, store: ObjectStore, story: Story, acknowledge: Callable[[str], Any] = lambda _: None) -> None:
        """Do the steps, each as a task that may be repeated, and acknowledge each that has returned."""
        registry = Registry(store)
        for number, step in enumerate(story):
            _do(registry, self._folder / "landed", step, f"story/{number}")
            acknowledge(step)


def random_story(chance: random.Random) -> list[str]:
    """One to six steps that are possible in their order."""
    story: list[str] = []
    been, blocked = {_CHAMPION, 2}, set[int]()
    for _ in range(chance.randint(1, 6)):
        now = after(story)
        landed = sorted(partition for partition, _ in now.snapshots)
        choices = [
            f"register {now.versions + 1}",
            *(f"promote {v}" for v in range(1, now.versions + 1) if v != now.champion and v not in blocked),
            *(f"rollback {v}" for v in sorted(been - blocked - {now.champion})),
            *(f"snapshot {p}" for p in PARTITIONS if p not in landed),
            *(f"score {p}" for p in landed if p not in {partition for partition, _, _ in now.scored}),
        ]
        step = chance.choice(choices)
        been.add(now.champion)
        if step.startswith("rollback"):
            blocked.add(now.champion)
        story.append(step)
    return story


def after(story: Story) -> Outcome:
    """What the steps come to."""
    found = Outcome()
    for step in story:
        verb, _, name = step.partition(" ")
        facts = dict(vars(found))
        match verb:
            case "register":
                facts |= {"versions": int(name), "entries": (*found.entries, "register")}
            case "promote" | "rollback":
                kind = {"promote": "set_alias", "rollback": "rollback"}[verb]
                facts |= {"champion": int(name), "entries": (*found.entries, kind)}
            case "snapshot":
                facts |= {"snapshots": found.snapshots | {(name, 1)}, "taken": found.taken | {name}}
            case "score":
                facts |= {"scored": found.scored | {(name, 1, found.champion)}}
        found = Outcome(**facts)
    return found


def seen(store: ObjectStore) -> Outcome:
    """What a store shows, every byte of it compared with its digest.

    :raises AssertionError: when something lies there half, or is not what the log says.
    """
    _whole(store)
    registry = Registry(store)
    state = registry.state(MODEL)
    champion = registry.resolve(MODEL)
    for version in registry.versions(MODEL):
        for file in version.files.values():
            assert len(documents.get_bytes(store, file.sha256)) == file.size
    return Outcome(
        entries=tuple(entry.change.kind for entry in registry.history(MODEL, after=_ENTRIES)),
        versions=state.versions,
        champion=champion.number,
        snapshots=frozenset((name, _pointer(store, DATASET, "raw", name)) for name in _named(store, DATASET, "raw")),
        taken=frozenset(_taken(store)),
        scored=frozenset(
            (name, _pointer(store, MODEL, STAGE, name), _scored_by(store, name)) for name in _named(store, MODEL, STAGE)
        ),
    )


def check(store: ObjectStore, story: Story, acknowledged: int) -> None:
    """Fail unless every acknowledged step is there once, and the one that was cut short is there, or not yet, and not half.

    A snapshot's file is marked after its partition means it, so those two count for themselves.
    """
    now, before, then = seen(store), after(story[:acknowledged]), after(story[: acknowledged + 1])
    for name, value in vars(now).items():
        assert value in {getattr(before, name), getattr(then, name)}, f"{name} is {value}; want {before} or {then}"


def survived(world: World, store: ObjectStore, story: Story, acknowledged: int) -> None:
    """As :func:`check`; and then the whole story, told again, must end as if nothing had happened."""
    check(store, story, acknowledged)
    world.tell(store, story)
    assert seen(store) == after(story)


def _land(folder: Path, partition: str, seed: int) -> None:
    import pyarrow.parquet as pq

    pq.write_table(flights(ROWS, month=partition, seed=seed), folder / f"{partition}.parquet")


def _prepare(store: ObjectStore) -> None:
    registry = Registry(store)
    trained = manifest(store, fit(store, put(store, flights(60, month="2013-01")), tree))
    for number in (1, 2):
        _register(registry, number, trained, f"prepared/{number}")
    for entry in range(3, _ENTRIES + 1):
        _promote(registry, 1 if entry % 2 else 2, f"prepared/{entry}")
    assert registry.resolve(MODEL).number == _CHAMPION


def _do(registry: Registry, landed: Path, step: str, key: str) -> None:
    verb, _, name = step.partition(" ")
    match verb:
        case "register":
            _register(registry, int(name), registry.version(MODEL, 1).manifest, key)
        case "promote":
            _promote(registry, int(name), key)
        case "rollback":
            registry.rollback(MODEL, to=int(name), actor=ACTOR, reason="worse", idempotency_key=key)
        case "snapshot":
            _snapshot(registry.store, landed, name)
        case "score":
            _score(registry, name, key)


def _register(registry: Registry, number: int, like: Any, key: str) -> None:
    """A version with the prepared model and a file of its own."""
    notes = documents.put_bytes(registry.store, f"notes on version {number}".encode())
    files = {**like["files"], "notes.txt": {"sha256": notes.sha256, "size": notes.size}}
    verdict = {"outcome": "pass", "reasons": ["It is better."], "numbers": {}}
    made = {
        "fingerprint": wire.digest(["training", number]),
        "files": files,
        "candidate": like["candidate"],
        "evaluation": {"verdict": verdict, "baseline_version": None},
    }
    registry.register(MODEL, made, actor=ACTOR, reason="trained", idempotency_key=key)


def _promote(registry: Registry, version: int, key: str) -> None:
    registry.promote(MODEL, version, actor=ACTOR, reason="better", idempotency_key=key)


def _snapshot(store: ObjectStore, landed: Path, partition: str) -> None:
    files = [file for file in list_landed(str(landed)) if partition in file.uri]
    snapshot(
        store,
        source=str(landed / f"{partition}.parquet"),
        dataset=DATASET,
        partition=partition,
        time_column="departure",
        landed=[{"uri": file.uri, "size": file.size, "version": file.version} for file in files],
    )


def _score(registry: Registry, partition: str, key: str) -> None:
    store = registry.store
    number = pinned(store, MODEL, key, lambda: registry.resolve(MODEL).number)
    rows = partitions.newest(store, DATASET, "raw", partition)
    assert rows is not None
    score(
        store,
        model_name=MODEL,
        version=registry.version(MODEL, number).manifest,
        version_number=number,
        dataset_digest=rows,
        id_columns=["id"],
        max_threads=1,
    )


def _whole(store: ObjectStore) -> None:
    for key in store.keys(""):
        data = store.read(key)
        if key.startswith("blobs/"):
            assert wire.sha256(data) == key.rsplit("/", 1)[-1], f"{key} is torn"
        else:
            wire.parse(data, key)
    problems = verify(store, MODEL).problems
    assert not problems, problems


def _named(store: ObjectStore, dataset: str, stage: str) -> list[str]:
    return [name for name, _ in partitions.partitions(store, dataset, stage)]


def _pointer(store: ObjectStore, dataset: str, stage: str, partition: str) -> int:
    """The number of pointers of a partition, every one of its rows being there once."""
    digest = partitions.newest(store, dataset, stage, partition)
    assert digest is not None
    ids = read_table(store, documents.get_document(store, digest, "dataset"), ["id"])["id"].to_pylist()
    assert sorted(ids) == sorted(f"{partition}-{number}" for number in range(ROWS)), f"{dataset} {partition}: {ids}"
    return len(list(store.keys(layout.partition(dataset, stage, partition))))


def _taken(store: ObjectStore) -> list[str]:
    """The partitions of the files that are taken, each with the very snapshot that its partition means."""
    found = []
    for key in store.keys(layout.landings(DATASET, "taken")):
        mark = wire.parse(store.read(key), key)
        assert mark["snapshot"] == partitions.newest(store, DATASET, "raw", mark["partition"])
        found.append(mark["partition"])
    return found


def _scored_by(store: ObjectStore, partition: str) -> int:
    digest = partitions.newest(store, MODEL, STAGE, partition)
    assert digest is not None
    versions = read_table(store, documents.get_document(store, digest, "dataset"), ["version"])["version"].to_pylist()
    assert len(set(versions)) == 1
    return int(versions[0])
