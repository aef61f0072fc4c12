"""A registered version: its manifest, checked on the way in and proved on the way out."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from stoker.core import wire
from stoker.core.records import Actor, StoredFile
from stoker.core.shapes import DIGEST
from stoker.core.verdicts import Verdict
from stoker.errors import GateFailed, TamperedRecord, UsageError
from stoker.registry.changes import Register
from stoker.registry.derived import MANIFEST_KIND
from stoker.registry.entries import Entry
from stoker.registry.state import ModelState, files_given_up

# Files are fetched under these names, so a name must not lead anywhere.
_FILE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,99}")


@dataclass(frozen=True)
class Version:
    """One version of a model. Everything but ``aliases``, ``blocked`` and ``archived`` never changes.

    :param model: the model's name.
    :param number: from 1, in the order of registration.
    :param manifest: what was registered, as JSON.
    :param digest: SHA-256 of the manifest document; it stands for the version and all its files.
    :param fingerprint: the training fingerprint.
    :param seq: the log entry that registered it.
    :param time: when that was.
    :param actor: who registered it.
    :param reason: why.
    :param aliases: the aliases that pointed at it when it was read.
    :param blocked: whether it was blocked when it was read.
    :param archived: whether its files had been given up when it was read.
    """

    model: str
    number: int
    manifest: Mapping[str, Any]
    digest: str
    fingerprint: str
    seq: int
    time: datetime
    actor: Actor
    reason: str
    aliases: tuple[str, ...] = ()
    blocked: bool = False
    archived: bool = False

    @property
    def files(self) -> dict[str, StoredFile]:
        """The version's files by name."""
        return {name: StoredFile(**file) for name, file in self.manifest["files"].items()}

    @property
    def verdict(self) -> Verdict | None:
        """The verdict of its evaluation, ``None`` when it was registered without one."""
        evaluation = self.manifest.get("evaluation")
        return Verdict.from_record(evaluation["verdict"]) if evaluation else None

    def require_files(self) -> None:
        """Refuse a version whose files retention gave up.

        :raises VersionArchived: when it did.
        """
        if self.archived:
            raise files_given_up(self.model, self.number)

    def require_pass(self) -> None:
        """Refuse a version that has not passed its gates.

        :raises GateFailed: with the reasons.
        """
        verdict = self.verdict
        if verdict is None:
            raise GateFailed(
                f"Version {self.number} of model {self.model!r} must have passed an evaluation; it has none. Evaluate it, or promote it "
                "with require_verdict=False.",
                model=self.model,
                version=self.number,
                reasons=[],
            )
        if not verdict.passed:
            raise GateFailed(
                f"Version {self.number} of model {self.model!r} must have the verdict 'pass'; it has {verdict.outcome.value!r}: "
                f"{' '.join(verdict.reasons)}",
                model=self.model,
                version=self.number,
                outcome=verdict.outcome.value,
                reasons=list(verdict.reasons),
            )


def version_of(entry: Entry, document: Mapping[str, Any], state: ModelState) -> Version:
    """The version that an entry registered.

    :param document: its manifest document, with the digest that the entry names.
    :param state: tells its aliases and whether it is blocked.
    :raises TamperedRecord: when entry and document do not belong together.
    """
    change = entry.change
    if not isinstance(change, Register):
        raise TamperedRecord(f"{entry.key} must register a version; it made another change.", record=entry.key)
    try:
        _check_manifest(document.get("manifest"))
    except UsageError as error:
        raise TamperedRecord(
            f"{entry.key} must register a manifest as Stoker takes it. {error}", record=entry.key
        ) from error
    if document.get("model") != entry.model or document["manifest"]["fingerprint"] != change.fingerprint:
        raise TamperedRecord(f"{entry.key} registers the manifest of another model or training.", record=entry.key)
    return Version(
        model=entry.model,
        number=change.version,
        manifest=document["manifest"],
        digest=change.manifest,
        fingerprint=change.fingerprint,
        seq=entry.seq,
        time=entry.time,
        actor=entry.actor,
        reason=entry.reason,
        aliases=tuple(sorted(alias for alias, to in state.aliases.items() if to.version == change.version)),
        blocked=change.version in state.blocked,
        archived=change.version in state.archived,
    )


def manifest_document(model: str, manifest: Mapping[str, Any]) -> dict[str, Any]:
    """The document to store for a manifest, proved to be readable again.

    :raises UsageError: when the manifest is not JSON, too large, too deep, or lacks what every version needs.
    """
    document = {"format": wire.FORMAT, "kind": MANIFEST_KIND, "model": model, "manifest": manifest}
    try:
        # One level deeper than it is stored: the derived index carries a copy.
        read: dict[str, Any] = wire.parse(wire.canonical({"format": wire.FORMAT, "copy": document}), "The manifest")[
            "copy"
        ]
    except (ValueError, TypeError, RecursionError, TamperedRecord) as error:
        raise UsageError(f"A manifest must be a JSON object of moderate size and depth; {error}.") from error
    _check_manifest(read["manifest"])
    return read


def _check_manifest(manifest: Any) -> None:
    if not isinstance(manifest, dict):
        raise UsageError(f"A manifest must be a JSON object; got a {type(manifest).__name__}.")
    if not DIGEST.holds(manifest.get("fingerprint")):
        raise UsageError("A manifest must carry the training 'fingerprint' as 64 hexadecimal digits.")
    files = manifest.get("files")
    if not isinstance(files, dict) or not all(
        _FILE_NAME.fullmatch(name) and _is_file(file) for name, file in files.items()
    ):
        raise UsageError(
            "A manifest must carry 'files': plain file name to {'sha256': 64 hexadecimal digits, 'size': bytes}; got "
            f"{ascii(files)[:200]}."
        )
    evaluation = manifest.get("evaluation")
    if evaluation is not None:
        _check_evaluation(evaluation)


def _check_evaluation(evaluation: Any) -> None:
    try:
        verdict = Verdict.from_record(evaluation["verdict"])
        baseline = evaluation.get("baseline_version")
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise UsageError(
            f"A manifest's 'evaluation' must carry a 'verdict' record as Verdict.to_record() gives it; {error!r}."
        ) from error
    if verdict.to_record() != evaluation["verdict"] or not (baseline is None or type(baseline) is int):
        raise UsageError(
            "A manifest's 'evaluation' must carry a 'verdict' record, and a version number or null as 'baseline_version'."
        )


def _is_file(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and value.keys() == {"sha256", "size"}
        and DIGEST.holds(value["sha256"])
        and type(value["size"]) is int
        and value["size"] >= 0
    )
