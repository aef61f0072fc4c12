"""Batch predictions with the version that the run began with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowSkipException

from stoker.core.names import check_name
from stoker.core.records import Reference
from stoker.errors import VersionBlocked
from stoker.loop.pins import pinned_plan
from stoker.operators._base import StokerOperator, engine, task_key
from stoker.operators._pinned import pinned_version

if TYPE_CHECKING:
    from airflow.sdk import Context

    from stoker.registry.versions import Version

_SHOWN = 50  # partitions that a summary names


class BatchPredictOperator(StokerOperator):
    """Score partitions of a dataset, each id exactly once, all of a run by one version.

    The version is decided once for a run: retries and mapped tasks work with it even when somebody promotes in between, and so does the
    run when it is cleared. Each partition becomes visible by one write, and a repeated task replaces its own partitions alone. What that
    version has scored already is not computed again.

    Give it :func:`~stoker.assets.predictions_asset` as an outlet. Without a champion, or with nothing to score, the task is skipped and
    emits nothing.

    :param model: ``name@champion`` or any other alias, ``name@7`` for a version, ``name`` for the champion.
    :param dataset: what a snapshot or validation task returned, or a list of that; or the name of a dataset: all of its partitions whose
        current snapshot is not scored yet, oldest first.
    :param id_columns: the columns that tell rows apart, also from those of other partitions.
    :param shadow: an alias whose version scores the same rows beside, without consequence; left out while it is unset.
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
        name, _, which = self.model.partition("@")
        version = self._version(name, which or "champion", context)
        shadow = pinned_version(self.hook.registry, name, self.shadow, context) if self.shadow else None
        store, settings = self.hook.get_conn(), self.hook.settings
        # A retry must find the partitions that its first try has scored already, and give the same answer.
        plan = pinned_plan(store, name, task_key(context), lambda: {"datasets": self._digests(name)})
        scored: list[Reference] = []
        for digest in plan["datasets"]:
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
            scored.append(reference)
            self.log.info("Scored %d of %d partitions.", len(scored), len(plan["datasets"]))
        return _together(scored)

    def _version(self, name: str, which: str, context: Context) -> Version:
        check_name(name, "model")
        version = pinned_version(self.hook.registry, name, which, context)
        if version is None:
            raise AirflowSkipException(f"Nothing to score with: {name}@{which} is not set yet.")
        if version.blocked and not self.allow_blocked:
            raise VersionBlocked(
                f"The version that scores must not be blocked; {name} v{version.number} was rolled back. Start a new run, which takes the "
                "champion of now, or pass allow_blocked=True.",
                model=name,
                version=version.number,
            )
        return version

    def _digests(self, name: str) -> list[str]:
        """The dataset documents to score, oldest first."""
        store = self.hook.get_conn()
        if isinstance(self.dataset, str):
            digests: list[str] = engine("scoring").unscored(store, name, check_name(self.dataset, "dataset"))
        else:
            given = self.dataset if isinstance(self.dataset, Sequence) else [self.dataset]
            references = [Reference.from_xcom(value, "dataset", "validation") for value in given]
            digests = [engine("training_rows").follow(store, reference)[0] for reference in references]
        if not digests:
            raise AirflowSkipException(f"Nothing to score: {name} has scored all that there is.")
        return digests


def _together(scored: Sequence[Reference]) -> Reference:
    """The reference of the newest partition, with what was scored before it."""
    last = scored[-1]
    summary = {
        **last.summary,
        "partitions": [reference.summary["partition"] for reference in scored[-_SHOWN:]],
        "partitions_scored": len(scored),
        "rows": sum(reference.summary["rows"] for reference in scored),
        "reasons": [reason for reference in scored[-5:] for reason in reference.summary["reasons"]],
    }
    return Reference(last.kind, last.uri, last.digest, last.verdict, summary)
