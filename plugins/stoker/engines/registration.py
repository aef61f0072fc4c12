"""A candidate and its evaluation become the manifest of a version."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from typing import Any

from stoker.core.records import Actor, Reference
from stoker.core.verdicts import Outcome, Verdict
from stoker.engines.candidates import verify_files
from stoker.engines.smoke import smoke_test
from stoker.errors import ModelError, UsageError
from stoker.registry.registry import Registry
from stoker.registry.versions import Version
from stoker.store import layout
from stoker.store.base import ObjectStore
from stoker.store.documents import get_document

log = logging.getLogger(__name__)


def register(
    store: ObjectStore,
    registry: Registry,
    *,
    name: str,
    model: Reference,
    evaluation: Reference | None,
    actor: Actor,
    reason: str,
    aliases: Sequence[str] = (),
    idempotency_key: str | None = None,
    trusted: Iterable[str] = (),
) -> Reference:
    """Register a candidate as the next version of a model.

    :param store: where candidate and evaluation lie.
    :param registry: the registry in the same store.
    :param name: the registered model.
    :param model: a reference of kind ``candidate``.
    :param evaluation: a reference of kind ``evaluation`` of that very candidate, or ``None``.
    :param aliases: aliases to point at the new version.
    :param trusted: types beyond Stoker's own list that the model file may hold.
    :return: a reference of kind ``version``; its summary holds ``name``, ``version`` and the evaluation's verdict.
    :raises UsageError: when the evaluation is of another candidate.
    :raises CorruptArtifact: when a file was damaged since training; nothing is registered then.
    :raises ModelError: when the model does not load and predict in a clean process; nothing is registered then.
    """
    candidate = get_document(store, model.digest, "candidate")
    verify_files(store, candidate)
    judged = _evaluation_of(store, model, evaluation)
    if not judged or not judged.get("smoke_passed"):
        _require_smoke(store, candidate, trusted)
    manifest = {
        "fingerprint": candidate["fingerprint"],
        "files": candidate["files"],
        "candidate": {**candidate, "digest": model.digest},
        "evaluation": judged,
    }
    version = registry.register(
        name, manifest, aliases=aliases, actor=actor, reason=reason, idempotency_key=idempotency_key
    )
    log.info("%s is version %d of %s.", model.digest[:12], version.number, name)
    return Reference(
        kind="version",
        uri=f"{store.uri}/{layout.version_manifest(name, version.number)}",
        digest=version.digest,
        verdict=judged["verdict"]["outcome"] if judged else Outcome.NOT_CONFIGURED.value,
        summary={
            "name": name,
            "version": version.number,
            "fingerprint": candidate["fingerprint"],
            "reasons": [f"Version {version.number} of {name}."],
        },
    )


def verify_loads(store: ObjectStore, version: Version, *, trusted: Iterable[str] = ()) -> None:
    """Load a version in a clean process and let it predict.

    :raises ModelError: when it does not.
    """
    _require_smoke(store, version.manifest["candidate"], trusted)


def _evaluation_of(store: ObjectStore, model: Reference, evaluation: Reference | None) -> dict[str, Any] | None:
    if evaluation is None:
        return None
    document = get_document(store, evaluation.digest, "evaluation")
    if document["candidate"] != model.digest:
        raise UsageError(
            f"The evaluation must be of the model that is registered, {model.digest[:12]}; it is of "
            f"{document['candidate'][:12]}. Pass the output of the task that evaluated this model."
        )
    return {**document, "digest": evaluation.digest}


def _require_smoke(store: ObjectStore, candidate: dict[str, Any], trusted: Iterable[str]) -> None:
    verdict: Verdict = smoke_test(store, candidate, trusted=trusted)
    if not verdict.passed:
        raise ModelError(f"A model must load and predict in a clean process; {' '.join(verdict.reasons)}")
