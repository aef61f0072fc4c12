"""What people and other systems hand in: refused by the error of its place, which says what is wrong with what."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from stoker.core.alerts import FORMS, read_message, read_webhook
from stoker.core.records import Reference
from stoker.engines.expectations import load_expectations
from stoker.errors import ConfigurationError, InvalidName, StokerError, UnreadableData, UsageError
from stoker.loop.policy_file import load_policy
from stoker.loop.spec import LoopSpec
from stoker.settings import Settings
from tests.security.mutations import BYTES

GENERIC = b'{"fingerprint":"a","starts_at":"2026-11-21T12:00:00Z","status":"firing","labels":{},"kind":"x"}'
_FORMAT_ONLY = {how for how in BYTES if how.startswith("of ") or how == "without a format"}
_TAKEN = _FORMAT_ONLY | {"with a text of 10 MB", "with half a surrogate pair", "an empty object"}
"""Good JSON: the length of a body is limited where it comes in, texts are cleaned, and a message may be as short as its queue's id."""
_NO_JSON = [how for how in BYTES if how not in _TAKEN]


@pytest.mark.parametrize("how", _NO_JSON)
@pytest.mark.parametrize("form", [*FORMS, "queue"])
def test_a_body_that_is_no_strict_json_is_refused(form: str, how: str) -> None:
    body = BYTES[how](GENERIC)
    with pytest.raises(UnreadableData):
        read_message("churn", body, "id") if form == "queue" else read_webhook(form, "churn", body)


ALERTS: dict[str, tuple[Any, str]] = {
    "no alerts": ({"version": "4"}, "alerts"),
    "alerts as an object": ({"version": "4", "alerts": {}}, "alerts"),
    "an alert that is a text": ({"version": "4", "alerts": ["x"]}, "alerts"),
    "no version": ({"alerts": []}, "version"),
    "a version as a number": ({"version": 4, "alerts": []}, "version"),
    "no status": ({"version": "4", "alerts": [{}]}, "status"),
    "a status of its own": ({"version": "4", "alerts": [{"status": "burning"}]}, "status"),
    "a status as a list": ({"version": "4", "alerts": [{"status": []}]}, "status"),
    "no time": ({"version": "4", "alerts": [{"status": "firing"}]}, "startsAt"),
    "a time without a zone": ({"version": "4", "alerts": [{"status": "firing", "startsAt": "2026-11-21"}]}, "startsAt"),
    "a time as a number": ({"version": "4", "alerts": [{"status": "firing", "startsAt": 1e300}]}, "startsAt"),
    "a time out of range": (
        {"version": "4", "alerts": [{"status": "firing", "startsAt": "0001-01-01T00:00:00+23:59"}]},
        "startsAt",
    ),
}


@pytest.mark.parametrize("case", ALERTS)
def test_an_alert_that_lacks_what_it_needs_is_refused_by_field(case: str) -> None:
    content, field = ALERTS[case]
    with pytest.raises(UnreadableData, match=field):
        read_webhook("alertmanager", "churn", json.dumps(content).encode())


