"""From data to predictions: what a version was made of, and what was made with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from stoker.core.clock import to_minute
from stoker.core.names import check_name
from stoker.engines import candidates
from stoker.errors import IntegrityError, NotFound
from stoker.loop.cohorts import STAGE, scored_by
from stoker.registry.state import CHAMPION, ModelState
from stoker.registry.versions import Version
from stoker.store import partitions
from stoker.ui.views.champions import champion_history
from stoker.ui.views.loop import drift_brief
from stoker.ui.views.places import task_place
from stoker.ui.views.reading import Reading, mapping, text
from stoker.ui.views.records import LineageNode, LineageStage, LineageView
from stoker.ui.views.versions import evaluation_of

SHOWN_SNAPSHOTS = 3
SHOWN_PREDICTIONS = 12

# Who was in office longer ago than so many changes has no champion in its line; the same number as a page of them shows is read once.
_SEARCHED = 50

_SHOWN = ("kind", "dataset", "stage", "partition", "rows", "parent", "verdict")


def lineage_view(reading: Reading, name: str, at: int | None) -> LineageView:
    """The line of a version.

    :param at: its number; without it the champion, else the newest version.
    :raises NotFound: when there is no such model or version.
    """
    state = reading.registry.state(check_name(name, "model"))
    shown = (state.pointed(CHAMPION) or state.versions) if at is None else at
    version = reading.registry.version(name, shown)
    line = _Line(reading, state, version, mapping(version.manifest.get("candidate")))
    return LineageView(
        name,
        version.number,
        [line.data(), line.validation(), line.training(), line.version(), line.champion(), line.predictions()],
    )


@dataclass(frozen=True)
class _Line:
    reading: Reading
    state: ModelState
    made: Version
    candidate: Mapping[str, Any]

    def data(self) -> LineageStage:
        """The newest snapshots that it was trained on."""
        shown, omitted = self._snapshots()
        return LineageStage("data", "Data", [self._snapshot(digest) for digest in shown], omitted)

    def validation(self) -> LineageStage:
        """How those were validated."""
        shown, omitted = self._snapshots()
        found = [self._validated(digest) for digest in shown]
        return LineageStage("validation", "Validation", [node for node in found if node is not None], omitted)

    def training(self) -> LineageStage:
        """The run that fitted it."""
        digest = text(self.candidate.get("digest"))
        nodes = []
        if digest is not None:
            estimator = text(mapping(self.candidate.get("estimator")).get("class")) or "a model"
            rows = mapping(self.candidate.get("rows")).get("train")
            detail = f"{estimator.rsplit('.', 1)[-1]}, {rows} rows" if isinstance(rows, int) else estimator
            where = task_place(self._training_origin())
            nodes.append(LineageNode(f"Training {self.made.fingerprint[:8]}", detail, None, digest, None, where))
        return LineageStage("training", "Training", nodes, 0)

    def version(self) -> LineageStage:
        """The version itself, with the verdict on it."""
        evaluation, verdict = evaluation_of(self.made), self.made.verdict
        detail = verdict.reasons[0] if verdict else "It was not evaluated."
        outcome = verdict.outcome.value if verdict else "not_configured"
        where, number = task_place(self.made.actor.origin), self.made.number
        node = LineageNode(f"Version {number}", detail, outcome, text(evaluation.get("digest")), number, where)
        return LineageStage("version", "Version", [node], 0)

    def champion(self) -> LineageStage:
        """When it took office, if it ever did."""
        number, nodes = self.made.number, []
        events = champion_history(self.reading, self.state.model, limit=_SEARCHED).events
        took = next((one for one in events if one.version == number and one.kind in {"promoted", "rolled_back"}), None)
        if took is not None:
            since = "In office since" if took.until is None else "In office from"
            until = f" to {to_minute(took.until)}" if took.until else ""
            detail = f"{since} {to_minute(took.time)}{until}: {took.reason}"
            nodes.append(LineageNode(f"Champion v{number}", detail, None, None, number, took.where))
        return LineageStage("champion", "Champion", nodes, 0)

    def predictions(self) -> LineageStage:
        """The last partitions of the model's predictions, whichever version made them."""
        model, store = self.state.model, self.reading.store
        scored, omitted = partitions.last_pointers(store, model, STAGE, limit=SHOWN_PREDICTIONS)
        drift = {(one.window, one.version): one for one in self.reading.windows(model, "drift").windows()}
        nodes = []
        for pointer in reversed(scored):
            version = (self._document(pointer["snapshot"]) or {}).get("scored_by")
            judged = drift.get((pointer["partition"], version)) if version is not None else None
            verdict = drift_brief(judged).verdict if judged is not None else None
            by = f"scored by version {version}" if version is not None else "the document is gone"
            where = task_place(pointer.get("origin"))
            nodes.append(LineageNode(pointer["partition"], by, verdict, pointer["snapshot"], version, where))
        return LineageStage("predictions", "Predictions", nodes, omitted)

    def _snapshots(self) -> tuple[list[str], int]:
        known = self.candidate.get("datasets")
        digests = [one for one in known if isinstance(one, str)] if isinstance(known, list) else []
        return digests[-SHOWN_SNAPSHOTS:], max(len(digests) - SHOWN_SNAPSHOTS, 0)

    def _snapshot(self, digest: str) -> LineageNode:
        document = self._document(digest)
        if document is None:
            return LineageNode(f"Snapshot {digest[:8]}", "The document is gone.", None, digest, None, None)
        raw = text(document.get("parent")) if document.get("stage") != "raw" else None
        pointer = self._pointer(document, "raw", raw or digest)
        label = f"{document.get('dataset')} {document.get('partition') or ''}".strip()
        return LineageNode(label, f"{document.get('rows')} rows", None, digest, None, task_place(pointer.get("origin")))

    def _validated(self, digest: str) -> LineageNode | None:
        """``None`` for a snapshot that never was validated, or of which that is not known any more."""
        document = self._document(digest)
        pointer = self._pointer(document, "ok", digest) if document else {}
        validation = text(pointer.get("validation"))
        if validation is None:
            return None
        found = mapping((self._document(validation) or {}).get("verdict"))
        reasons = found.get("reasons")
        detail = reasons[0] if isinstance(reasons, list) and reasons else "The document is gone."
        label = f"Validation {pointer.get('partition')}"
        return LineageNode(
            label, str(detail), text(found.get("outcome")), validation, None, task_place(pointer.get("origin"))
        )

    def _training_origin(self) -> str | None:
        digest = text(self.candidate.get("digest"))
        return candidates.origin_of(self.reading.store, self.made.fingerprint, digest) if digest else None

    def _document(self, digest: str) -> dict[str, Any] | None:
        """The facts of a document that nodes show; ``None`` when it is gone, for retention may have taken it."""
        try:
            found: dict[str, Any] = self.reading.fact("lineage", digest, make=lambda: self._facts(digest))
        except (NotFound, IntegrityError):
            return None
        return found

    def _facts(self, digest: str) -> dict[str, Any]:
        document = self.reading.document(digest)
        made = {"scored_by": scored_by(document)} if document.get("stage") == STAGE else {}
        return {**made, **{name: document[name] for name in _SHOWN if name in document}}

    def _pointer(self, document: Mapping[str, Any], stage: str, snapshot: str) -> Mapping[str, Any]:
        """The pointer by which the document's partition means this snapshot in a stage; empty when there is none."""
        dataset, partition = text(document.get("dataset")), text(document.get("partition"))
        if dataset is None:
            return {}
        return partitions.pointer_to(self.reading.store, dataset, stage, partition, snapshot) or {}
