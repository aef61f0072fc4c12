"""Validation: a dataset against expectations, a verdict, and every bad row set aside with its reasons."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from stoker.core import clock as time
from stoker.core.records import Reference
from stoker.core.verdicts import Outcome, Verdict
from stoker.engines.expectations import Check, Expectations, check_frame, load_expectations
from stoker.engines.frames import read_table, store_table, to_frame
from stoker.errors import ConfigurationError
from stoker.store import documents, layout, partitions
from stoker.store.base import ObjectStore

log = logging.getLogger(__name__)

REASONS_COLUMN = "stoker_reasons"
"""The column of a quarantine dataset that names what each row broke, separated by ``"; "``."""

ON_FAILURE = ("fail", "quarantine", "warn", "branch")

_MAX_SENTENCES = 5  # in a reference, which must stay small; the document has all
_MAX_SENTENCE_LENGTH = 300


def validate(
    store: ObjectStore,
    dataset: Reference,
    *,
    expectations: Expectations,
    severity: str = "critical",
    on_failure: str = "fail",
    max_quarantine_share: float = 0.1,
    personal_columns: Sequence[str] = (),
    origin: str | None = None,
    clock: time.Clock = time.system_clock,
) -> Reference:
    """Check a dataset, write the result, and set the partition of stage ``ok`` when the rows may be used.

    What a failed check does depends on its severity. ``critical``: with ``on_failure="quarantine"`` the rows that broke it
    move to a quarantine dataset and the rest is good; in all other modes, and where it is not known which rows broke it,
    the verdict is ``fail``. ``warning``: a reason in the verdict, nothing else. ``info``: stays in the document. A check
    that ``mostly`` lets pass sets no row aside.

    A verdict of ``fail`` is returned, not raised: what follows from it is the caller's decision.

    :param dataset: a reference of kind ``dataset``.
    :param expectations: see :func:`~stoker.engines.expectations.load_expectations`.
    :param severity: for expectations that give none.
    :param on_failure: ``fail``, ``quarantine``, ``branch`` (judges like ``fail``), or ``warn``: all rows may be used whatever
        the verdict.
    :param max_quarantine_share: share of the rows, 0 to 1, above which the verdict is ``fail`` and the rest may not be
        used either.
    :param personal_columns: columns that name or describe a person. Their values stay in the rows: checks, reasons, logs and figures of
        what follows from this validation show none. The document of a dataset still holds the ends of each column, a model's profile
        its categories, and the model the classes of its target.
    :param origin: the task that does it, as :attr:`~stoker.core.records.Actor.origin`; kept for whoever follows the lineage.
    :returns: a reference of kind ``validation``. In its document ``rows_ok`` counts the rows that broke no critical check,
        ``rows_quarantined`` those set aside; ``ok`` and ``quarantine`` are the digests of the dataset documents.
    :raises ConfigurationError: when an expectation, mode, severity or share is not valid, or there is no such personal column; nothing is
        written then.
    """
    _check_settings(on_failure, max_quarantine_share)
    loaded = load_expectations(expectations, severity=severity)
    raw = documents.get_document(store, dataset.digest, "dataset")
    table = read_table(store, raw)
    _check_personal(personal_columns, table.column_names)
    checks = check_frame(to_frame(table), loaded, personal=personal_columns)
    bad = _bad_rows(checks, table.num_rows)
    rows_bad = int(bad.sum())
    verdict = _judge(checks, rows_bad, table.num_rows, on_failure, max_quarantine_share)

    quarantine = None
    if on_failure == "quarantine" and rows_bad:
        quarantine = _store_quarantine(store, raw, dataset.digest, table, bad, checks)
    ok = None
    if verdict.passed or on_failure == "warn":
        kept = table.filter(pa.array(~bad)) if quarantine else None
        ok = _store_ok(store, raw, dataset.digest, kept)

    document = {
        "kind": "validation",
        "dataset": dataset.digest,
        "on_failure": on_failure,
        "max_quarantine_share": max_quarantine_share,
        "verdict": verdict.to_record(),
        "checks": [{**check.to_record(), "rows": table.num_rows} for check in checks],
        "personal_columns": sorted(personal_columns),
        "rows_in": table.num_rows,
        "rows_ok": table.num_rows - rows_bad,
        "rows_quarantined": rows_bad if quarantine else 0,
        "ok": ok,
        "quarantine": quarantine,
    }
    digest = documents.put_document(store, document)
    if ok:
        _point(store, raw, ok, digest, origin, clock)
    log.info("Validation %s: %s. %s", digest[:12], verdict.outcome.value, " ".join(verdict.reasons))
    return _reference(store, digest, document, raw, checks, verdict)


def _check_settings(on_failure: str, max_quarantine_share: float) -> None:
    if on_failure not in ON_FAILURE:
        raise ConfigurationError(f"on_failure must be one of {', '.join(ON_FAILURE)}; got {on_failure!r}.")
    if not 0 <= max_quarantine_share <= 1:  # also refuses NaN
        raise ConfigurationError(f"max_quarantine_share must lie between 0 and 1; got {max_quarantine_share}.")


def _check_personal(personal: Sequence[str], known: Sequence[str]) -> None:
    """A name written wrong would show what must stay hidden."""
    if isinstance(personal, str):
        raise ConfigurationError(f"personal_columns must be a list of names; got the text {personal!r}.")
    unknown = [name for name in personal if name not in known]
    if unknown:
        near = {name: ", ".join(get_close_matches(name, known, n=2)) or "nothing" for name in unknown}
        hints = "; ".join(f"{name!r} (near: {found})" for name, found in near.items())
        raise ConfigurationError(f"personal_columns must name columns of the dataset; missing: {hints}.")


def _failed(checks: Sequence[Check], severity: str) -> list[Check]:
    return [check for check in checks if not check.success and check.severity == severity]


def _bad_rows(checks: Sequence[Check], rows: int) -> npt.NDArray[np.bool_]:
    """Which rows broke a failed critical check that knows its rows."""
    bad = np.zeros(rows, dtype=np.bool_)
    for check in _failed(checks, "critical"):
        bad[check.rows] = True
    return bad


def _judge(checks: Sequence[Check], rows_bad: int, rows: int, on_failure: str, max_share: float) -> Verdict:
    critical = _failed(checks, "critical")
    unattributable = [check for check in critical if not check.attributable]
    share = rows_bad / rows
    if on_failure != "quarantine":
        against = [f"{check.sentence}." for check in critical]
    else:
        against = [f"{check.sentence}; rows not attributable, so none can be quarantined." for check in unattributable]
        if share > max_share:
            against.append(
                f"{rows_bad} of {rows} rows ({share:.2%}) would be quarantined; at most {max_share:.2%} may be."
            )
        elif rows_bad == rows:
            against.append(f"All {rows} rows would be quarantined; none is left to work with.")
    aside = [f"{check.sentence}; its rows are quarantined." for check in critical if check.attributable]
    remarks = (aside if on_failure == "quarantine" else []) + [
        f"Warning: {check.sentence}." for check in _failed(checks, "warning")
    ]
    numbers = {
        "checks": len(checks),
        "checks_failed": sum(not check.success for check in checks),
        "rows_in": rows,
        "bad_share": share,
    }
    summary = f"{sum(check.success for check in checks)} of {len(checks)} checks passed on {rows} rows."
    return Verdict(Outcome.FAIL if against else Outcome.PASS, (*against, *remarks, summary), numbers)


def _store_quarantine(
    store: ObjectStore,
    raw: Mapping[str, Any],
    parent: str,
    table: pa.Table,
    bad: npt.NDArray[np.bool_],
    checks: Sequence[Check],
) -> str:
    """Store the bad rows with all their columns and what each of them broke."""
    reasons: dict[int, list[str]] = {row: [] for row in np.flatnonzero(bad).tolist()}
    for check in _failed(checks, "critical"):
        for row in check.rows.tolist():
            reasons[row].append(check.label)
    named = pa.array(["; ".join(labels) for labels in reasons.values()], pa.large_string())
    quarantined = table.filter(pa.array(bad))
    if REASONS_COLUMN in quarantined.column_names:  # the dataset was in quarantine before
        quarantined = quarantined.drop_columns([REASONS_COLUMN])
    return _store_stage(store, raw, parent, "quarantine", quarantined.append_column(REASONS_COLUMN, named))


def _store_ok(store: ObjectStore, raw: Mapping[str, Any], parent: str, kept: pa.Table | None) -> str:
    """Store the good rows; ``None`` keeps all, in the file that they are in."""
    if kept is not None:
        return _store_stage(store, raw, parent, "ok", kept)
    whole = {name: value for name, value in raw.items() if name != "format"}
    return documents.put_document(store, {**whole, "stage": "ok", "parent": parent})


def _point(
    store: ObjectStore, raw: Mapping[str, Any], ok: str, validation: str, origin: str | None, clock: time.Clock
) -> None:
    """Let the partition of stage ``ok`` mean the good rows. Last of all, for whoever finds them there finds their validation."""
    partitions.point(
        store,
        dataset=raw["dataset"],
        stage="ok",
        partition=raw["partition"],
        snapshot=ok,
        data_id=documents.get_document(store, ok, "dataset")["data_id"],
        validation=validation,
        origin=origin,
        clock=clock,
    )


def _store_stage(store: ObjectStore, raw: Mapping[str, Any], parent: str, stage: str, table: pa.Table) -> str:
    digest, _ = store_table(
        store,
        table,
        dataset=raw["dataset"],
        partition=raw["partition"],
        stage=stage,
        time_column=raw["time_column"],
        source=raw["source"],
        parent=parent,
        assumed_utc=raw["assumed_utc"],
    )
    return digest


def _reference(
    store: ObjectStore,
    digest: str,
    document: Mapping[str, Any],
    raw: Mapping[str, Any],
    checks: Sequence[Check],
    verdict: Verdict,
) -> Reference:
    failed = [check.sentence for severity in ("critical", "warning", "info") for check in _failed(checks, severity)]
    summary = {
        "dataset": raw["dataset"],
        "partition": raw["partition"],
        **{name: document[name] for name in ("rows_in", "rows_ok", "rows_quarantined", "ok", "quarantine")},
        "reasons": _cut(verdict.reasons),
        "failed_checks": _cut(failed),
    }
    return Reference("validation", f"{store.uri}/{layout.blob(digest)}", digest, verdict.outcome.value, summary)


def _cut(sentences: Sequence[str]) -> list[str]:
    return [sentence[:_MAX_SENTENCE_LENGTH] for sentence in sentences[:_MAX_SENTENCES]]