POLICIES: dict[str, tuple[bytes, str]] = {
    "bytes that are no text": (b"\xff\xfe\x00", "YAML"),
    "half a character": (b"gate: {metric: \xc3}", "YAML"),
    "a tag that builds": (b"!!python/object/apply:os.system [id]", "YAML"),
    "a tag that builds, in a field": (b"gate: !!python/name:os.system", "YAML"),
    "an alias": (b"gate: &a {min_rows: 1}\ndrift: *a", "alias"),
    "an alias of itself": (b"gate: &a [*a]", "alias"),
    "a billion laughs": (b"a: &a [x,x]\nb: &b [*a,*a]\nc: [*b,*b]", "alias"),
    "two documents": (b"gate: {}\n---\ngate: {}", "YAML"),
    "a key twice": (b"gate: {min_rows: 1, min_rows: 2}", "min_rows"),
    "a section twice": (b"gate: {}\ngate: {}", "gate"),
    "a number for a key": (b"1: {}", "key"),
    "an unknown section": (b"gates: {}", "gates"),
    "an unknown field": (b"gate: {metrics: roc_auc}", "metrics"),
    "a list": (b"[]", "mapping"),
    "a text": (b"gate", "mapping"),
    "a section that is a list": (b"gate: []", "gate"),
    "a number in quotes": (b"gate: {min_rows: '7'}", "min_rows"),
    "NaN": (b"gate: {margin: .nan}", "margin"),
    "infinity": (b"gate: {margin: .inf}", "margin"),
    "a negative number": (b"gate: {min_rows: -1}", "min_rows"),
    "a huge number": (b"performance: {alpha: 1" + b"0" * 400 + b"}", "alpha"),
    "a date that does not exist": (b"gate: {metric: 2013-99-99}", "YAML"),
    "nested lists": (b"[" * 10_000, "YAML"),
    "tabs": (b"gate:\n\tmetric: x", "YAML"),
    "too much": (b"#" * 70_000, "bytes"),
    "a duration without a unit": (b"cadence: {cooldown: 6}", "cooldown"),
    "a negative duration": (b"cadence: {cooldown: -6h}", "cooldown"),
}


@pytest.mark.parametrize("case", POLICIES)
def test_a_policy_file_that_is_malformed_is_refused_by_file_and_field(tmp_path: Path, case: str) -> None:
    content, field = POLICIES[case]
    path = tmp_path / "policy.yaml"
    path.write_bytes(content)
    with pytest.raises(ConfigurationError, match=field) as refused:
        load_policy(path)
    assert str(path) in str(refused.value)


EXPECTATIONS: dict[str, bytes] = {
    "nothing": b"", "no JSON": b"{", "a number": b"7", "a list of numbers": b"[7]", "no type": b"[{}]",
    "an unknown type": b'[{"type":"x"}]',
    "a type that is a list": b'[{"type":[]}]', "a type that is an object": b'[{"type":{}}]', "half a character": b'["\xc3"]',
    "nested lists": b"[" * 100_000, "nested objects": b'{"a":' * 100_000, "NaN": b"[NaN]", "UTF-16": '["x"]'.encode("utf-16"),
    "arguments as a list": b'[{"type":"expect_table_row_count_to_be_between","kwargs":[]}]',
    "an argument of no use": b'[{"type":"expect_table_row_count_to_be_between","kwargs":{"x":1}}]',
    "a severity of its own": b'[{"type":"expect_table_row_count_to_be_between","severity":"grave"}]',
    "a severity as a list": b'[{"type":"expect_table_row_count_to_be_between","severity":["critical"]}]',
}  # fmt: skip


@pytest.mark.parametrize("case", EXPECTATIONS)
def test_a_file_of_expectations_that_is_malformed_is_refused(tmp_path: Path, case: str) -> None:
    path = tmp_path / "expectations.json"
    path.write_bytes(EXPECTATIONS[case])
    with pytest.raises(ConfigurationError, match=r"[Ee]xpectation"):
        load_expectations(str(path))


SETTINGS: dict[str, tuple[dict[str, Any], str]] = {
    "nothing": ({}, "store"), "a store as a list": ({"store": ["s3://a/b"]}, "store"), "a store as a number": ({"store": 7}, "store"),
    "an unknown name": ({"store": "s3://a/b", "bucket": "x"}, "bucket"),
    "an owner as a number": ({"store": "s3://a/b", "expected_bucket_owner": 7}, "expected_bucket_owner"),
    "a connection as a list": ({"store": "s3://a/b", "aws_conn_id": []}, "aws_conn_id"),
    "types as a number": ({"store": "s3://a/b", "trusted_types": 7}, "trusted_types"),
    "types as numbers": ({"store": "s3://a/b", "trusted_types": [7]}, "trusted_types"),
    "threads as a text": ({"store": "s3://a/b", "max_threads": "many"}, "max_threads"),
    "no thread": ({"store": "s3://a/b", "max_threads": 0}, "max_threads"),
    "negative threads": ({"store": "s3://a/b", "max_threads": -1}, "max_threads"),
    "threads with a point": ({"store": "s3://a/b", "max_threads": 1.5}, "max_threads"),
    "other digits": ({"store": "s3://a/b", "max_threads": "\u0661"}, "max_threads"),
    "a flag for threads": ({"store": "s3://a/b", "max_threads": True}, "max_threads"),
    "threads as 5,000 digits": ({"store": "s3://a/b", "max_threads": "9" * 5000}, "max_threads"),
}  # fmt: skip


