"""From what monitoring found to what is done about it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from stoker.core.records import Reference
from stoker.operators._base import StokerOperator

if TYPE_CHECKING:
    from airflow.sdk import Context


class TriageOperator(StokerOperator):
    """Decide by what monitoring found, and act: stop, investigate, retrain, roll back, or nothing.

    Broken data comes first and is never trained on: its partitions are withdrawn until they mean another snapshot.
    Quality that is lost in the first windows after a promotion rolls the model back and blocks it, if the version before
    was scored beside it (``shadow="previous"`` of :class:`~stoker.operators.predict.BatchPredictOperator`) and is better on
    the same rows. Otherwise the policy's section ``triage`` has an action for each kind of finding. A retraining is put to
    the broker as a request; a drift that goes on asks again only when it has lasted another ``windows`` windows. Whatever
    is decided is kept in the broker's journal. Findings about a version that is the champion no more lead to nothing, and
    a backfill only decides.

    :param name: the registered model.
    :param drift: what :class:`~stoker.operators.drift.MonitorDriftOperator` returned.
    :param performance: what :class:`~stoker.operators.performance.MonitorPerformanceOperator` returned.
    :param validation: what :class:`~stoker.operators.validate.ValidateDataOperator` returned, or the list of a mapped one.
    :param policy: the path of a YAML policy file.
    :param max_age: the age at which a champion is stale, such as ``30d``, at the time that the run is for; default: the
        policy's ``cadence.max_age``.
    :param allow_backfill: act in a backfill run as well.
    """

    template_fields: Sequence[str] = (
        "name", "drift", "performance", "validation", "policy", "max_age", *StokerOperator.template_fields,
    )  # fmt: skip

    def __init__(
        self,
        *,
        name: str,
        drift: Any = None,
        performance: Any = None,
        validation: Any = None,
        policy: str | None = None,
        max_age: str | timedelta | None = None,
        allow_backfill: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.name = name
        self.drift = drift
        self.performance = performance
        self.validation = validation
        self.policy = policy
        self.max_age = max_age
        self.allow_backfill = allow_backfill

    def step(self, context: Context) -> Reference:
        """Decide and act, and return a reference of kind ``triage``."""
        from stoker.operators._triaging import Triaging

        return Triaging(self, context).run()
