"""What the store still needs: where it begins, by the policy, and everything that follows from there.

A document names others by their digests, so every text of 64 hexadecimal digits in it is taken for a name: a kind of document that
is added later needs no word here, and what merely looks like a digest keeps nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby
from typing import Any

from stoker.core import wire
from stoker.core.clock import from_text
from stoker.core.record_shapes import parse_pointer
from stoker.core.retention import RetentionPolicy, VersionFacts, why_kept
from stoker.core.shapes import COUNT, MOMENT, OBJECT, Maybe, Shape, conform
from stoker.errors import CorruptArtifact, NotFound, TamperedRecord
from stoker.registry.archives import used_versions
from stoker.registry.changes import Register
from stoker.registry.registry import Registry
from stoker.registry.state import CHAMPION, ModelState
from stoker.store import layout, rounds
from stoker.store.base import ObjectStore

WORKERS = 16
"""Requests at once: a store far away answers each in many milliseconds."""

Tell = Callable[[str], None]


@dataclass(frozen=True)
class ModelPlan:
    """What the policy says of a model's versions.

    :param model: the model's name.
    :param versions: how many there are.
    :param archived: how many are archived already.
    :param archive: those to archive now.
    :param kept: why the others stay, and how many for that reason.
    """

    model: str
    versions: int
    archived: int
    archive: tuple[int, ...]
    kept: dict[str, int]


@dataclass
class Roots:
    """Where what is needed begins.

    :param digests: whatever these name is needed too.
    :param records: needed themselves; what they name is not needed because of them: the manifests of archived versions.
    :param expired: pointers that the policy no longer keeps.
    :param manifests: those of versions that stay. Without one nobody knows which files are its version's, so none may be missing.
    :param used: model to the versions that kept predictions and pins name.
    """

    digests: set[str] = field(default_factory=set)
    records: set[str] = field(default_factory=set)
    expired: list[str] = field(default_factory=list)
    manifests: set[str] = field(default_factory=set)
    used: dict[str, set[int]] = field(default_factory=dict)


def survey(registry: Registry, policy: RetentionPolicy, now: datetime, tell: Tell) -> tuple[Roots, list[ModelPlan]]:
    """Read every pointer, and decide on every version. Writes nothing.

    :param tell: takes a line about the progress.
    """
    store, roots = registry.store, Roots()
    _datasets(store, policy, now, roots)
    tell(f"datasets: {len(roots.digests)} snapshots kept, {len(roots.expired)} pointers expired")
    _trainings(store, policy, now, roots)
    for name in registry.names():
        _pins(store, name, policy, now, roots)
        _journals(store, name, policy, now, roots)
    plans = [_versions(registry, name, policy, now, roots) for name in registry.models()]
    tell(f"{len(plans)} models, {sum(plan.versions for plan in plans)} versions, {len(roots.digests)} roots")
    return roots, plans


def reached_from(store: ObjectStore, roots: Roots, tell: Tell) -> set[str]:
    """Every digest that is needed.

    :raises CorruptArtifact: when a document is damaged, or the manifest of a version that stays is missing.
    :raises UnknownFormat: when a newer Stoker wrote a document.
    """
    # A version that was to be archived, and then was not, is in both.
    known = reach(store, roots.digests | roots.manifests, roots.records - roots.manifests, tell)
    for manifest in roots.manifests:
        if not store.exists(layout.blob(manifest)):
            raise CorruptArtifact(
                f"The manifest {manifest} of a version that stays must be in the store; it is missing, so nobody knows which "
                "files are needed. Restore it from a backup; nothing was removed.",
                digest=manifest,
            )
    return known


def reach(store: ObjectStore, roots: Iterable[str], known: set[str], tell: Tell) -> set[str]:
    """Add everything that follows from the roots to ``known``, and return it.

    :param known: what was reached before; nothing of it is read again.
    """
    wave = set(roots) - known
    with ThreadPoolExecutor(WORKERS) as pool:
        while wave:
            known |= wave
            found: set[str] = set()
            for files, named in pool.map(lambda digest: _children(store, digest), wave):
                known |= files
                found |= named
            wave = found - known
            tell(f"{len(known)} digests reached")
    return known


def archivable(policy: RetentionPolicy, facts: dict[int, VersionFacts], state: ModelState, now: datetime) -> list[int]:
    """The versions that may be archived at a state, which may be later than the facts."""
    used = used_versions(state, now)
    return [
        number
        for number, one in facts.items()
        if number not in used | state.archived and why_kept(policy, one, now) is None
    ]


def facts_of(
    registry: Registry, name: str, policy: RetentionPolicy, used: set[int], now: datetime
) -> tuple[ModelState, dict[int, VersionFacts], dict[int, str]]:
    """What the decision on each version of a model depends on, and each one's manifest. Reads the model's whole log."""
    state = registry.state(name)
    former = _former_champions(registry, name, policy.former_champions, state)
    held = used_versions(state, now)
    facts, manifests = {}, {}
    for entry in registry.history(name):
        if not isinstance(entry.change, Register):
            continue
        number = entry.change.version
        manifests[number] = entry.change.manifest
        facts[number] = VersionFacts(
            rank=state.versions - number + 1,
            registered=entry.time,
            aliased=any(to.version == number for to in state.aliases.values()),
            reviewed=number in held,
            former=number in former,
            blocked=number in state.blocked,
            used=number in used,
        )
    return state, facts, manifests


def _versions(registry: Registry, name: str, policy: RetentionPolicy, now: datetime, roots: Roots) -> ModelPlan:
    state, facts, manifests = facts_of(registry, name, policy, roots.used.get(name, set()), now)
    archive = archivable(policy, facts, state, now)
    given_up = state.archived.union(archive)
    for number, manifest in manifests.items():
        (roots.records if number in given_up else roots.manifests).add(manifest)
    kept = Counter(
        reason for number, one in facts.items() if number not in given_up and (reason := why_kept(policy, one, now))
    )
    return ModelPlan(name, len(facts), len(state.archived), tuple(archive), dict(kept))


def _former_champions(registry: Registry, name: str, count: int, state: ModelState) -> set[int]:
    former: list[int] = []
    for _, move in registry.moves(name, CHAMPION):
        if len(former) >= count:
            break
        if move.version not in {*former, state.pointed(CHAMPION)} and move.version not in state.blocked:
            former.append(move.version)
    return set(former)


def _datasets(store: ObjectStore, policy: RetentionPolicy, now: datetime, roots: Roots) -> None:
    """The newest pointer of each partition counts always, an older one until it is superseded for long enough."""
    for _, group in groupby(store.keys(layout.DATASETS), key=lambda key: key.rpartition("/")[0]):
        keys = list(group)
        superseded_at: datetime | None = None
        for key in reversed(keys):
            if superseded_at is not None and now - superseded_at >= policy.superseded_age:
                roots.expired.append(key)  # and so are all before it, which were superseded earlier
                continue
            pointer = parse_pointer(store.read(key), key, "partition")
            roots.digests.update(rounds.references(pointer))
            if pointer["stage"] == "predictions":
                _scored_by(store, pointer, roots)
            superseded_at = from_text(pointer["time"])


def _scored_by(store: ObjectStore, pointer: dict[str, Any], roots: Roots) -> None:
    """Note the versions whose predictions a pointer keeps."""
    document = _document(store, pointer["snapshot"])
    conform(document, {"source": Maybe([OBJECT])}, f"The document {pointer['snapshot']}")
    for record in document.get("source") or ():
        numbers = {record.get("version"), record.get("shadow_version")}
        roots.used.setdefault(str(record.get("model")), set()).update(one for one in numbers if type(one) is int)


def _trainings(store: ObjectStore, policy: RetentionPolicy, now: datetime, roots: Roots) -> None:
    """The newest candidate of each fingerprint, while it is young enough to be found again instead of trained again."""
    for _, group in groupby(store.keys(layout.TRAINING), key=lambda key: key.rpartition("/")[0]):
        *older, newest = group
        roots.expired += older
        if now - store.stat(newest).modified >= policy.candidate_age:
            roots.expired.append(newest)
        else:
            roots.digests.update(rounds.references(parse_pointer(store.read(newest), newest, "training")))


def _pins(store: ObjectStore, name: str, policy: RetentionPolicy, now: datetime, roots: Roots) -> None:
    for key in store.keys(layout.pins(name)):
        if now - store.stat(key).modified >= policy.pin_age:
            roots.expired.append(key)
            continue
        plan = parse_pointer(store.read(key), key, "pin")["plan"]
        roots.digests.update(rounds.references(plan))
        # A plan has no fixed form: whatever could be the number of a version is taken for one.
        roots.used.setdefault(name, set()).update(one for one in wire.walk(plan) if type(one) is int)


def _journals(store: ObjectStore, name: str, policy: RetentionPolicy, now: datetime, roots: Roots) -> None:
    """What young records name, and what the state of each journal does: its newest checkpoint and the records after it."""
    for kind in store.folders(layout.journals(name)):
        prefix = layout.journal(name, kind)
        checkpoint = next(store.keys(f"{prefix}checkpoints/"), None)
        state = _record(store, checkpoint, {"seq": COUNT}) if checkpoint else {"seq": 0}
        roots.digests.update(rounds.references(state))
        for key in reversed(list(store.keys(f"{prefix}entries/"))):
            record = _record(store, key, {"seq": COUNT, "time": MOMENT})
            if record["seq"] <= state["seq"] and now - from_text(record["time"]) >= policy.report_age:
                break
            roots.digests.update(rounds.references(record))


def _record(store: ObjectStore, key: str, shape: Shape) -> dict[str, Any]:
    record = wire.parse(store.read(key), key)
    conform(record, shape, key)
    return record


def _children(store: ObjectStore, digest: str) -> tuple[set[str], set[str]]:
    """What a document names: files, which name nothing in turn, and whatever else could be a digest."""
    document = _document(store, digest)
    files = {
        one["sha256"] for one in wire.walk(document) if isinstance(one, dict) and isinstance(one.get("sha256"), str)
    }
    return files, set(rounds.references(document)) - files


def _document(store: ObjectStore, digest: str) -> dict[str, Any]:
    """The document with this digest; an empty one when it is none, or is not there.

    Whatever cannot be judged ends the sweep: what it names might be needed.
    """
    key = layout.blob(digest)
    try:
        if store.stat(key).size > wire.MAX_RECORD_BYTES:
            return {}  # larger than any document
        data = store.read(key)
    except NotFound:
        return {}
    if wire.sha256(data) != digest:
        raise CorruptArtifact(
            f"{key} must have the digest in its name to tell what it needs; it was changed. Restore it from a backup; nothing was removed.",
            digest=digest,
        )
    try:
        return wire.parse(data, key)
    except TamperedRecord:
        return {}  # sound bytes that are no document