@pytest.mark.parametrize("case", SETTINGS)
def test_settings_that_are_malformed_are_refused_by_name(case: str) -> None:
    given, name = SETTINGS[case]
    with pytest.raises(ConfigurationError, match=name):
        Settings.from_mapping(given)


_GOOD = {"kind": "dataset", "uri": "file:///x", "digest": "a" * 64, "verdict": "pass", "summary": {}}
REFERENCES: dict[str, Any] = {
    "nothing": None, "a text": "x", "a number": 7, "a list": [], "an empty object": {}, "a nested text": json.dumps(_GOOD),
    **{f"no {name}": {key: value for key, value in _GOOD.items() if key != name} for name in _GOOD},
    **{f"{name} as null": {**_GOOD, name: None} for name in _GOOD},
    **{f"{name} as a list": {**_GOOD, name: []} for name in _GOOD},
    "one field more": {**_GOOD, "x": 1}, "another kind": {**_GOOD, "kind": "version"},
}  # fmt: skip


@pytest.mark.parametrize("case", REFERENCES)
def test_an_xcom_that_is_no_reference_is_refused(case: str) -> None:
    with pytest.raises(UsageError, match="reference"):
        Reference.from_xcom(REFERENCES[case], "dataset")


_SPEC = {
    "name": "churn", "estimator": "a.b", "target": "late", "source": "/landing", "partition": r"x-(.+)\.csv", "id_columns": ["id"],
    "expectations": "x.json",
}  # fmt: skip
SPECS: dict[str, tuple[dict[str, Any], str]] = {
    "a hostile name": ({"name": "../x"}, "model name"), "a name that is a number": ({"name": 7}, "model name"),
    "a hostile dataset": ({"dataset": "a/b"}, "dataset name"), "a hostile shadow": ({"shadow": "v7"}, "alias"),
    "a broken expression": ({"partition": "("}, "partition"), "no group": ({"partition": "x"}, "partition"),
    "two groups": ({"partition": "(a)(b)"}, "partition"), "no expression": ({"partition": None}, "partition"),
    "a number for an expression": ({"partition": 7}, "partition"), "no ids": ({"id_columns": []}, "id_columns"),
    "no expectations": ({"expectations": []}, "expectations"),
    "an unknown granularity": ({"granularity": "coarse"}, "granularity"), "no hours": ({"approval_hours": 0}, "approval_hours"),
    "hours that are not a number": ({"approval_hours": float("nan")}, "approval_hours"),
    "hours as a text": ({"approval_hours": "72"}, "approval_hours"), "hours for ever": ({"approval_hours": float("inf")}, "approval_hours"),
    "NaN in the training": ({"training": {"test_size": float("nan")}}, "training"),
    "an object": ({"default_args": {"x": object()}}, "default_args"),
    "a set": ({"tags": {1, 2}}, "tags"),
}  # fmt: skip


@pytest.mark.parametrize("case", SPECS)
def test_a_spec_that_is_malformed_is_refused_by_argument(case: str) -> None:
    changes, argument = SPECS[case]
    with pytest.raises((ConfigurationError, InvalidName), match=argument):
        LoopSpec(**{**_SPEC, **changes})


def test_the_good_specimens_are_taken() -> None:
    takers: list[Callable[[], object]] = [
        lambda: read_webhook("generic", "churn", GENERIC),
        lambda: Settings.from_mapping({"store": "s3://a/b"}),
        lambda: Reference.from_xcom(_GOOD, "dataset"),
        lambda: LoopSpec(**_SPEC),
    ]
    for take in takers:
        try:
            take()
        except StokerError as error:
            pytest.fail(str(error))
