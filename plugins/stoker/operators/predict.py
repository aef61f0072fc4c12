"""Batch predictions with the version that the run began with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowSkipException

from stoker.core.names import check_name
from stoker.core.records import Reference
from stoker.errors import VersionBlocked
from stoker.loop.cohorts import unscored
from stoker.loop.pins import pinned_plan
from stoker.loop.plans import Plan, is_share, label_of, share_of, shared_out
from stoker.operators._base import StokerOperator, engine, task_key
from stoker.operators._loop import references
from stoker.operators._pinned import pinned_version
from stoker.operators._plan import PlanOperator
from stoker.store import partitions
from stoker.store.documents import get_document

if TYPE_CHECKING:
    from airflow.sdk import Context

    from stoker.registry.registry import Registry
    from stoker.registry.versions import Version
    from stoker.store.base import ObjectStore

_SHOWN = 50  # partitions that a summary names
_REASONS = 10  # that it holds


class BatchPredictOperator(StokerOperator):
    """Score partitions of a dataset, each id exactly once, all of a run by one version.

    The version is decided once for a run: retries and mapped tasks work with it even when somebody promotes in between, and so does the
    run when it is cleared. Each partition becomes visible by one write, and a repeated task replaces its own partitions alone. What that
    version has scored already is not computed again.

    Give it :func:`~stoker.assets.predictions_asset` as an outlet. Without a champion, or with nothing to score, the task is skipped and
    emits nothing.

    To spread a run over several workers, map it over what :class:`PlanPredictionsOperator` shared out, and let
    :class:`MergePredictionsOperator`, which carries the outlet then, follow.

    :param model: ``name@champion`` or any other alias, ``name@7`` for a version, ``name`` for the champion.
    :param dataset: what a snapshot or validation task returned, or a list of that; or the name of a dataset: all of its partitions whose
        current snapshot is not scored yet, oldest first; or one share of a plan.
    :param id_columns: the columns that tell rows apart, also from those of other partitions.
    :param shadow: an alias whose version scores the same rows beside, without consequence; left out while it is unset. A plan decides it
        for all of its tasks.
    :param allow_blocked: score with a version that was rolled back.
    """

    template_fields: Sequence[str] = ("model", "dataset", "id_columns", "shadow", *StokerOperator.template_fields)

    def __init__(
        self,
        *,
        model: str,
        dataset: Any,
        id_columns: Sequence[str],
        shadow: str | None = None,
        allow_blocked: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.model = model
        self.dataset = dataset
        self.id_columns = id_columns
        self.shadow = shadow
        self.allow_blocked = allow_blocked

    def step(self, context: Context) -> Reference:
        """Score, and return the reference of the newest partition, of kind ``predictions``."""
        name = _name(self.model)
        store, settings = self.hook.get_conn(), self.hook.settings
        version, shadow, digests = self._planned(name) if is_share(self.dataset) else self._decided(name, context)
        scored: list[Reference] = []
        for digest in digests:
            reference = engine("scoring").score(
                store,
                model_name=name,
                version=version.manifest,
                version_number=version.number,
                shadow=None if shadow is None else (shadow.manifest, shadow.number),
                dataset_digest=digest,
                origin=task_key(context),
                id_columns=list(self.id_columns),
                trusted=settings.trusted_types,
                max_threads=settings.max_threads,
            )
            scored.append(_with_partitions(reference))
            self.log.info("Scored %d of %d partitions.", len(scored), len(digests))
        return _together(scored)

    def _planned(self, name: str) -> tuple[Version, Version | None, list[str]]:
        """What the plan of the run says."""
        registry = self.hook.registry
        facts, digests = share_of(registry.store, name, self.dataset)
        version, shadow = registry.version(name, facts["version"]), facts["shadow"]
        _refuse_blocked(version, allowed=self.allow_blocked)
        return version, None if shadow is None else registry.version(name, shadow), digests

    def _decided(self, name: str, context: Context) -> tuple[Version, Version | None, list[str]]:
        """What a task on its own decides."""
        store, registry = self.hook.get_conn(), self.hook.registry
        version = _version(registry, self.model, context)
        _refuse_blocked(version, allowed=self.allow_blocked)
        shadow = pinned_version(registry, name, self.shadow, context) if self.shadow else None
        # A retry must find the partitions that its first try has scored already, and give the same answer.
        plan = pinned_plan(store, name, task_key(context), lambda: {"datasets": _digests(store, name, self.dataset)})
        return version, shadow, plan["datasets"]


class PlanPredictionsOperator(PlanOperator):
    """Decide what a scoring run works on, and share its partitions out among mapped :class:`BatchPredictOperator` tasks.

    The version, the shadow and the partitions are decided once for the run, before anything is scored. Without a champion, or with
    nothing to score, the task is skipped with the reason, and so is all that follows.

    :param model: as of :class:`BatchPredictOperator`, which must be given the same.
    :param dataset: as of :class:`BatchPredictOperator`, a share excepted.
    :param shadow: as of :class:`BatchPredictOperator`.
    :param max_tasks: how many mapped tasks there may be, 1 to 50. With more partitions than that a task takes several, the oldest first.
    """

    template_fields: Sequence[str] = ("model", "dataset", "shadow", *PlanOperator.template_fields)

    def __init__(self, *, model: str, dataset: Any, shadow: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.model = model
        self.dataset = dataset
        self.shadow = shadow

    @property
    def model_name(self) -> str:
        """The registered model."""
        return _name(self.model)

    def decide(self, context: Context, tasks: int) -> Plan:
        """The version, the shadow, and the digests of the dataset documents of each task."""
        store, registry = self.hook.get_conn(), self.hook.registry
        version = _version(registry, self.model, context)
        shadow = pinned_version(registry, self.model_name, self.shadow, context) if self.shadow else None
        shares = shared_out(_digests(store, self.model_name, self.dataset), tasks)
        ends = [[_partition(store, digest) for digest in (share[0], share[-1])] for share in shares]
        facts = {"version": version.number, "shadow": None if shadow is None else shadow.number}
        return Plan(facts, shares, [label_of(first, last) for first, last in ends])


class MergePredictionsOperator(StokerOperator):
    """Put together what mapped :class:`BatchPredictOperator` tasks returned: the same as one task over all partitions returns.

    It waits for all of them. Give it :func:`~stoker.assets.predictions_asset` as an outlet, so that a run emits one event.

    :param predictions: their ``output``.
    """

    template_fields: Sequence[str] = ("predictions", *StokerOperator.template_fields)

    def __init__(self, *, predictions: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.predictions = predictions

    def step(self, context: Context) -> Reference:
        """Return the reference of the newest partition, of kind ``predictions``, with the sums of all."""
        scored = references(self.predictions, "predictions")
        if not scored:
            raise AirflowSkipException("Nothing to put together: no task has scored anything.")
        return _together(scored)


def _name(model: str) -> str:
    return check_name(model.partition("@")[0], "model")


def _version(registry: Registry, model: str, context: Context) -> Version:
    """The version that a run scores with."""
    name, _, which = model.partition("@")
    version = pinned_version(registry, name, which or "champion", context)
    if version is None:
        raise AirflowSkipException(f"Nothing to score with: {name}@{which or 'champion'} is not set yet.")
    return version


def _refuse_blocked(version: Version, *, allowed: bool) -> None:
    if version.blocked and not allowed:
        raise VersionBlocked(
            f"The version that scores must not be blocked; {version.model} v{version.number} was rolled back. Start a new run, which takes "
            "the champion of now, or pass allow_blocked=True.",
            model=version.model,
            version=version.number,
        )


def _digests(store: ObjectStore, name: str, dataset: Any) -> list[str]:
    """The dataset documents to score, oldest first."""
    if isinstance(dataset, str):
        digests = unscored(store, name, check_name(dataset, "dataset"))
    else:
        given = dataset if isinstance(dataset, Sequence) else [dataset]
        found = [Reference.from_xcom(value, "dataset", "validation") for value in given]
        digests = [engine("training_rows").follow(store, reference)[0] for reference in found]
    if not digests:
        raise AirflowSkipException(f"Nothing to score: {name} has scored all that there is.")
    return digests


def _partition(store: ObjectStore, digest: str) -> str:
    partition: str | None = get_document(store, digest, "dataset")["partition"]
    return partition or partitions.WHOLE


def _with_partitions(reference: Reference) -> Reference:
    """One partition in the form in which several are put together."""
    one = {"partitions": [reference.summary["partition"]], "partitions_scored": 1}
    return replace(reference, summary={**reference.summary, **one})


def _together(scored: Sequence[Reference]) -> Reference:
    """The reference of the newest partition, with what was scored before it. Parts that are put together first change nothing."""
    last = scored[-1]
    summary = {
        **last.summary,
        "partitions": [name for one in scored for name in one.summary["partitions"]][-_SHOWN:],
        "partitions_scored": sum(one.summary["partitions_scored"] for one in scored),
        "rows": sum(one.summary["rows"] for one in scored),
        "reasons": [reason for one in scored for reason in one.summary["reasons"]][-_REASONS:],
    }
    return replace(last, summary=summary)
