"""Back to the champion before this one, by hand: trigger it, say why, and it is done in seconds.

The version that is left stays blocked, so that no loop promotes it again. Trains nothing.
"""

from __future__ import annotations

from airflow.sdk import Param, dag

from stoker import RollbackModelOperator, model_asset

MODEL = "flights_late"


@dag(
    schedule=None,
    tags=["stoker", MODEL],
    params={
        "reason": Param(
            "rolled back by hand",
            type="string",
            title="Reason",
            minLength=3,
            maxLength=200,
            description="Why; kept in the audit log.",
        )
    },
    doc_md=__doc__,
)
def flights_rollback() -> None:
    """One step."""
    RollbackModelOperator(task_id="rollback", name=MODEL, reason="{{ params.reason }}", outlets=[model_asset(MODEL)])


flights_rollback()
