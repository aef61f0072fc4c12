"""What the pages show, as plain data."""

from __future__ import annotations

import re
from typing import Any

from stoker.errors import IntegrityError, NotFound
from stoker.registry.registry import Registry
from stoker.registry.versions import Version
from stoker.store.documents import get_bytes, get_document

_DIGEST = re.compile(r"[0-9a-f]{64}")


def list_models(registry: Registry) -> list[dict[str, Any]]:
    """One row a model: its champion and how many versions there are."""
    return [_model_row(registry, name) for name in registry.models()]


def describe_model(registry: Registry, name: str, *, limit: int) -> dict[str, Any]:
    """A model with its aliases and newest versions.

    :param limit: how many versions at most.
    :raises NotFound: when there is no such model.
    """
    state = registry.state(name)
    if state.versions == 0:
        raise NotFound(f"There must be a model {name!r}; there is none. Register a version first.")
    aliases = registry.aliases(name)
    versions = [
        {**_version_row(version), "aliases": sorted(a for a, n in aliases.items() if n == version.number)}
        for version in registry.versions(name, limit=limit)
    ]
    return {"name": name, "aliases": aliases, "versions": versions, "total": state.versions}


def read_document(registry: Registry, digest: str) -> dict[str, Any]:
    """A document of any kind.

    :raises NotFound: when there is none with this digest, or it is no digest: it comes from an address that anybody
        may type.
    """
    if not _DIGEST.fullmatch(digest):
        raise NotFound(f"A document is named by 64 hexadecimal digits; got {ascii(digest)[:80]}. Follow a link to it.")
    return get_document(registry.store, digest)


def read_report(registry: Registry, digest: str) -> bytes:
    """The HTML report that a document names.

    :param digest: of the document, not of the report: only what a step stored as a report is ever served as a page.
    :raises NotFound: when there is no such document, or it has no report.
    """
    report = read_document(registry, digest).get("report")
    if not report:
        raise NotFound("A document with a report is needed here; this one has none. Ask for it with report='always'.")
    return get_bytes(registry.store, report["sha256"], "The report")


def _model_row(registry: Registry, name: str) -> dict[str, Any]:
    """A model in the list. A damaged one says so, and hides no other."""
    row: dict[str, Any] = {"name": name, "versions": None, "champion": None, "problem": None}
    try:
        row["versions"] = registry.state(name).versions
        row["champion"] = _version_row(registry.resolve(name))
    except NotFound:
        pass
    except IntegrityError as error:
        row["problem"] = error.message
    return row


def _version_row(version: Version) -> dict[str, Any]:
    evaluation = version.manifest.get("evaluation") or {}
    verdict = evaluation.get("verdict") or {"outcome": "not_configured", "reasons": ["It was not evaluated."]}
    return {
        "number": version.number,
        "registered": version.time.strftime("%Y-%m-%d %H:%M UTC"),
        "blocked": version.blocked,
        "metrics": _deciding_first(evaluation),
        "outcome": verdict["outcome"],
        "reason": verdict["reasons"][0],
        "evaluation": evaluation.get("digest"),
    }


def _deciding_first(evaluation: dict[str, Any]) -> dict[str, Any]:
    """The metrics, the one that decided the comparison before the others."""
    metrics: dict[str, Any] = dict(evaluation.get("metrics") or {})
    deciding = (evaluation.get("policy") or {}).get("metric", "")
    return {deciding: metrics.pop(deciding), **metrics} if deciding in metrics else metrics
