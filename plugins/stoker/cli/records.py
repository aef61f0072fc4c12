"""Results as JSON: what ``--json`` prints, and what the tables are made of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stoker.cli.approvals import waiting
from stoker.cli.output import utc
from stoker.core.clock import from_text, to_text
from stoker.core.verdicts import Outcome
from stoker.registry import changes
from stoker.registry.entries import Entry
from stoker.registry.registry import AliasMove, Registry
from stoker.registry.state import CHAMPION
from stoker.registry.versions import Version

if TYPE_CHECKING:
    from stoker.registry.audit import AuditReport


def model_record(registry: Registry, name: str) -> dict[str, Any]:
    """A model in a line."""
    state = registry.state(name)
    return {
        "model": name,
        "champion": state.pointed(CHAMPION),
        "versions": state.versions,
        "waiting": waiting(state),
        "changed": to_text(state.time) if state.time else None,
    }


def version_record(version: Version) -> dict[str, Any]:
    """A version without its manifest."""
    verdict = version.verdict
    return {
        "model": version.model,
        "version": version.number,
        "aliases": list(version.aliases),
        "blocked": version.blocked,
        "archived": version.archived,
        "verdict": verdict.outcome.value if verdict else Outcome.NOT_CONFIGURED.value,
        "reasons": list(verdict.reasons) if verdict else ["It was not evaluated."],
        "time": to_text(version.time),
        "actor": vars(version.actor),
        "reason": version.reason,
        "digest": version.digest,
        "fingerprint": version.fingerprint,
    }


def move_record(model: str, move: AliasMove) -> dict[str, Any]:
    """Where an alias was put."""
    return {"model": model, **vars(move), "time": to_text(move.time)}


def entry_record(entry: Entry) -> dict[str, Any]:
    """An entry of the log, with the digest by which the next one names it."""
    change, _ = changes.to_records(entry.change)
    return {
        "seq": entry.seq,
        "time": to_text(entry.time),
        "actor": vars(entry.actor),
        "reason": entry.reason,
        "change": change,
        "description": entry.change.describe(),
        "idempotency_key": entry.idempotency_key,
        "digest": entry.digest,
    }


def audit_record(model: str, report: AuditReport) -> dict[str, Any]:
    """What an audit of one model found."""
    problems = [vars(problem) for problem in report.problems]
    return {"model": model, "entries": report.entries, "head": report.head, "problems": problems}


def shown_time(text: str | None) -> str | None:
    """The time of a record as people read it."""
    return utc(from_text(text)).removesuffix("Z") if text else None
