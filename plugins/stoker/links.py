"""Links from a task in Airflow's UI to what it wrote."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperatorLink
from airflow.sdk.execution_time.xcom import XCom

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator
    from airflow.sdk.types import TaskInstanceKey


class VerdictLink(BaseOperatorLink):
    """From a Stoker task to what it wrote, in Stoker's pages: the document with its verdict and report, or the version that it named.

    Airflow asks for the link in the task's own process, when the task ends, and stores the answer.
    """

    name = "Verdict"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """A root-relative address, or nothing when the task returned no reference."""
        reference: Any = XCom.get_value(key="return_value", ti_key=ti_key)
        if not isinstance(reference, dict) or "digest" not in reference:
            return ""
        if reference["kind"] in ("version", "alias"):  # the digest is the log's here, and names no document
            summary = reference["summary"]
            return f"/stoker/models/{summary['name']}/versions/{summary['version']}"
        return f"/stoker/documents/{reference['digest']}"
