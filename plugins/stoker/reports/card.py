"""The model card of a version: what it is, what it was made of, how good it is, and what nobody checked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from stoker.core.clock import to_text
from stoker.registry import changes
from stoker.registry.changes import Change
from stoker.registry.entries import Entry
from stoker.registry.registry import Registry
from stoker.registry.versions import Version
from stoker.reports import shell, text, training
from stoker.reports.evaluation import whole
from stoker.reports.limits import limits
from stoker.reports.reading import Read, beside, figures_of
from stoker.reports.scores import metrics_table
from stoker.reports.slices import slices

_KEPT_ENTRIES = 200


def card(version: Version, *, entries: Sequence[Entry], read: Read, theme: str | None = None, nonce: str = "") -> str:
    """The model card as an HTML file, which opens from a disk and without a network.

    :param version: the version.
    :param entries: of the model's log; those about other versions are left out.
    :param read: returns the document with a digest. What cannot be read is left out.
    :param theme: ``light`` or ``dark``; ``None`` for the reader's own setting.
    :param nonce: what the scripts carry where the server's policy asks for it.
    :raises UnreadableData: when the manifest is not as Stoker writes it.
    """
    with shell.readable(f"The manifest of version {version.number} of {version.model}"):
        record = card_record(version, entries=entries, read=read)
        candidate, judged = _parts(version)
        return shell.render(
            "card.html",
            theme=theme,
            nonce=nonce,
            digest=version.digest,
            eyebrow="Model card",
            title=f"{version.model}, version {version.number}",
            outcome=record["evaluation"]["outcome"],
            lead=_lead(record),
            reasons=record["evaluation"]["reasons"],
            tiles=_tiles(record),
            card=record,
            covered=text.span(record["data"]["from"], record["data"]["to"]) if record["data"] else text.DASH,
            metrics=metrics_table(judged, ours=f"Version {version.number}") if judged else None,
            slices=slices(figures_of(judged, read), judged["policy"]["metric"]) if judged else None,
            importances=training.importances(candidate) if candidate else None,
        )


def card_record(version: Version, *, entries: Iterable[Entry], read: Read) -> dict[str, Any]:
    """The model card as JSON. Parameters are those of :func:`card`."""
    candidate, judged = _parts(version)
    return {
        "model": version.model,
        "version": version.number,
        "digest": version.digest,
        "fingerprint": version.fingerprint,
        "aliases": list(version.aliases),
        "blocked": version.blocked,
        "registered": {"time": to_text(version.time), "by": version.actor.user, "from": version.actor.origin, "reason": version.reason},
        "statements": _statements(version.manifest.get("card")),
        "estimator": _estimator(candidate),
        "data": _data(candidate, judged, read),
        "evaluation": _evaluation(judged),
        "limits": limits(candidate, judged, read),
        "history": [_event(entry) for entry in entries if version.number in concerned(entry.change)],
        "code": candidate.get("code"),
        "environment": candidate.get("environment"),
        "files": {name: {"sha256": file.sha256, "size": file.size} for name, file in sorted(version.files.items())},
    }  # fmt: skip


def entries_of(registry: Registry, version: Version) -> list[Entry]:
    """The log from the registration of a version on: at most 200 entries, so that a card costs the same in a long log."""
    return list(registry.history(version.model, after=version.seq - 1, limit=_KEPT_ENTRIES))


def concerned(change: Change) -> set[int]:
    """The versions that a change is about."""
    numbers = {number for move in change.moves for number in (move.version, move.before) if number is not None}
    # Only some changes have these: what was registered, blocked or decided on.
    return numbers | {
        number for name in ("version", "blocks") if isinstance(number := getattr(change, name, None), int)
    }


def _parts(version: Version) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """The training and the evaluation that a manifest holds; empty where it was registered by hand, without one."""
    candidate, judged = version.manifest.get("candidate") or {}, version.manifest.get("evaluation") or {}
    return candidate if candidate.get("kind") == "candidate" else {}, whole(judged) if judged else {}


def _statements(given: Any) -> dict[str, str]:
    """What people wrote about the model, by title; the registry takes it as it comes."""
    if isinstance(given, str):
        return {"Intended use": given}
    return {str(name): str(value) for name, value in given.items()} if isinstance(given, Mapping) else {}


def _estimator(candidate: Mapping[str, Any]) -> dict[str, Any] | None:
    if not candidate:
        return None
    return {
        "name": training.estimator_name(candidate),
        "class": candidate["estimator"]["class"],
        "source": candidate["estimator"]["source"],
        "task": candidate["task"],
        "target": candidate["target"],
        "classes": candidate["classes"],
        "features": candidate["features"],
        "output": candidate["signature"]["output"],
        "params": candidate["params"],
        "random_state": candidate["random_state"],
    }


def _data(candidate: Mapping[str, Any], judged: Mapping[str, Any], read: Read) -> dict[str, Any] | None:
    if not candidate:
        return None
    newest = beside(read, candidate["datasets"][-1]) or {}
    oldest = beside(read, candidate["datasets"][0]) or {}
    return {
        "dataset": candidate["dataset_name"],
        "partition": candidate["partition"],
        "snapshots": candidate["datasets"],
        "from": oldest.get("time_min"),
        "to": newest.get("time_max"),
        "rows": candidate["rows"],
        "split": training.split_sentence(candidate),
        "validations": candidate["validations"],
        "personal_columns": candidate.get("personal_columns", []),
        "judged_on": {"dataset": judged["dataset"], "rows": judged["rows"]} if judged else None,
    }


def _evaluation(judged: Mapping[str, Any]) -> dict[str, Any]:
    if not judged:
        return {"outcome": "not_configured", "reasons": ["It was not evaluated."]}
    return {
        "outcome": judged["verdict"]["outcome"],
        "reasons": judged["verdict"]["reasons"],
        "digest": judged.get("digest"),
        "metric": judged["policy"]["metric"],
        "metrics": judged["metrics"],
        "baselines": judged["baselines"],
        "champion": judged["baseline_version"],
        "champion_metrics": judged["champion_metrics"],
        "comparison": judged["comparison"],
        "thresholds": judged["policy"]["thresholds"],
    }


def _event(entry: Entry) -> dict[str, Any]:
    change, _ = changes.to_records(entry.change)
    return {
        "seq": entry.seq,
        "time": to_text(entry.time),
        "by": entry.actor.user,
        "from": entry.actor.origin,
        "what": entry.change.describe(),
        "reason": entry.reason,
        "change": change,
    }


def _lead(record: Mapping[str, Any]) -> str:
    estimator, data = record["estimator"], record["data"]
    if estimator is None:
        return "It was registered by hand, without a training by Stoker, so little is known of it."
    covered = "" if data["from"] is None or data["to"] is None else f", from {text.span(data['from'], data['to'])}"
    rows = f"{data['rows']['train']:,} rows of {data['dataset']}{covered}"
    return f"A {estimator['name']} that predicts {estimator['target']}, trained on {rows}."


def _rival(judged: Mapping[str, Any]) -> str:
    """Whom it was compared with; a model that was given without its number is the champion of then all the same."""
    return "the champion of then" if judged["champion"] is None else f"version {judged['champion']}"


def _tiles(record: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    judged = record["evaluation"]
    tiles = []
    if judged.get("metric"):
        comparison = judged["comparison"]
        against = (
            f"{text.signed(comparison['estimate'])} against {_rival(judged)}" if comparison else "first of its kind"
        )
        tiles.append((judged["metric"], text.number(judged["metrics"].get(judged["metric"])), against))
    tiles.append(("Aliases", ", ".join(record["aliases"]) or "none", "blocked" if record["blocked"] else ""))
    tiles.append(("Registered", text.moment(record["registered"]["time"]), f"by {record['registered']['by']}"))
    return tiles
