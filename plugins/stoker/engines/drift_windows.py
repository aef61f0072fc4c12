"""The windows of a dataset, and each of them counted in the cells of what a version was trained on.

What is counted is kept, by the reference and the dataset that it follows from. So it does not matter who counts: one task
a window on its own machine, or the task that judges. And a window that was counted once is not read again.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from stoker.core import wire
from stoker.core.record_shapes import parse_pointer
from stoker.core.records import Reference
from stoker.engines.column_profiles import ColumnProfile, Moments
from stoker.engines.profiles import FEATURE, PREDICTION, TARGET, Profile, load_profile, profile_window, store_profile
from stoker.errors import AlreadyExists, NotFound
from stoker.loop.cohorts import STAGE, scored_by
from stoker.loop.plans import label_of
from stoker.loop.windows import KEPT, WindowLog
from stoker.registry.registry import Registry
from stoker.store import layout, partitions
from stoker.store.base import ObjectStore
from stoker.store.documents import get_document

log = logging.getLogger(__name__)

DRIFT = "drift"

_MULTICLASS = "multiclass"  # as in metrics, whose import would take longer than most windows
_COUNTING = 1  # raise it when the same rows come to be counted in another way


@dataclass(frozen=True)
class Office:
    """The version that a window is compared with.

    :param model: the registered model.
    :param number: the version's number.
    :param manifest: as it was registered, with its ``candidate``.
    """

    model: str
    number: int
    manifest: Mapping[str, Any]

    @property
    def candidate(self) -> Mapping[str, Any]:
        """What training found out."""
        found: Mapping[str, Any] = self.manifest["candidate"]
        return found

    @property
    def profile(self) -> str | None:
        """The digest of its reference profile; versions of before there were profiles have none."""
        return self.candidate.get("profile")

    @property
    def weights(self) -> Mapping[str, float]:
        """Each feature's share of the importance; all weigh the same where training did not measure it."""
        features = [feature["name"] for feature in self.candidate["features"]]
        return self.candidate.get("importances") or dict.fromkeys(features, 1 / max(len(features), 1))


@dataclass(frozen=True)
class Current:
    """The data of a window.

    :param window: its key.
    :param datasets: digests of the dataset documents.
    :param predictions: the digest of the document of the model's predictions about it, if there are any.
    """

    window: str
    datasets: tuple[str, ...]
    predictions: str | None = None


def office_of(registry: Registry, model: str, alias: str) -> Office | None:
    """The version that an alias points at now, or ``None`` when there is none."""
    try:
        version = registry.resolve(model, alias)
    except NotFound:
        return None
    return Office(model, version.number, version.manifest)


def pending(
    store: ObjectStore,
    office: Office | None,
    dataset: str,
    *,
    run: str = "",
    window: str | None = None,
    repeat: bool = True,
) -> list[Current]:
    """The windows of a dataset that are to be judged: every partition of its newest stage not yet judged as it is now, in order.

    Those that this ``run`` has judged already are among them: a try that died in between gives the same answers again, alerts
    included. The partition that the version was trained on, and those before, are none of them. When nothing is new it is the last
    window alone; without any partition the list is empty.

    :param office: the version in question; without one it is the last partition alone.
    :param run: the same text for every try of one task.
    :param window: only this partition, judged already or not.
    :param repeat: without it the list is empty when nothing is new.
    """
    found = [(name, digest) for name, digest in partitions.usable_partitions(store, dataset) if window in {None, name}]
    if office is None:
        return [Current(partition, (digest,)) for partition, digest in found[-1:]]
    scored = dict(partitions.partitions(store, office.model, STAGE))
    windows = [
        Current(partition, (digest,), scored.get(partition))
        for partition, digest in found
        if window or not _trained_on(office, dataset, partition)
    ]
    known = {one.window: one.facts for one in WindowLog(store, office.model, DRIFT).windows(office.number)}
    forgotten = min(known) if len(known) >= KEPT else ""
    new = [one for one in windows if one.window >= forgotten and _is_new(one, known.get(one.window), run)]
    return new or windows[-1:] if repeat else new


def own_predictions(store: ObjectStore, office: Office, current: Current) -> str | None:
    """The digest of the predictions of the window, if they were made by this version about these rows."""
    if current.predictions is None:
        return None
    document = get_document(store, current.predictions, "dataset")
    if scored_by(document) == office.number and document["parent"] in current.datasets:
        return current.predictions
    log.info("Left out the predictions about %s: of v%d, or of other rows.", current.window, scored_by(document))
    return None


def _trained_on(office: Office, dataset: str, partition: str) -> bool:
    last = office.candidate["partition"]
    return office.candidate["dataset_name"] == dataset and last is not None and partition <= last


