"""Data against expectations."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk import BranchMixIn

from stoker.core.records import Reference
from stoker.errors import ConfigurationError, DataValidationFailed
from stoker.operators._base import StokerOperator, engine, number, task_key

if TYPE_CHECKING:
    from airflow.sdk import Context

ON_FAILURE = ("fail", "quarantine", "warn", "branch")


class ValidateDataOperator(StokerOperator, BranchMixIn):
    """Check a snapshot against Great Expectations, and take bad rows out.

    Each expectation has a severity: a broken ``critical`` one decides, a ``warning`` is told, an ``info`` is
    recorded. With ``quarantine`` the rows that broke a critical expectation go to a dataset of their own, every one
    of them with its reasons, and the rest goes on; rows in always equal rows on plus rows quarantined. A broken
    expectation about the table as a whole names no rows, so it fails the task in every mode but ``warn`` and
    ``branch``.

    :param dataset: what :class:`~stoker.operators.snapshot.SnapshotDatasetOperator` returned.
    :param expectations: the path of a JSON file in Great Expectations' own form, a list of such mappings, or a
        function without arguments that returns one. The function is called when the task runs, never when the DAG is
        parsed.
    :param on_failure: ``fail``; ``quarantine``; ``warn`` to go on with all rows; ``branch`` to go on with
        ``if_failed``.
    :param max_quarantine_share: share of rows, 0 to 1, above which quarantining gives up and the verdict is ``fail``.
    :param personal_columns: columns that name or describe a person, such as ``["email"]``. Their values stay in the rows; checks,
        reasons, logs and reports of these rows, and of models trained on them from now on, show none. What they do not hide: the smallest
        and largest value in the dataset's document, the counts behind the drift of a column in the model's profile, the classes of a
        target, and everything that was written before.
    :param if_passed: with ``branch``: ids of the direct downstream tasks that run when the data is good.
    :param if_failed: with ``branch``: ids of those that run when it is not.
    """

    template_fields: Sequence[str] = (
        "dataset",
        "expectations",
        "max_quarantine_share",
        "personal_columns",
        *StokerOperator.template_fields,
    )

    def __init__(
        self,
        *,
        dataset: Any,
        expectations: str | Sequence[Mapping[str, Any]] | Callable[[], Any],
        on_failure: str = "quarantine",
        max_quarantine_share: float = 0.1,
        personal_columns: Sequence[str] = (),
        if_passed: str | Sequence[str] = (),
        if_failed: str | Sequence[str] = (),
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.dataset = dataset
        self.expectations = expectations
        self.on_failure = on_failure
        self.max_quarantine_share = max_quarantine_share
        self.personal_columns = personal_columns
        self.if_passed = if_passed
        self.if_failed = if_failed

    def step(self, context: Context) -> Reference:
        """Validate, and return a reference of kind ``validation``."""
        if self.on_failure not in ON_FAILURE:
            raise ConfigurationError(f"on_failure must be one of {', '.join(ON_FAILURE)}; got {self.on_failure!r}.")
        reference: Reference = engine("validation").validate(
            self.hook.get_conn(),
            Reference.from_xcom(self.dataset, "dataset"),
            expectations=self.expectations,
            on_failure=self.on_failure,
            max_quarantine_share=number(self.max_quarantine_share, "max_quarantine_share"),
            personal_columns=self.personal_columns,
            origin=task_key(context),
        )
        return reference

    def conclude(self, context: Context, reference: Reference) -> None:
        """Take the branch, or refuse bad data."""
        failed = reference.verdict == "fail"
        if self.on_failure == "branch":
            self.publish(context, reference)
            self.do_branch(context, self.if_failed if failed else self.if_passed)
        elif failed and self.on_failure != "warn":
            self.publish(context, reference)
            reasons = " ".join(reference.summary["reasons"])
            raise DataValidationFailed(
                f"The data must meet its expectations; {reasons} The whole result: {reference.uri}"
            )
