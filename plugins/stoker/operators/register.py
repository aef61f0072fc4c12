"""From a judged candidate to an immutable version."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from stoker.core.records import Reference
from stoker.operators._base import StokerOperator, actor_of, engine, task_key

if TYPE_CHECKING:
    from airflow.sdk import Context


class RegisterModelOperator(StokerOperator):
    """Make a candidate the next version of a registered model.

    A version never changes: its manifest names data, code, parameters, environment, metrics and verdict, and the
    SHA-256 of every file. Registering the same candidate again, by a retry, a cleared task or another run, returns
    the version that it already is. The model is loaded in a clean process first.

    :param model: what a training task returned.
    :param evaluation: what the evaluation task returned. Without one the version can be promoted only with
        ``require_verdict=False``.
    :param name: the registered model: a lower-case letter, then lower-case letters, digits, ``_`` or ``-``.
    :param aliases: aliases to point at the new version at once, such as ``["challenger"]``; not ``champion``, which
        is promoted.
    :param reason: why, for the audit log.
    """

    template_fields: Sequence[str] = (
        "model",
        "evaluation",
        "name",
        "aliases",
        "reason",
        *StokerOperator.template_fields,
    )

    def __init__(
        self,
        *,
        model: Any,
        name: str,
        evaluation: Any = None,
        aliases: Sequence[str] = (),
        reason: str = "trained by {{ dag.dag_id }}",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.model = model
        self.name = name
        self.evaluation = evaluation
        self.aliases = aliases
        self.reason = reason

    def step(self, context: Context) -> Reference:
        """Register, and return a reference of kind ``version``."""
        result: Reference = engine("registration").register(
            self.hook.get_conn(),
            self.hook.registry,
            name=self.name,
            model=Reference.from_xcom(self.model, "candidate"),
            evaluation=None if self.evaluation is None else Reference.from_xcom(self.evaluation, "evaluation"),
            aliases=tuple(self.aliases),
            actor=actor_of(context),
            reason=self.reason,
            idempotency_key=task_key(context),
            trusted=self.hook.settings.trusted_types,
        )
        return result
