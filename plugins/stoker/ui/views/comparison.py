"""Two versions of a model side by side."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from stoker.core.names import check_name
from stoker.registry.versions import Version
from stoker.ui.views.reading import Reading, mapping, number
from stoker.ui.views.records import ComparedRow, ComparedSection, ComparisonView
from stoker.ui.views.versions import deciding_metric, evaluation_of, version_row

_LONGEST = 500
_Facts = Callable[[Version], Mapping[str, Any]]


def comparison_view(reading: Reading, name: str, left: int, right: int) -> ComparisonView:
    """Compare two versions fact by fact, in the order of the left one.

    :raises NotFound: when there is no such model or version.
    """
    state = reading.registry.state(check_name(name, "model"))
    versions = reading.registry.version(name, left), reading.registry.version(name, right)
    evaluated = [evaluation_of(version) for version in versions]
    rows = [evaluation.get("dataset") for evaluation in evaluated]
    return ComparisonView(
        model=name,
        left=version_row(reading, state, left),
        right=version_row(reading, state, right),
        same_rows=rows[0] is not None and rows[0] == rows[1],
        sections=[_section(title, versions, facts) for title, facts in _SECTIONS.items()],
    )


def _section(title: str, versions: tuple[Version, Version], facts: _Facts) -> ComparedSection:
    left, right = (facts(version) for version in versions)
    rows = [_row(label, left, right) for label in {**left, **right}]
    return ComparedSection(title, rows, sum(row.differs for row in rows))


def _row(label: str, left: Mapping[str, Any], right: Mapping[str, Any]) -> ComparedRow:
    before, after = number(left.get(label)), number(right.get(label))
    return ComparedRow(
        label=label,
        left=_shown(left[label]) if label in left else None,
        right=_shown(right[label]) if label in right else None,
        differs=left.get(label) != right.get(label) or (label in left) != (label in right),
        change=after - before if before is not None and after is not None else None,
    )


def _shown(value: Any) -> str:
    if isinstance(value, str):
        shown = value
    elif isinstance(value, float):
        shown = f"{value:.6g}"
    else:
        shown = json.dumps(value, ensure_ascii=False)
    return shown if len(shown) <= _LONGEST else f"{shown[: _LONGEST - 1]}…"


def _candidate(version: Version) -> Mapping[str, Any]:
    return mapping(version.manifest.get("candidate"))


def _metrics(version: Version) -> dict[str, Any]:
    evaluation = evaluation_of(version)
    metrics, deciding = mapping(evaluation.get("metrics")), deciding_metric(evaluation)
    verdict = {"verdict": version.verdict.outcome.value} if version.verdict else {}
    first = {deciding: metrics[deciding]} if deciding is not None and deciding in metrics else {}
    return {**first, **metrics, **verdict}


def _data(version: Version) -> dict[str, Any]:
    candidate = _candidate(version)
    facts = {name: candidate[name] for name in ("dataset_name", "partition", "target", "task") if name in candidate}
    split = {f"split {name}": value for name, value in mapping(candidate.get("split")).items()}
    snapshots, features = candidate.get("datasets"), candidate.get("features")
    counted = {"snapshots": len(snapshots)} if isinstance(snapshots, list) else {}
    typed = {
        f"feature {feature.get('name')}": feature.get("type")
        for feature in (features if isinstance(features, list) else ())
        if isinstance(feature, Mapping)
    }
    rows = {f"{part} rows": count for part, count in mapping(candidate.get("rows")).items()}
    evaluation = evaluation_of(version)
    evaluated = {"evaluation rows": evaluation["rows"]} if "rows" in evaluation else {}
    return {**facts, **split, **rows, **evaluated, **counted, **typed}


def _code(version: Version) -> dict[str, Any]:
    candidate = _candidate(version)
    return {**mapping(candidate.get("code")), **mapping(candidate.get("estimator"))}


def _environment(version: Version) -> dict[str, Any]:
    environment = mapping(_candidate(version).get("environment"))
    plain = {name: value for name, value in environment.items() if name != "packages"}
    return {**plain, **mapping(environment.get("packages"))}


_SECTIONS: dict[str, _Facts] = {
    "metrics": _metrics,
    "parameters": lambda version: mapping(_candidate(version).get("params")),
    "data": _data,
    "code": _code,
    "environment": _environment,
}