def _is_new(current: Current, facts: Mapping[str, Any] | None, run: str) -> bool:
    return facts is None or facts["data"] != data_of(current) or facts["run"] == (run or None)


def data_of(current: Current) -> str:
    """A digest of the data of a window: another one when it is to be judged anew."""
    return wire.digest(asdict(current))


def profile_windows(store: ObjectStore, office: Office, windows: Sequence[Current]) -> Reference:
    """Count windows ahead of the task that judges them, which then reads none of their rows.

    :param office: the version to compare with; it must have a reference profile.
    :returns: a reference of kind ``profile``: of the last window, with the rows of all in its summary.
    """
    reference = load_profile(store, office.profile or "")
    counted = [
        count_window(store, office, window, reference, own_predictions(store, office, window)) for window in windows
    ]
    rows = sum(profile.rows for profile in counted)
    shown = label_of(windows[0].window, windows[-1].window)
    return Reference(
        kind="profile",
        uri=f"{store.uri}/{layout.blob(office.profile or '')}",
        digest=office.profile or "",
        verdict="pass",
        summary={
            "model": office.model,
            "version": office.number,
            "windows": len(windows),
            "rows": rows,
            "reasons": [f"Counted {rows} rows of {shown} in the cells of version {office.number}."],
        },
    )


def count_window(
    store: ObjectStore, office: Office, current: Current, reference: Profile, predictions: str | None
) -> Profile:
    """The window in the cells of the reference: its rows, and the predictions about them where the version made them.

    :param reference: the profile of the version in office.
    :param predictions: those of :func:`own_predictions`.
    """
    found = count_datasets(store, office.profile or "", _only(reference, FEATURE, TARGET), current.datasets)
    known = set(office.candidate["hashed_columns"])  # ids and times are no features, but no news either
    window = replace(found, unknown=tuple(name for name in found.unknown if name not in known))
    wanted = _only(reference, PREDICTION)
    if predictions is None or not wanted.columns:
        return window
    column = "prediction" if office.candidate["task"] == _MULTICLASS else "score"
    names = dict.fromkeys(wanted.columns, column)
    scored = count_datasets(store, office.profile or "", wanted, [predictions], names)
    return replace(window, columns=window.columns | scored.columns)


def count_datasets(
    store: ObjectStore,
    digest: str,
    reference: Profile,
    datasets: Sequence[str],
    names: Mapping[str, str] | None = None,
) -> Profile:
    """Each dataset counted by itself, or found counted, and all of them joined in this order.

    :param digest: of the profile that the reference is, or is part of.
    :param datasets: digests of dataset documents.
    :param names: as of :func:`~stoker.engines.profiles.profile_window`.
    """
    parts = []
    for dataset in datasets:
        what = {"counting": _COUNTING, "reference": digest, "columns": sorted(reference.columns), "dataset": dataset}
        key = layout.window_profile(wire.digest({**what, "names": dict(names or {})}))
        found = _kept(store, key)
        if found is None:
            document = get_document(store, dataset, "dataset")
            counted = profile_window(store, [document], reference=reference, names=names)
            _keep(store, key, store_profile(store, counted))
            found = _kept(store, key) or counted  # what somebody else kept meanwhile counts for all
        parts.append(found)
    return joined(parts)


def joined(parts: Sequence[Profile]) -> Profile:
    """Profiles of parts of a window as one. A column that only some have is missing in all rows of the others."""
    have = {name: column for part in parts for name, column in part.columns.items()}
    filled = [
        replace(part, columns={name: part.columns.get(name) or _absent(one, part.rows) for name, one in have.items()})
        for part in parts
    ]
    return Profile.merge(*filled)


def _absent(column: ColumnProfile, rows: int) -> ColumnProfile:
    return replace(
        column,
        counts=np.zeros((1, column.counts.shape[1]), dtype=np.int64),
        sums=np.zeros_like(column.sums),
        missing=np.array([rows], dtype=np.int64),
        infinite=np.zeros(1, dtype=np.int64),
        moments=Moments(),
    )


def _kept(store: ObjectStore, key: str) -> Profile | None:
    """What was counted before. Retention may have swept it, or a part of it; it can be counted again."""
    try:
        kept = parse_pointer(store.read(key), f"The window {key}", "window_profile")
        return load_profile(store, kept["profile"])
    except NotFound:
        return None


def _keep(store: ObjectStore, key: str, digest: str) -> None:
    record = {"format": wire.FORMAT, "kind": "window_profile", "profile": digest}
    with suppress(AlreadyExists):  # somebody else has counted it as well
        store.create(key, wire.canonical(record))


def _only(profile: Profile, *roles: str) -> Profile:
    return replace(profile, columns={name: one for name, one in profile.columns.items() if one.role in roles})
