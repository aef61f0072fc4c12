"""Evidently's HTML report about a window: for people to look at, never to decide by."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from stoker.core.drift import DriftPolicy
from stoker.core.records import StoredFile
from stoker.engines.canonical import canonical
from stoker.engines.frames import to_frame
from stoker.engines.scans import scan_documents
from stoker.errors import ConfigurationError, StokerError
from stoker.store.base import ObjectStore
from stoker.store.documents import get_document, put_bytes

if TYPE_CHECKING:
    import pandas as pd

log = logging.getLogger(__name__)

WHEN = ("on_alert", "always", "never")
SAMPLE = 10_000
"""Rows of each side in a report: its size and time grow with them, and its plots do not get better."""


@dataclass(frozen=True)
class ReportPolicy:
    """When a report is made, and of how much.

    :param when: ``on_alert``, ``always`` or ``never``.
    :param sample: rows of each side at most; 100 to 1,000,000.
    :param seed: of the samples.
    """

    when: str = "on_alert"
    sample: int = SAMPLE
    seed: int = 0

    def __post_init__(self) -> None:
        if self.when not in WHEN:
            raise ConfigurationError(f"report must be one of {', '.join(WHEN)}; got {self.when!r}.")
        if not 100 <= self.sample <= 1_000_000:
            raise ConfigurationError(f"sample must lie between 100 and 1000000 rows; got {self.sample}.")

    def wants(self, *, alert: bool) -> bool:
        """Whether to make one."""
        return self.when == "always" or (self.when == "on_alert" and alert)


def write_report(
    store: ObjectStore,
    *,
    reference: Sequence[str],
    current: Sequence[str],
    columns: Sequence[str],
    drift: DriftPolicy,
    policy: ReportPolicy,
) -> dict[str, Any]:
    """Store Evidently's drift report of two samples, and say what it rests on.

    The verdict does not depend on it. Here alone rows of the reference are read again: Evidently compares tables, and a
    profile holds none. What it calls drift are the effect sizes of two samples, without significance and calibration, so it may
    differ from the verdict. A report that cannot be made is told, and fails nothing.

    :param reference: digests of the dataset documents that the model was trained from.
    :param current: digests of those of the window.
    :param columns: the columns to show; those of dates, and those that are empty on either side, are left out.
    :param drift: gives the methods and thresholds.
    :returns: ``sha256`` and ``size`` of the HTML, ``seed`` and ``sampled`` rows of both sides, and ``left_out`` columns; or
        ``failed`` with the reason.
    """
    try:
        before, now = (_sample(store, digests, columns, policy) for digests in (reference, current))
        shown = [name for name in columns if _comparable(before, name) and _comparable(now, name)]
        html = _render(before[shown], now[shown], drift)
    except StokerError as error:
        return _failed(error.message)
    except Exception as error:  # Evidently raises whatever its libraries raise, and the verdict stands without it
        return _failed(f"{type(error).__name__}: {error}")
    stored: StoredFile = put_bytes(store, html)
    return {
        **asdict(stored),
        "seed": policy.seed,
        "sampled": {"reference": len(before), "current": len(now)},
        "left_out": [name for name in columns if name not in shown],
    }


def _failed(reason: str) -> dict[str, Any]:
    log.warning("No report was made: %s", reason)
    return {"failed": reason[:500]}


def _sample(store: ObjectStore, digests: Sequence[str], columns: Sequence[str], policy: ReportPolicy) -> pd.DataFrame:
    """At most ``sample`` rows of all datasets together; the same for the same seed."""
    documents = [get_document(store, digest, "dataset") for digest in digests]
    # A reservoir is repeatable only in one thread.
    with scan_documents(store, documents, memory_limit="1GB", threads=1) as scan:
        wanted = ", ".join('"' + name.replace('"', '""') + '"' for name in columns if name in scan.types)
        table = scan.connection.sql(
            f"SELECT {wanted} FROM {scan.source} USING SAMPLE reservoir({policy.sample} ROWS) REPEATABLE ({policy.seed})"  # noqa: S608 - quoted
        ).to_arrow_table()
    return to_frame(canonical(table))


def _comparable(side: pd.DataFrame, name: str) -> bool:
    """Evidently fails on a column without values, and takes a date for a text."""
    return name in side and bool(side[name].notna().any()) and side[name].dtype.kind != "M"


def _render(reference: pd.DataFrame, current: pd.DataFrame, drift: DriftPolicy) -> bytes:
    os.environ.setdefault("DO_NOT_TRACK", "1")  # read when Evidently is imported
    from evidently import DataDefinition, Dataset, Report
    from evidently.presets import DataDriftPreset

    numeric = [name for name in reference if reference[name].dtype.kind in "if"]
    definition = DataDefinition(
        numerical_columns=numeric, categorical_columns=[name for name in reference if name not in numeric]
    )
    sides = [Dataset.from_pandas(frame, data_definition=definition) for frame in (current, reference)]
    methods = {name: method for name, method in drift.per_column_method.items() if name in reference}
    preset = DataDriftPreset(
        num_method=drift.num_method,
        cat_method=_known(drift.cat_method),
        per_column_method={name: method for name, method in methods.items() if _known(method)},
        threshold=drift.threshold,
        per_column_threshold={name: value for name, value in drift.per_column_threshold.items() if name in reference},
        include_tests=False,
    )
    html: str = Report([preset]).run(*sides).get_html_str(as_iframe=False)
    return html.encode()


def _known(method: str) -> str | None:
    """The method as Evidently knows it; its default instead of the one that it does not have."""
    return None if method == "l_infinity" else method
