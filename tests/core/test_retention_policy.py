from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from stoker.core.retention import RetentionPolicy, VersionFacts, why_kept
from stoker.errors import ConfigurationError
from stoker.loop.policy_file import load_policy

NOW = datetime(2026, 11, 21, tzinfo=UTC)
OLD = NOW - timedelta(days=1000)


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        (VersionFacts(99, OLD), None),
        (VersionFacts(99, OLD, aliased=True, blocked=True), "an alias points at it"),
        (VersionFacts(99, OLD, reviewed=True), "it is before people"),
        (VersionFacts(99, OLD, former=True), "it was champion lately"),
        (VersionFacts(99, OLD, used=True), "predictions or a run name it"),
        (VersionFacts(10, OLD), "it is among the newest"),
        (VersionFacts(11, OLD), None),
        (VersionFacts(99, NOW - timedelta(days=89)), "it is young"),
        (VersionFacts(99, NOW - timedelta(days=90)), None),
        (VersionFacts(99, OLD, blocked=True), "it is blocked"),
    ],
)
def test_the_first_rule_that_keeps_a_version_is_told(facts: VersionFacts, reason: str | None) -> None:
    assert why_kept(RetentionPolicy(), facts, NOW) == reason


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("newest_versions", 0, "at least 1"),
        ("former_champions", -1, "at least 0"),
        ("version_age", timedelta(seconds=-1), "must not be negative"),
        ("grace", timedelta(hours=23), "at least 24 hours"),
    ],
)
def test_a_policy_that_could_lose_something_is_refused(field: str, value: object, told: str) -> None:
    with pytest.raises(ConfigurationError, match=told):
        RetentionPolicy(**{field: value})


def test_a_policy_file_has_a_section_for_it(tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text("retention: {newest_versions: 20, version_age: 180d, grace: 3d}\n")
    found = load_policy(path).retention
    assert (found.newest_versions, found.version_age, found.grace) == (20, timedelta(days=180), timedelta(days=3))
    path.write_text("retention: {newest_version: 20}\n")
    with pytest.raises(ConfigurationError, match="Did you mean newest_versions"):
        load_policy(path)
