"""A window of data against the profile of what a version was trained on."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from stoker.core import clock as time
from stoker.core import wire
from stoker.core.drift import (
    Alarm,
    ColumnFinding,
    DriftPolicy,
    Kind,
    Observation,
    State,
    follow,
    judge_columns,
    judge_window,
    observe,
)
from stoker.core.records import Reference
from stoker.core.verdicts import Outcome, Verdict
from stoker.engines import divergences, training_rows
from stoker.engines.drift_figures import draw_columns
from stoker.engines.drift_measures import measure
from stoker.engines.drift_report import ReportPolicy, write_report
from stoker.engines.drift_windows import (
    DRIFT,
    Current,
    Office,
    count_window,
    data_of,
    own_predictions,
)
from stoker.engines.figures import store_figures
from stoker.engines.profiles import load_profile
from stoker.loop.cohorts import STAGE
from stoker.loop.windows import WindowLog
from stoker.store import layout, partitions
from stoker.store.base import ObjectStore
from stoker.store.documents import get_document, put_document

log = logging.getLogger(__name__)

_NO_OFFICE = (Outcome.NOT_CONFIGURED, "{model} has no version in office yet, so there is nothing to compare with.")
_NO_PROFILE = (
    Outcome.NOT_CONFIGURED,
    "The version of {model} in office has no reference profile; train it again to get one.",
)
_MAX_SUMMARY_TEXT = 3000  # bytes of reasons, and half of it of column names, in a reference of at most 8 KiB
_MAX_REASON = 300


def monitor_drift(
    store: ObjectStore,
    *,
    model: str,
    office: Office | None,
    current: Current,
    policy: DriftPolicy | None = None,
    report: ReportPolicy | None = None,
    run: str = "",
    clock: time.Clock = time.system_clock,
) -> Reference:
    """Judge one window and note it in the model's journal. A drift is an answer, not an error.

    Of the reference only its stored profile is read, so that the cost depends on the window alone. The verdict is ``fail`` while an
    incident is open, ``pass`` without one, ``insufficient_data`` for a window that is too small, and ``not_configured`` without a
    version that has a profile. The same window of the same data gives the same answer again and writes nothing new.
    A window that sorts before one that was judged already is judged too, but raises no alert: that would be news of yesterday.

    :param store: where everything lies.
    :param model: the registered model.
    :param office: the version to compare with; ``None`` when there is none yet.
    :param current: the window.
    :param policy: what counts as drift, and as an alarm.
    :param report: when Evidently's HTML report is made.
    :param run: who asks; see :func:`~stoker.engines.drift_windows.pending`.
    :param clock: the time of the journal's records, on which no answer depends.
    :returns: a reference of kind ``drift``; its summary holds ``window``, ``version``, ``alert``, ``kinds`` that the window shows,
        ``states`` of their alarms, those that are ``due`` for an answer, ``columns`` that drifted, and ``windows_since_promotion``.
    :raises UsageError: when the policy names a method that does not exist or suit a column.
    :raises CorruptArtifact: when profile or data were damaged.
    """
    policy, report = policy or DriftPolicy(), report or ReportPolicy()
    _check_methods(policy)
    if office is None or office.profile is None:
        return _unjudged(store, model, office, current, _NO_PROFILE if office else _NO_OFFICE)
    journal = WindowLog(store, model, DRIFT, clock=clock)
    inputs = _inputs(office, current, policy, report)
    known = journal.at(current.window, office.number)
    if known is not None and known.facts["inputs"] == inputs and store.exists(layout.blob(known.facts["document"])):
        digest = known.facts["document"]
        log.info("Window %s was judged against v%d already.", current.window, office.number)
        return _reference(store, digest, get_document(store, digest, DRIFT))
    document = _judge(store, office, current, policy, report, journal)
    digest = put_document(store, document)
    facts = {
        "inputs": inputs,
        "data": data_of(current),
        "document": digest,
        "run": run,
        "verdict": document["verdict"]["outcome"],
        "alert": document["alert"],
        "states": document["states"],
        "seen": document["seen"],
    }
    journal.record(current.window, office.number, document["end"], facts)
    return _reference(store, digest, document)


def current_of(
    store: ObjectStore, model: str, reference: Reference, *, window: str | None, predictions: Reference | None
) -> Current:
    """The window that a reference means.

    :param reference: of kind ``dataset``, ``validation``, or ``predictions``, whose rows are those that were scored.
    :param window: its key; the partition of the rows without it.
    :param predictions: a reference of kind ``predictions``; without it the model's newest about the window.
    :raises DataValidationFailed: when a validation let nothing through.
    """
    if reference.kind == "predictions":
        predictions, dataset = reference, get_document(store, reference.digest, "dataset")["parent"]
    else:
        dataset, _ = training_rows.follow(store, reference)
    window = window or get_document(store, dataset, "dataset")["partition"] or partitions.WHOLE
    scored = predictions.digest if predictions else partitions.newest(store, model, STAGE, window)
    return Current(window, (dataset,), scored)


def nothing_to_judge(store: ObjectStore, model: str, office: Office | None, dataset: str) -> Reference:
    """The answer while a dataset has no window: ``insufficient_data``, or ``not_configured`` without a version.

    :param dataset: its name.
    """
    if office is None:
        return _unjudged(store, model, None, None, _NO_OFFICE)
    return _unjudged(
        store,
        model,
        office,
        None,
        (
            Outcome.INSUFFICIENT_DATA,
            f"{dataset} has no partition yet that version {office.number} of {model} was not trained on.",
        ),
    )


def _check_methods(policy: DriftPolicy) -> None:
    divergences.find_method(policy.num_method, numeric=True)
    divergences.find_method(policy.cat_method, numeric=False)


def _judge(
    store: ObjectStore,
    office: Office,
    current: Current,
    policy: DriftPolicy,
    report: ReportPolicy,
    journal: WindowLog,
) -> dict[str, Any]:
    """The document of a window."""
    documents = [get_document(store, digest, "dataset") for digest in current.datasets]
    reference = load_profile(store, office.profile or "")
    predictions = own_predictions(store, office, current)
    profile = count_window(store, office, current, reference, predictions)
    findings = judge_columns(measure(reference, profile, policy, office.weights), policy)
    # A column of times may hold numbers.
    ends = [one["time_max"] for one in documents if isinstance(one["time_max"], str)]
    end = max(ends) if ends else None
    enough = profile.rows >= policy.min_rows
    seen = {kind.value: [one.violates, one.lingers] for kind, one in observe(findings, policy, None).items()}
    past = journal.windows(office.number)
    before = [(one.facts["seen"], one.end) for one in past if one.window < current.window]
    alarms = _alarms([*before, (seen, end)], policy)
    late = any(one.window > current.window for one in past)
    verdict = judge_window(findings, alarms, policy, profile.rows)
    alerted = [] if late or not enough else [kind for kind in Kind if alarms[kind].state is State.ALERT]
    log.info("Window %s against v%d: %s, %s", current.window, office.number, verdict.outcome.value, verdict.reasons[0])
    columns = [_finding_record(one) for one in findings]
    personal = frozenset(office.candidate.get("personal_columns", ()))
    figures = store_figures(store, DRIFT, lambda: draw_columns(reference, profile, columns, personal=personal))
    features = [feature["name"] for feature in office.candidate["features"] if feature["name"] not in personal]
    return {
        "kind": DRIFT,
        "model": office.model,
        "version": office.number,
        "window": current.window,
        "end": end,
        "rows": profile.rows,
        "reference_rows": reference.rows,
        "profile": office.profile,
        "current": list(current.datasets),
        "predictions": predictions,
        "policy": _policy_record(policy),
        "seen": seen if enough else None,
        "states": {kind.value: alarms[kind].state.value for kind in Kind} if enough else {},
        "alert": bool(alerted),
        "alerted": [kind.value for kind in alerted],
        "due": [] if late or not enough else [kind.value for kind in Kind if alarms[kind].is_due(policy)],
        "late": late,
        "windows_since_promotion": len(before) + 1,
        "columns": columns,
        "figures": figures,
        "report": write_report(
            store,
            reference=office.candidate["datasets"],
            current=current.datasets,
            columns=features,
            drift=policy,
            policy=report,
        )
        if report.wants(alert=bool(alerted))
        else None,
        "verdict": verdict.to_record(),
    }


def _alarms(
    windows: Iterable[tuple[Mapping[str, Sequence[bool]] | None, str | None]], policy: DriftPolicy
) -> dict[Kind, Alarm]:
    """The alarm of each kind after the last of these windows; those that were too small to be judged count for nothing."""
    judged = [(facts, time.from_text(end) if end else None) for facts, end in windows if facts is not None]
    return {
        kind: follow([Observation(*_flags(facts, kind), end) for facts, end in judged], kind, policy) for kind in Kind
    }


def _flags(facts: Mapping[str, Sequence[bool]], kind: Kind) -> tuple[bool, bool]:
    violates, lingers = facts[kind.value]
    return violates, lingers


def _inputs(office: Office, current: Current, policy: DriftPolicy, report: ReportPolicy) -> str:
    """A digest of everything that an answer follows from, but for the windows before it."""
    return wire.digest([office.profile, asdict(current), _policy_record(policy), asdict(report)])


def _policy_record(policy: DriftPolicy) -> dict[str, Any]:
    return {**asdict(policy), "cooldown": policy.cooldown.total_seconds()}


def _finding_record(finding: ColumnFinding) -> dict[str, Any]:
    return {**asdict(finding), "reason": finding.describe()}


def _unjudged(
    store: ObjectStore, model: str, office: Office | None, current: Current | None, why: tuple[Outcome, str]
) -> Reference:
    document = {
        "kind": DRIFT,
        "model": model,
        "version": office.number if office else None,
        "window": current.window if current else None,
        "current": list(current.datasets) if current else [],
        "rows": None,
        "states": {},
        "alert": False,
        "alerted": [],
        "due": [],
        "windows_since_promotion": None,
        "columns": [],
        "figures": None,
        "report": None,
        "verdict": Verdict(why[0], (why[1].format(model=model),)).to_record(),
    }
    return _reference(store, put_document(store, document), document)


def _reference(store: ObjectStore, digest: str, document: Mapping[str, Any]) -> Reference:
    drifted = [one for one in document["columns"] if one["drifted"]]
    return Reference(
        kind=DRIFT,
        uri=f"{store.uri}/{layout.blob(digest)}",
        digest=digest,
        verdict=document["verdict"]["outcome"],
        summary={
            "reasons": _fitting(document["verdict"]["reasons"], _MAX_SUMMARY_TEXT),
            "model": document["model"],
            "version": document["version"],
            "window": document["window"],
            "rows": document["rows"],
            "alert": document["alert"],
            "alerted": document["alerted"],
            "kinds": [kind.value for kind in Kind if any(one["group"] == kind for one in drifted)],
            "due": document["due"],
            "states": document["states"],
            "columns": _fitting([one["column"] for one in drifted], _MAX_SUMMARY_TEXT // 2),
            "windows_since_promotion": document["windows_since_promotion"],
            "report": (document["report"] or {}).get("sha256"),
        },
    )


def _fitting(texts: Iterable[str], room: int) -> list[str]:
    """As many texts as fit."""
    kept = []
    for text in (text[:_MAX_REASON] for text in texts):
        room -= len(wire.canonical(text)) + 1
        if room < 0:
            break
        kept.append(text)
    return kept
