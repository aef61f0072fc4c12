from __future__ import annotations

import json

import pytest

from stoker.core.records import MAX_REFERENCE_BYTES, Reference
from stoker.errors import UsageError

REFERENCE = Reference("dataset", "file:///s/blobs/aa", "a" * 64, "pass", {"rows": 3})


def test_a_reference_goes_through_json_unchanged() -> None:
    assert Reference.from_xcom(json.loads(json.dumps(REFERENCE.to_xcom())), "dataset") == REFERENCE


def test_a_reference_that_carries_data_is_refused() -> None:
    with pytest.raises(UsageError, match=str(MAX_REFERENCE_BYTES)):
        Reference("dataset", "u", "d", "pass", {"rows": "x" * MAX_REFERENCE_BYTES}).to_xcom()


@pytest.mark.parametrize("value", [None, "text", {}, {"kind": "dataset"}, {**REFERENCE.to_xcom(), "more": 1}])
def test_what_is_no_reference_is_refused(value: object) -> None:
    with pytest.raises(UsageError, match=r"\.output"):
        Reference.from_xcom(value)


def test_a_reference_of_another_kind_is_refused() -> None:
    with pytest.raises(UsageError, match="candidate or version"):
        Reference.from_xcom(REFERENCE.to_xcom(), "candidate", "version")
