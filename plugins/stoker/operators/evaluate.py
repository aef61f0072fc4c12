"""A candidate against thresholds, simple baselines and the champion."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.sdk import SkipMixin

from stoker.core.names import check_name
from stoker.core.records import Reference
from stoker.errors import ConfigurationError, GateFailed, NotFound
from stoker.operators._base import StokerOperator, engine, followers
from stoker.operators._loop import section_with

if TYPE_CHECKING:
    from airflow.sdk import Context

    from stoker.core.policies import GatePolicy
    from stoker.registry.versions import Version

ON_FAILURE = ("skip", "fail", "continue")


class EvaluateModelOperator(StokerOperator, SkipMixin):
    """Judge a candidate on rows that neither it nor the champion has seen.

    The candidate must keep its thresholds, beat a dummy that ignores its input, load and predict in a clean process,
    and stand a paired bootstrap comparison against the champion, which is scored now, on the very same rows. The
    verdict is ``pass``, ``fail``, ``inconclusive``, ``insufficient_data`` or ``not_configured``, always with its
    reasons, and is always written. Only ``pass`` lets a model be promoted.

    :param model: what :class:`~stoker.operators.train.TrainModelOperator` returned.
    :param dataset: the rows to judge on. Default: the holdout that training set aside.
    :param name: the registered model that the candidate would become a version of; its ``baseline`` is the opponent.
    :param baseline: the alias of the opponent, ``champion`` by default; ``None`` compares with nothing.
    :param policy: the path of a YAML policy file. The arguments below win over it.
    :param thresholds: metric to bounds, such as ``{"roc_auc": {"min": 0.7}}``.
    :param metric: the metric of the comparison.
    :param comparison: ``superiority`` or ``non_inferiority``.
    :param margin: by how much it must be better, or may be worse; in units of the metric.
    :param alpha: the share of worthless candidates that may slip through.
    :param mode: ``enforce``; ``dry_run`` to judge without consequence: what follows is skipped; ``off`` to judge
        nothing.
    :param slices: columns by whose values both models are measured apart, such as ``["carrier", "origin"]``. Default: up to three of
        the most important features. For the report alone: no gate decides by a slice.
    :param on_failure: when the verdict is not ``pass``: ``skip`` what follows and keep the champion; ``fail`` the
        task; ``continue``.
    """

    template_fields: Sequence[str] = (
        "model", "dataset", "name", "baseline", "policy", "thresholds", "metric", "comparison", "margin", "alpha", "mode", "slices",
        "on_failure",
        *StokerOperator.template_fields,
    )  # fmt: skip
    template_fields_renderers: ClassVar[dict[str, str]] = {"thresholds": "json"}

    def __init__(
        self,
        *,
        model: Any,
        name: str,
        dataset: Any = None,
        baseline: str | None = "champion",
        policy: str | None = None,
        thresholds: Mapping[str, Mapping[str, float]] | None = None,
        metric: str | None = None,
        comparison: str | None = None,
        margin: float | None = None,
        alpha: float | None = None,
        mode: str = "enforce",
        slices: Sequence[str] | None = None,
        on_failure: str = "skip",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.model = model
        self.name = name
        self.dataset = dataset
        self.baseline = baseline
        self.policy = policy
        self.thresholds = thresholds
        self.metric = metric
        self.comparison = comparison
        self.margin = margin
        self.alpha = alpha
        self.mode = mode
        self.slices = slices
        self.on_failure = on_failure

    def step(self, context: Context) -> Reference:
        """Judge, and return a reference of kind ``evaluation``."""
        if self.on_failure not in ON_FAILURE:
            raise ConfigurationError(f"on_failure must be one of {', '.join(ON_FAILURE)}; got {self.on_failure!r}.")
        champion = self._champion()
        reference: Reference = engine("evaluation").evaluate(
            self.hook.get_conn(),
            model=Reference.from_xcom(self.model, "candidate"),
            dataset=None if self.dataset is None else Reference.from_xcom(self.dataset, "dataset", "validation"),
            policy=self._policy(),
            champion=champion.manifest if champion else None,
            champion_version=champion.number if champion else None,
            mode=self.mode,
            slices=self.slices,
            trusted=self.hook.settings.trusted_types,
        )
        return reference

    def conclude(self, context: Context, reference: Reference) -> None:
        """Let the run go on, or not. The verdict stands either way."""
        passed, dry = reference.verdict == "pass", self.mode == "dry_run"
        if not dry and (passed or self.on_failure == "continue"):
            return
        self.publish(context, reference)
        if not dry and self.on_failure == "fail":
            raise GateFailed(f"The model must pass its gate; {' '.join(reference.summary['reasons'])}")
        self.log.info("What follows is skipped%s.", " (dry run)" if dry else "; the champion stays")
        self.skip(context["ti"], followers(context))

    def _champion(self) -> Version | None:
        check_name(self.name, "model")
        if self.baseline is None:
            return None
        try:
            return self.hook.registry.resolve(self.name, self.baseline)
        except NotFound:
            return None

    def _policy(self) -> GatePolicy:
        given = {
            "thresholds": self.thresholds,
            "metric": self.metric,
            "comparison": self.comparison,
            "margin": self.margin,
            "alpha": self.alpha,
        }
        policy: GatePolicy = section_with("gate", self.policy, given)
        return policy
