"""What a person reads before deciding on a version: one page of Markdown, from what lies in the store.

Names, values and reasons come from data, and must not become Markdown or HTML in the page that Airflow shows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from stoker.core.clock import to_minute
from stoker.core.drift import State
from stoker.core.records import AIRFLOW
from stoker.errors import StokerError
from stoker.loop.windows import WindowLog
from stoker.registry.state import Review
from stoker.registry.versions import Version
from stoker.store.base import ObjectStore
from stoker.store.documents import get_document

_ESCAPED = str.maketrans(
    {mark: f"\\{mark}" for mark in r"\`*_{}[]()#+-.!|~:@$"} | {"<": "&lt;", ">": "&gt;", "&": "&amp;"}
)
_LONGEST_TEXT = 300
_MOST_RISKS = 8
_QUIET = {State.QUIET.value, State.CLEARED.value}


def approval_card(store: ObjectStore, version: Version, champion: Version | None, review: Review) -> str:
    """The page about a version that waits for approval.

    :param champion: the version in office; ``None`` when there is none.
    :param review: tells until when, and who may answer.
    :returns: Markdown with tables. What retention has given up is left out.
    """
    blocks = (
        _headline(version, champion),
        _metrics(version),
        _list("Risks", list(_risks(store, version, champion))[:_MOST_RISKS]) or "**Risks**: none was found.",
        _list("Why the gate says so", version.verdict.reasons if version.verdict else ()),
        _origin(version),
        _consequences(version, champion, review),
        f"Evidence: `{version.digest}`",
        f"[Look at version {version.number} in Stoker](/stoker/models/{version.model}/versions/{version.number})",
    )
    return "\n\n".join(block for block in blocks if block)


def escaped(value: Any) -> str:
    """A value from data as it stands in Markdown: on one line, with nothing that Markdown, HTML or a terminal would act on."""
    text = str(value)
    shown = text if len(text) <= _LONGEST_TEXT else f"{text[:_LONGEST_TEXT]}…"
    return "".join(mark if mark.isprintable() else " " for mark in shown).translate(_ESCAPED)


def _headline(version: Version, champion: Version | None) -> str:
    verdict = version.verdict
    outcome = verdict.outcome.value if verdict else "none, for it was not evaluated"
    against = f"the champion is version {champion.number}" if champion else "there is no champion yet"
    return f"**Version {version.number} of {escaped(version.model)}** waits for approval; {against}. Verdict: **{escaped(outcome)}**."


def _metrics(version: Version) -> str:
    evaluation = version.manifest.get("evaluation") or {}
    own, office = evaluation.get("metrics") or {}, evaluation.get("champion_metrics") or {}
    if not own:
        return ""
    comparison = evaluation.get("comparison") or {}
    deciding = (evaluation.get("policy") or {}).get("metric")
    baseline = evaluation.get("baseline_version")
    rows = [
        f"| Metric | Version {version.number} | Champion{f' v{baseline}' if baseline else ''} |",
        "| --- | --- | --- |",
    ]
    for name in sorted(own, key=lambda one: (one != deciding, one)):
        label = f"**{escaped(name)}**" if name == deciding else escaped(name)
        rows.append(f"| {label} | {_number(own[name])} | {_number(office.get(name))} |")
    return "\n".join([*rows, *_difference(comparison, evaluation.get("rows"))])


def _difference(comparison: Mapping[str, Any], rows: Any) -> Iterator[str]:
    if {"estimate", "low", "high", "metric", "alpha"} <= comparison.keys() and comparison["low"] is not None:
        low, high = (_number(comparison[bound], sign="+") for bound in ("low", "high"))
        yield ""
        yield (
            f"Difference in {escaped(comparison['metric'])}: {_number(comparison['estimate'], sign='+')}, "
            f"{1 - comparison['alpha']:.0%} interval {low} to {high}, on {escaped(rows)} rows."
        )


def _origin(version: Version) -> str:
    candidate = version.manifest.get("candidate") or {}
    if not candidate:
        return ""
    rows, code = candidate.get("rows") or {}, candidate.get("code") or {}
    dirty = ", with changes that were not committed" if code.get("dirty") else ""
    facts = {
        "Data": f"{escaped(candidate.get('dataset_name'))}, up to {escaped(candidate.get('partition') or 'all of it')}",
        "Rows": f"{escaped(rows.get('train'))} to train, {escaped(rows.get('holdout'))} to judge",
        "Predicts": escaped(candidate.get("target")),
        "Code": f"{escaped(str(code.get('commit') or 'unknown')[:12])}{dirty}",
        "Registered": f"{to_minute(version.time)} by {escaped(version.actor.user)}: {escaped(version.reason)}",
    }
    return "\n".join(["**Where it comes from**", "", *(f"- {label}: {value}" for label, value in facts.items())])


def _risks(store: ObjectStore, version: Version, champion: Version | None) -> Iterator[str]:
    """What a careful person would ask about. Documents of before lack some of it, and retention may have taken others."""
    looks = {
        "The slices of its evaluation": _worse_slices(store, version.manifest),
        "The checks of its data": _broken_checks(store, version.manifest),
    }
    if champion is not None:
        looks["The champion of its evaluation"] = _moved_on(version, champion)
        looks["The drift of the champion's data"] = _drift(store, champion)
    for what, look in looks.items():
        try:
            yield from look
        except StokerError:  # nobody could approve, or reject, if that failed the task
            yield f"{what} could not be read."


def _moved_on(version: Version, champion: Version) -> Iterator[str]:
    judged = (version.manifest.get("evaluation") or {}).get("baseline_version")
    if judged is not None and judged != champion.number != version.number:
        yield f"It was judged against version {judged}, and the champion is version {champion.number} by now."


def _worse_slices(store: ObjectStore, manifest: Mapping[str, Any]) -> Iterator[str]:
    figures = (manifest.get("evaluation") or {}).get("figures")
    for part in get_document(store, figures, "figures").get("slices", ()) if figures else ():
        if (part.get("high") or 0) < 0:
            values = f"{part['metric']} {_number(part['challenger'])} against {_number(part['champion'])}"
            yield f"Worse than the champion where {part['column']} is {part['value']}: {values}, on {part['rows']} rows."


def _broken_checks(store: ObjectStore, manifest: Mapping[str, Any]) -> Iterator[str]:
    for digest in (manifest.get("candidate") or {}).get("validations", ()):
        validation = get_document(store, digest, "validation")
        for check in validation["checks"]:
            if not check["success"]:
                gone = validation["quarantine"] and check["severity"] == "critical" and check["attributable"]
                left_out = "; those rows were left out" if gone else ""
                yield f"Its newest data broke a {check['severity']} check: {check['sentence']}{left_out}."


def _drift(store: ObjectStore, champion: Version) -> Iterator[str]:
    windows = WindowLog(store, champion.model, "drift").windows(champion.number)
    if windows:
        states = windows[-1].facts.get("states") or {}
        loud = [f"{kind} {state}" for kind, state in states.items() if state not in _QUIET]
        if loud:
            yield f"Data drifts from what champion v{champion.number} learned, in window {windows[-1].window}: {', '.join(loud)}."


def _consequences(version: Version, champion: Version | None, review: Review) -> str:
    stays = f"version {champion.number} stays champion" if champion else "there is still no champion"
    person = review.four_eyes and review.asked_by != AIRFLOW
    who = f" Somebody other than {escaped(review.asked_by)} has to approve." if person else ""
    return (
        f"**If you approve**, version {version.number} may be promoted; it {_takes_over(version, champion)}.{who}\n\n"
        f"**If you reject**, or nobody answers by {to_minute(review.until)}, {stays}."
    )


def _takes_over(version: Version, champion: Version | None) -> str:
    if champion is None:
        return "becomes the first champion when the next task runs"
    if champion.number == version.number:
        return "is the champion already"
    return f"takes over from version {champion.number} when the next task runs"


def _list(title: str, lines: Any) -> str:
    return "\n".join([f"**{title}**", "", *(f"- {escaped(line)}" for line in lines)]) if lines else ""


def _number(value: Any, sign: str = "") -> str:
    return f"{value:{sign}.4f}" if isinstance(value, int | float) else "–"
