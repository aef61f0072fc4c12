"""The versions of a model: a row for each, and everything of one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from stoker.core.names import check_name, check_version
from stoker.registry.state import ModelState, Review
from stoker.registry.versions import Version
from stoker.ui.views.places import task_place
from stoker.ui.views.reading import Reading, mapping, number, text
from stoker.ui.views.records import (
    Difference,
    FileFact,
    MetricRow,
    ReviewBrief,
    VersionRow,
    VersionsPage,
    VersionView,
)

MOST_ROWS = 200


def versions_page(reading: Reading, name: str, *, before: int | None, limit: int) -> VersionsPage:
    """Versions, newest first.

    :param before: begin with the version before this one; ``None`` begins with the newest.
    :param limit: how many, at most :data:`MOST_ROWS`.
    :raises NotFound: when there is no such model.
    """
    state = reading.registry.state(check_name(name, "model"))
    last = state.versions if before is None else min(check_version(before) - 1, state.versions)
    limit = max(1, min(limit, MOST_ROWS))
    rows = [version_row(reading, state, at) for at in range(last, max(last - limit, 0), -1)]
    return VersionsPage(name, rows, rows[-1].number if rows and rows[-1].number > 1 else None, state.versions)


def version_row(reading: Reading, state: ModelState, at: int) -> VersionRow:
    """A version in the list. What it was registered with is read once; aliases, blocks and reviews are those of the state."""
    state.require_version(at)
    row, _ = reading.of_version(state.model, at, _made)
    review = state.reviews.get(at)
    return replace(
        row,
        aliases=sorted(alias for alias, target in state.aliases.items() if target.version == at),
        blocked=at in state.blocked,
        archived=at in state.archived,
        review=review_brief(reading, review) if review else None,
    )


def review_brief(reading: Reading, review: Review) -> ReviewBrief:
    """A review as it stands now: one that was not decided in time counts as rejected."""
    late = review.status == "waiting" and not review.waits(reading.now())
    return ReviewBrief(
        version=review.version,
        status="rejected" if late else review.status,
        evidence=review.evidence,
        asked_by=review.asked_by,
        where=task_place(review.asked_from),
        until=review.until,
        four_eyes=review.four_eyes,
        decided_by=review.decided_by,
    )


def evaluation_of(version: Version) -> Mapping[str, Any]:
    """What the manifest says of the evaluation; empty without one."""
    return mapping(version.manifest.get("evaluation"))


def deciding_metric(evaluation: Mapping[str, Any]) -> str | None:
    """The metric that an evaluation was decided by."""
    return text(mapping(evaluation.get("comparison")).get("metric")) or text(
        mapping(evaluation.get("policy")).get("metric")
    )


def difference_of(reading: Reading, model: str, at: int) -> Difference | None:
    """How much better a version was than the champion of then; ``None`` when there was none to compare it with."""
    return reading.of_version(model, at, _made)[1]


def _made(version: Version) -> tuple[VersionRow, Difference | None]:
    return _row(version), _difference(evaluation_of(version))


def _row(version: Version) -> VersionRow:
    evaluation, verdict = evaluation_of(version), version.verdict
    metric = deciding_metric(evaluation)
    metrics = {name: number(value) for name, value in mapping(evaluation.get("metrics")).items()}
    deciding = {metric: metrics[metric]} if metric in metrics else {}
    return VersionRow(
        number=version.number,
        aliases=[],
        blocked=False,
        archived=False,
        outcome=verdict.outcome.value if verdict else "not_configured",
        reason=verdict.reasons[0] if verdict else "It was not evaluated.",
        metrics={**deciding, **metrics},
        metric=metric if metric in metrics else next(iter(metrics), None),
        registered=version.time,
        actor=version.actor.user,
        where=task_place(version.actor.origin),
        evaluation=text(evaluation.get("digest")),
        digest=version.digest,
        review=None,
    )


def version_view(reading: Reading, name: str, at: int) -> VersionView:
    """Everything of one version.

    :raises NotFound: when there is no such model or version.
    :raises CorruptArtifact: when its manifest is lost or damaged.
    """
    state = reading.registry.state(check_name(name, "model"))
    version = reading.registry.version(name, at)
    evaluation, candidate = evaluation_of(version), mapping(version.manifest.get("candidate"))
    estimator = mapping(candidate.get("estimator"))
    return VersionView(
        model=name,
        row=version_row(reading, state, at),
        registered_because=version.reason,
        seq=version.seq,
        fingerprint=version.fingerprint,
        reasons=list(version.verdict.reasons) if version.verdict else [],
        metrics=_metric_rows(evaluation),
        difference=_difference(evaluation),
        policy=dict(mapping(evaluation.get("policy"))),
        rows=_whole(evaluation.get("rows")),
        baseline_version=_whole(evaluation.get("baseline_version")),
        estimator=text(estimator.get("class")),
        data=_data(candidate),
        snapshots=[digest for digest in _listed(candidate.get("datasets")) if isinstance(digest, str)],
        features=[dict(feature) for feature in _listed(candidate.get("features")) if isinstance(feature, Mapping)],
        parameters=dict(mapping(candidate.get("params"))),
        importances=_importances(candidate),
        code={**mapping(candidate.get("code")), **{name: estimator[name] for name in estimator if name != "class"}},
        environment=dict(mapping(candidate.get("environment"))),
        training={
            **mapping(candidate.get("training")),
            **{name: candidate[name] for name in _OF_TRAINING if candidate.get(name) is not None},
        },
        candidate=text(candidate.get("digest")),
        files=[FileFact(file, stored.sha256, stored.size) for file, stored in sorted(version.files.items())],
        newest=state.versions,
    )


_OF_TRAINING = ("random_state", "scoring", "search", "timings", "learning_curve")
_OF_DATA = ("dataset_name", "partition", "target", "task", "classes", "time_column", "split", "hashed_columns")


def _data(candidate: Mapping[str, Any]) -> dict[str, Any]:
    rows = mapping(candidate.get("rows"))
    facts = {name: candidate[name] for name in _OF_DATA if candidate.get(name) is not None}
    return {**facts, **{f"rows_{part}": count for part, count in rows.items()}}


def _difference(evaluation: Mapping[str, Any]) -> Difference | None:
    comparison = mapping(evaluation.get("comparison"))
    if not comparison:
        return None
    return Difference(
        metric=text(comparison.get("metric")),
        value=number(comparison.get("challenger")),
        champion=number(comparison.get("champion")),
        estimate=number(comparison.get("estimate")),
        low=number(comparison.get("low")),
        high=number(comparison.get("high")),
    )


def _metric_rows(evaluation: Mapping[str, Any]) -> list[MetricRow]:
    metric, champion = deciding_metric(evaluation), mapping(evaluation.get("champion_metrics"))
    baselines = {name: mapping(values) for name, values in mapping(evaluation.get("baselines")).items()}
    rows = [
        MetricRow(
            name=name,
            value=number(value),
            champion=number(champion.get(name)),
            baselines={baseline: number(values.get(name)) for baseline, values in baselines.items()},
            decides=name == metric,
        )
        for name, value in mapping(evaluation.get("metrics")).items()
    ]
    return sorted(rows, key=lambda row: not row.decides)


def _importances(candidate: Mapping[str, Any]) -> dict[str, float]:
    shares = {name: number(share) for name, share in mapping(candidate.get("importances")).items()}
    known = [(name, share) for name, share in shares.items() if share is not None]
    return dict(sorted(known, key=lambda one: -one[1]))


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _listed(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
