"""Reading a model's whole log again, to prove that nothing in it was changed, removed, added or put elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

from stoker.core import wire
from stoker.core.names import check_name
from stoker.core.records import StoredFile
from stoker.errors import (
    ConfigurationError,
    ConflictError,
    IntegrityError,
    NotFound,
    TamperedRecord,
    UsageError,
    VerdictError,
)
from stoker.registry import derived
from stoker.registry.archives import Archive
from stoker.registry.changes import Register
from stoker.registry.entries import Entry, entry_key, follow, read_entry
from stoker.registry.reviews import AskApproval
from stoker.registry.state import ModelState
from stoker.registry.versions import Version, version_of
from stoker.store import documents, layout
from stoker.store.base import ObjectStore
from stoker.store.files import scratch

T = TypeVar("T")

# Everything but a store that fails: an audit that could not read has found nothing, neither good nor bad.
_FINDINGS = (IntegrityError, NotFound, ConflictError, UsageError, VerdictError)


@dataclass(frozen=True)
class Problem:
    """Something that is not as Stoker wrote it.

    :param key: the object that is wrong, or that is missing.
    :param what: what is wrong with it.
    """

    key: str
    what: str


@dataclass(frozen=True)
class AuditReport:
    """What an audit found.

    :param entries: how many entries the log has.
    :param head: SHA-256 of the last one; empty when there is none. Keep it elsewhere, and give it to the next audit.
    :param problems: what is wrong, in the order of the log; empty when all is well.
    """

    entries: int
    head: str
    problems: tuple[Problem, ...]

    @property
    def clean(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems


def verify(store: ObjectStore, name: str, *, expected_head: str | None = None) -> AuditReport:
    """Read everything of a model again and compare it with everything else.

    Checks the links between entries, the requirement of every change at the state it was made on, checkpoints and index objects,
    and the digests of all manifests and files. It goes on after a problem; changes after a damaged entry are judged again from the
    next sound checkpoint.
    It writes nothing, and reads every file once, so it takes as long as downloading the model's versions.

    What no reader can see without help: that the whole log was rewritten, or its newest entries changed or removed together with
    everything derived from them. For that note :attr:`AuditReport.head` somewhere else, and pass it.

    :param expected_head: the digest of an entry that the log must hold: the head of an earlier report.
    :raises NotFound: when the store has nothing of such a model.
    :raises TransportError: when the store failed.
    """
    audit = _Audit(store, check_name(name, "model"))
    audit.look_around()
    audit.walk()
    audit.look_at_the_rest(expected_head)
    return AuditReport(len(audit.log), audit.head, tuple(audit.problems))


@dataclass
class _Audit:
    store: ObjectStore
    model: str
    problems: list[Problem] = field(default_factory=list)
    log: list[int] = field(default_factory=list)
    checkpoints: set[int] = field(default_factory=set)
    index: set[str] = field(default_factory=set)
    digests: set[str] = field(default_factory=set)
    files: set[str] = field(default_factory=set)
    manifests: dict[int, str] = field(default_factory=dict)
    versions: list[Version] = field(default_factory=list)
    archived: set[int] = field(default_factory=set)
    newest_checkpoint: int = 0
    head: str = ""

    def look_around(self) -> None:
        """Sort all keys of the model by what they should be."""
        keys = list(self.store.keys(layout.model(self.model)))
        if not keys:
            raise NotFound(f"Model {self.model!r} must exist in {self.store.uri}; it does not.", model=self.model)
        index = (f"{layout.model(self.model)}versions/", f"{layout.model(self.model)}keys/")
        # The journals and pins of the model's loop lie beside its log, and are no part of it.
        beside = (f"{layout.model(self.model)}loop/", f"{layout.model(self.model)}pins/")
        for key in keys:
            if (seq := _matches(key, entry_key, layout.number_of, self.model)) is not None:
                self.log.append(seq)
            elif (seq := _matches(key, layout.checkpoint, layout.checkpoint_seq, self.model)) is not None:
                self.checkpoints.add(seq)
            elif key.startswith(index):
                self.index.add(key)
            elif not key.startswith(beside):
                self.report(key, "is no record of Stoker's.")
        self.newest_checkpoint = max(self.checkpoints, default=0)

    def walk(self) -> None:
        """Go through the log once, from the first entry to the last."""
        state: ModelState | None = ModelState(self.model)
        before, digest = 0, ""
        for seq in self.log:
            if seq != before + 1:
                self.report(
                    entry_key(self.model, before + 1),
                    f"is missing; {_span(before + 1, seq - 1)} removed, for entry {seq} exists.",
                )
                state, digest = None, ""
            data = self.store.read(entry_key(self.model, seq))
            entry = self.attempt(entry_key(self.model, seq), partial(read_entry, data, self.model, seq))
            if entry and seq == before + 1 and entry.prev != digest:
                self._broken_link(entry, before)
                state = None
            state = self._fold(state, entry)
            state = self._checkpoint(seq, state)
            if entry:
                self._derived(entry)
            before, digest = seq, wire.sha256(data)
            self.digests.add(digest)
        self.head = digest

    def look_at_the_rest(self, expected_head: str | None) -> None:
        """Judge the files of all versions, and what no entry of the log has asked for."""
        for version in self.versions:
            if version.number not in self.archived:  # known at the end of the log only
                self._files(version)
        for seq in sorted(self.checkpoints):
            self._checkpoint(seq, None)
        for key in sorted(self.index):
            self.attempt(key, partial(self._left_over, key))
        if expected_head is not None and expected_head not in self.digests:
            last = self.log[-1] if self.log else 1
            self.report(
                entry_key(self.model, last),
                f"ends the log, which must hold the entry with digest {expected_head!a}; it holds none. It was cut or rewritten.",
            )

    def report(self, key: str, what: str) -> None:
        """Take down a problem, once."""
        problem = Problem(key, what)
        if problem not in self.problems:
            self.problems.append(problem)

    def attempt(self, key: str, read: Callable[[], T]) -> T | None:
        """What ``read`` returns; what it raises is taken down, under the record that the error names or else under ``key``."""
        try:
            return read()
        except ConfigurationError:  # a store that refuses this machine, as for its clock, or that is not there
            raise
        except _FINDINGS as error:
            self.report(error.details.get("record", key), error.message)
            return None

    def _broken_link(self, entry: Entry, before: int) -> None:
        if before == 0:
            self.report(entry.key, "must follow nothing, being the first; it names an entry before it.")
        else:
            self.report(
                entry_key(self.model, before),
                f"has other bytes than those that entry {entry.seq} was written after. One of the two was changed.",
            )

    def _fold(self, state: ModelState | None, entry: Entry | None) -> ModelState | None:
        if state is None or entry is None:
            return None
        return self.attempt(entry.key, lambda: _step(state, entry))

    def _checkpoint(self, seq: int, state: ModelState | None) -> ModelState | None:
        """Judge the checkpoint of an entry, and go on from it where the state was lost."""
        if seq not in self.checkpoints:
            return state
        self.checkpoints.discard(seq)
        key = layout.checkpoint(self.model, seq)
        return self.attempt(key, lambda: derived.read_checkpoint(self.store, self.model, seq)) or state

    def _derived(self, entry: Entry) -> None:
        if isinstance(entry.change, Register):
            self.manifests[entry.change.version] = entry.change.manifest
            self._version(entry, entry.change)
        if isinstance(entry.change, AskApproval):
            self._evidence(entry, entry.change)
        if isinstance(entry.change, Archive):
            self.archived.update(entry.change.versions)
        for key, document in derived.index_objects(self.store, entry):
            if key in self.index:
                self.index.discard(key)
                if self.store.read(key) != wire.canonical(document):
                    self.report(key, f"must hold the index of entry {entry.seq}; it holds something else.")
            elif entry.seq <= self.newest_checkpoint:
                self.report(key, f"is missing; it must hold the index of entry {entry.seq}.")

    def _evidence(self, entry: Entry, change: AskApproval) -> None:
        # The entry that registered the version may be the damaged one.
        manifest = self.manifests.get(change.version, change.evidence)
        if change.evidence != manifest:
            self.report(
                entry.key,
                f"must ask about version {change.version} as registered, {manifest}; it has {change.evidence}.",
            )

    def _version(self, entry: Entry, change: Register) -> None:
        nobody = ModelState(self.model)
        key = layout.blob(change.manifest)
        version = self.attempt(key, lambda: version_of(entry, derived.manifest_of(self.store, change), nobody))
        if version:
            self.versions.append(version)

    def _files(self, version: Version) -> None:
        for name, file in version.files.items():
            if file.sha256 not in self.files:
                self.files.add(file.sha256)
                self.attempt(
                    layout.blob(file.sha256), partial(self._file, f"File {name!r} of version {version.number}", file)
                )

    def _file(self, what: str, file: StoredFile) -> None:
        with scratch() as folder:
            path = folder / "file"
            documents.get_file(self.store, file.sha256, path, what)
            size = path.stat().st_size
        if size != file.size:
            self.report(layout.blob(file.sha256), f"{what} must have {file.size} bytes; it has {size}.")

    def _left_over(self, key: str) -> None:
        record: dict[str, Any] = wire.parse(self.store.read(key), key)
        seq, digest = record.get("seq"), record.get("entry")
        if type(seq) is int and isinstance(digest, str):
            derived.checked_entry(self.store, self.model, seq, digest, key)
        self.report(key, "belongs to no entry of the log.")


def _step(state: ModelState, entry: Entry) -> ModelState:
    entry.change.check(state)
    return follow(state, entry)


def _matches(key: str, build: Callable[[str, int], str], number: Callable[[str], int], model: str) -> int | None:
    """The number in a key, ``None`` unless the key is exactly the one that is built from it."""
    try:
        seq = number(key)
    except TamperedRecord:
        return None
    return seq if seq > 0 and build(model, seq) == key else None


def _span(first: int, last: int) -> str:
    return f"entry {first} was" if first == last else f"entries {first} to {last} were"
