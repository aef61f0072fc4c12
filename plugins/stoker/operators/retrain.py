"""Asking for a training, beginning one, and saying how it ended."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from airflow.sdk import SkipMixin
from airflow.sdk.exceptions import AirflowSkipException

from stoker.core import wire
from stoker.core.clock import system_clock, to_text
from stoker.core.durations import duration_text
from stoker.core.records import Reference
from stoker.errors import UsageError
from stoker.loop.intake import taken_in
from stoker.loop.ledger import identity
from stoker.operators._base import StokerOperator, actor_of, engine, number
from stoker.operators._loop import broker_of, holder_of, is_backfill, loop_policy, references, written
from stoker.store import layout
from stoker.store.base import ObjectStore
from stoker.store.documents import get_document

if TYPE_CHECKING:
    from airflow.sdk import Context

    from stoker.core.cadence import CadencePolicy, Grant

_PLAN_BYTES = 6 * 1024
"""What the partitions of a claim may take up of its reference."""

_TOLD_REQUESTS = 5


class RequestRetrainOperator(StokerOperator):
    """Ask for a training of a model. The broker decides when there is one; its DAG wakes up by itself.

    Requests coalesce: the same ``dedupe_key`` again, also in a repeated task, is the same request. In a backfill nothing
    is asked for, unless ``allow_backfill``.

    :param name: the registered model.
    :param reason: a sentence for people.
    :param dedupe_key: what the request is about; the run by default.
    :param source: one of :data:`~stoker.core.requests.SOURCES`; ``alert`` by default. ``hand`` passes cooldown and budget.
    :param evidence: JSON-safe facts that it rests on; at most 4 KiB.
    :param allow_backfill: ask in a backfill run as well.
    """

    template_fields: Sequence[str] = (
        "name", "reason", "dedupe_key", "source", "evidence", *StokerOperator.template_fields,
    )  # fmt: skip
    template_fields_renderers: ClassVar[dict[str, str]] = {"evidence": "json"}

    def __init__(
        self,
        *,
        name: str,
        reason: str,
        dedupe_key: str = "{{ dag.dag_id }}/{{ run_id }}",
        source: str = "alert",
        evidence: Mapping[str, Any] | None = None,
        allow_backfill: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.name = name
        self.reason = reason
        self.dedupe_key = dedupe_key
        self.source = source
        self.evidence = evidence
        self.allow_backfill = allow_backfill

    def step(self, context: Context) -> Reference:
        """Put the request, and return a reference of kind ``request``."""
        if is_backfill(context) and not self.allow_backfill:
            raise AirflowSkipException(
                f"A backfill does not ask for a training of {self.name}; pass allow_backfill=True to let it."
            )
        store = self.hook.get_conn()
        request = {"source": self.source, "reason": self.reason, "dedupe_key": self.dedupe_key}
        ticket = broker_of(store, self.name, loop_policy(None)).put(
            **request, evidence=dict(self.evidence or {}), actor=actor_of(context)
        )
        reasons = [self.reason if ticket.new else f"Known already as {ticket.id}: {self.reason}"]
        summary = {"name": self.name, "id": ticket.id, "new": ticket.new, "reasons": reasons}
        return written(store, {"kind": "request", "model": self.name, "id": ticket.id, **request}, "pass", summary)


class _Ask(NamedTuple):
    """A request that the run itself puts."""

    source: str
    reason: str
    dedupe_key: str


class ClaimRetrainOperator(StokerOperator, SkipMixin):
    """Find out what there is to do: files to take in, and whether this run may train.

    The first task of a training DAG. What woke the run counts for nothing: the ledger of landed files and the broker
    know the truth, so an event that came twice does no harm, and one that was lost is made good by the next run.

    New files, the schedule, a missing or stale champion and a person who starts the run are put to the broker as
    requests, as far as the policy's ``retrain_on`` wants them; then the run claims the lease. The schedule asks once for
    each state of the dataset: the same data would give the same model.

    With nothing to do the task is skipped with the reason, and so is all that follows. With files and no lease only
    ``only_with_lease`` is skipped. For each partition the summary's ``partitions`` holds the arguments ``source``,
    ``partition`` and ``landed`` of a snapshot task, which :func:`~stoker.factory.partitions_of` hands to ``expand_kwargs``. As
    many as fit into a reference, in text order; the next run takes the rest. A backfill claims nothing.

    :param name: the registered model.
    :param policy: the path of a YAML policy file; its section ``cadence`` counts.
    :param source: the folder or ``s3://`` prefix in which files land; without it none are looked for.
    :param pattern: a glob relative to the source.
    :param partition: a regular expression whose group ``partition``, or first group, is the partition in a file's name; ``None``
        for a dataset without partitions.
    :param dataset: the dataset that the files belong to; the model's name by default.
    :param stable_seconds: files that were written less than so many seconds ago are not finished yet.
    :param only_with_lease: ids of tasks that are skipped when files are taken in without a training.
    :param allow_backfill: work in a backfill run as well.
    """

    template_fields: Sequence[str] = (
        "name", "policy", "source", "pattern", "partition", "dataset", "stable_seconds", *StokerOperator.template_fields,
    )  # fmt: skip

    def __init__(
        self,
        *,
        name: str,
        policy: str | None = None,
        source: str | None = None,
        pattern: str = "*",
        partition: str | None = None,
        dataset: str | None = None,
        stable_seconds: float = 0,
        only_with_lease: str | Sequence[str] = (),
        allow_backfill: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.name = name
        self.policy = policy
        self.source = source
        self.pattern = pattern
        self.partition = partition
        self.dataset = dataset
        self.stable_seconds = stable_seconds
        self.only_with_lease = only_with_lease
        self.allow_backfill = allow_backfill

    def step(self, context: Context) -> Reference:
        """Look, ask and claim, and return a reference of kind ``claim``."""
        if is_backfill(context) and not self.allow_backfill:
            raise AirflowSkipException(f"A backfill does not train {self.name}; pass allow_backfill=True to let it.")
        store = self.hook.get_conn()
        policy = loop_policy(self.policy)
        broker = broker_of(store, self.name, policy)
        landed = self._landed(store)
        plan, left = _plan(landed)
        for ask in self._asks(context, store, policy.cadence, landed[: len(plan)]):
            if ask.source in policy.cadence.retrain_on:
                broker.put(**ask._asdict(), actor=actor_of(context))
        grant = broker.claim(holder_of(context), actor=actor_of(context))
        return self._reference(store, grant, plan, left)

    def conclude(self, context: Context, reference: Reference) -> None:
        """Skip what there is no reason for."""
        plan, granted = reference.summary["partitions"], reference.summary["granted"]
        if granted:
            return
        self.publish(context, reference)
        if not plan:
            raise AirflowSkipException(f"There is nothing to do: {' '.join(reference.summary['reasons'])}")
        wanted = {self.only_with_lease} if isinstance(self.only_with_lease, str) else set(self.only_with_lease)
        if wanted:
            self.log.info("Files are taken in without a training; skipping %s", ", ".join(sorted(wanted)))
            self.skip(context["ti"], [context["dag"].get_task(task_id) for task_id in sorted(wanted)])

    def _landed(self, store: ObjectStore) -> list[Any]:
        if not self.source:
            return []
        found: list[Any] = engine("landing").pending(
            store,
            source=self.source,
            pattern=self.pattern,
            partition=self.partition or None,
            dataset=self._dataset,
            s3_client_factory=self.hook.s3_client,
            now=system_clock(),
            stable_seconds=number(self.stable_seconds, "stable_seconds"),
        )
        return found

    @property
    def _dataset(self) -> str:
        return self.dataset or self.name

    def _asks(
        self, context: Context, store: ObjectStore, policy: CadencePolicy, landed: Sequence[Any]
    ) -> Iterator[_Ask]:
        """What this run asks for by itself."""
        run = context["dag_run"]
        champion = self.hook.registry.pointed(self.name)
        data = _state_of(store, self._dataset)
        if run.run_type == "manual":
            yield _Ask("hand", _reason(context), f"hand/{holder_of(context)}")
        if landed:
            files = sorted(identity(file) for group in landed for file in group.files)
            names = ", ".join(group.partition or self._dataset for group in landed[:_TOLD_REQUESTS])
            yield _Ask("new_data", f"{len(files)} files landed: {names}.", f"new_data/{wire.digest(files)}")
        if champion is None and (landed or data):
            yield _Ask("first", "There is no champion yet.", data or f"first/{holder_of(context)}")
        if run.run_type == "scheduled" and champion is not None:
            yield _Ask("schedule", "The schedule came round.", data or f"schedule/{holder_of(context)}")
            yield from self._stale(policy, champion, run.run_after, holder_of(context))

    def _stale(self, policy: CadencePolicy, champion: int, moment: datetime, holder: str) -> Iterator[_Ask]:
        age = moment - self.hook.registry.version(self.name, champion).time
        if policy.max_age is not None and age > policy.max_age:
            reason = f"Champion v{champion} is {duration_text(age)} old; it may be {duration_text(policy.max_age)}."
            yield _Ask("staleness", reason, f"staleness/{champion}/{holder}")

    def _reference(self, store: ObjectStore, grant: Grant, plan: list[dict[str, Any]], left: int) -> Reference:
        served = [{"source": request.source, "reason": request.reason[:200]} for request in grant.requests]
        facts = {"granted": grant.granted, "condition": grant.kind, "until": grant.until and to_text(grant.until)}
        reasons = [grant.reason, *_intake(plan, left)]
        document = {
            "kind": "claim",
            "model": self.name,
            **facts,
            "reasons": reasons,
            "requests": served,
            "partitions": plan,
        }
        summary = {
            "name": self.name,
            "dataset": self._dataset,
            **facts,
            "reasons": reasons,
            "requests": served[:_TOLD_REQUESTS],
            "partitions": plan,
        }
        return written(store, document, grant.kind, summary)


class SettleRetrainOperator(StokerOperator):
    """Say how the run ended and give the lease back. The last task of a training DAG: make it a teardown.

    The outcome follows from what the steps returned; each may be missing because its task did not run:

    * ``promoted``: the alias moved;
    * ``proposed``: a version was registered, and a person decides on it after this run has given its lease back;
    * ``skipped``: the training gave the champion again, so there was nothing new to learn;
    * ``kept``: the model did not pass its gate;
    * ``stopped``: the data did not meet its expectations;
    * ``failed``: anything else; the requests wait again.

    Of a run that took files in without a training it notes only whether they are broken. What the validations of all partitions say
    together stands under ``data``: the worst verdict, and the sums of ``rows_in``, ``rows_ok`` and ``rows_quarantined``.

    Fails only when the store is out of reach. A run that lost its lease, because that ran out and another took over, is
    told so in the log.

    :param name: the registered model.
    :param claim: what :class:`ClaimRetrainOperator` returned.
    :param validation: what the validation returned, or the list of a mapped one.
    :param evaluation: what the evaluation returned.
    :param promotion: what the promotion returned.
    :param registration: what the registration returned, where the version waits for approval; not where the run itself promotes.
    :param policy: the path of a YAML policy file.
    """

    template_fields: Sequence[str] = (
        "name", "claim", "validation", "evaluation", "promotion", "registration", "policy", *StokerOperator.template_fields,
    )  # fmt: skip

    def __init__(
        self,
        *,
        name: str,
        claim: Any,
        validation: Any = None,
        evaluation: Any = None,
        promotion: Any = None,
        registration: Any = None,
        policy: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.name = name
        self.claim = claim
        self.validation = validation
        self.evaluation = evaluation
        self.promotion = promotion
        self.registration = registration
        self.policy = policy

    def step(self, context: Context) -> Reference:
        """Settle, and return a reference of kind ``settlement``."""
        store = self.hook.get_conn()
        claims = references(self.claim, "claim")
        if claims and not claims[0].summary["granted"]:
            return self._taken_in(context, store)
        # Without a claim as well: its task may have been granted the lease and failed afterwards.
        outcome, reason, version, evidence = self._outcome(store)
        broker = broker_of(store, self.name, loop_policy(self.policy))
        # The run has taken files in since it asked: without this the schedule would ask for the same data again.
        covers = [state for one in claims if (state := _state_of(store, one.summary["dataset"]))]
        held = broker.settle(
            holder_of(context), outcome=outcome, reason=reason, version=version, evidence=evidence, covers=covers
        )
        if not held and claims:
            self.log.warning(
                "The lease of this run had run out and another run took over, or it was given back before."
            )
        return self._reference(store, outcome, reason, version, held=held)

    def _taken_in(self, context: Context, store: ObjectStore) -> Reference:
        """The end of a run that took files in without a training: broken data is worth a word, though there is no lease."""
        broken = self._broken()
        if not broken:
            return self._reference(store, "none", "Files were taken in without a training.", None, held=False)
        reason = _unfit(broken)
        broker_of(store, self.name, loop_policy(self.policy)).note_triage(
            action="stop",
            kind="data_quality",
            reason=reason,
            dedupe_key=f"triage/validation/{broken[0].digest}",
            actor=actor_of(context),
        )
        return self._reference(store, "stopped", reason, None, held=False)

    def _broken(self) -> list[Reference]:
        """The validations that did not let their data through."""
        return [one for one in references(self.validation, "validation") if one.verdict == "fail"]

    def _outcome(self, store: ObjectStore) -> tuple[str, str, int | None, dict[str, Any]]:
        """The outcome, why, the version that took over, and the documents that say so."""
        promotion, evaluation = references(self.promotion, "alias")[:1], references(self.evaluation, "evaluation")[:1]
        registration = references(self.registration, "version")[:1]
        broken = self._broken()
        evidence = {one.kind: one.digest for one in (*promotion, *registration, *evaluation, *broken[:1])}
        if promotion and promotion[0].summary["changed"]:
            version = promotion[0].summary["version"]
            return "promoted", f"Version {version} took over.", version, evidence
        if evaluation and self._is_champion(store, evaluation[0]):
            return "skipped", "The training gave the champion again: there was nothing new to learn.", None, evidence
        if evaluation and evaluation[0].verdict != "pass":
            return "kept", f"The champion stays: {_first_reason(evaluation)}", None, evidence
        if registration:
            version = registration[0].summary["version"]
            return "proposed", f"Version {version} waits for approval.", version, evidence
        if broken:
            return "stopped", _unfit(broken), None, evidence
        return "failed", "A task failed before the end; see its log.", None, evidence

    def _is_champion(self, store: ObjectStore, evaluation: Reference) -> bool:
        """Whether the evaluated candidate is what is in office."""
        champion = self.hook.registry.pointed(self.name)
        if champion is None:
            return False
        # Not by their digests: what is fitted again without the cache is another document of the same training.
        office = self.hook.registry.version(self.name, champion).fingerprint
        judged = get_document(store, evaluation.digest, "evaluation")["candidate"]
        return bool(office == get_document(store, judged, "candidate")["fingerprint"])

    def _reference(
        self, store: ObjectStore, outcome: str, reason: str, version: int | None, *, held: bool
    ) -> Reference:
        validations = references(self.validation, "validation")
        data = taken_in(validations) if validations else None
        facts = {"outcome": outcome, "version": version, "reasons": [reason]}
        document = {"kind": "settlement", "model": self.name, **facts, "data": data}
        told = {name: value for name, value in (data or {}).items() if name != "reasons"}  # which may be many
        return written(store, document, "pass", {"name": self.name, **facts, "data": told or None, "held": held})


def _plan(landed: Sequence[Any]) -> tuple[list[dict[str, Any]], int]:
    """What snapshot tasks are given for the first partitions, as many as fit, and how many are left.

    :raises UsageError: when not even one fits.
    """
    plan: list[dict[str, Any]] = []
    room = _PLAN_BYTES
    for group in landed:
        files = [{"uri": file.uri, "size": file.size, "version": file.version} for file in group.files]
        entry = {"source": [file.uri for file in group.files], "partition": group.partition or None, "landed": files}
        room -= len(wire.canonical(entry))
        if room < 0:
            break
        plan.append(entry)
    if landed and not plan:
        raise UsageError(
            f"The names of the files of one partition must fit into {_PLAN_BYTES} bytes; the {len(landed[0].files)} of "
            f"{landed[0].partition!r} do not. Land fewer, larger files, or divide them into more partitions."
        )
    return plan, len(landed) - len(plan)


def _intake(plan: Sequence[Mapping[str, Any]], left: int) -> Iterable[str]:
    if plan:
        names = ", ".join(str(entry["partition"] or "all") for entry in plan[:_TOLD_REQUESTS])
        more = f"; {left} more are left for the next run" if left else ""
        yield f"{len(plan)} partitions are taken in: {names}{' …' if len(plan) > _TOLD_REQUESTS else ''}{more}."


def _state_of(store: ObjectStore, dataset: str) -> str:
    """Which snapshots the partitions of a dataset mean, as a dedupe key; empty when it has none."""
    keys = [key for stage in ("raw", "ok") for key in store.keys(layout.partitions(dataset, stage))]
    return f"data/{wire.digest(keys)}" if keys else ""


def _reason(context: Context) -> str:
    """Why a person started the run."""
    from stoker.loop.broker import MAX_REASON

    run = context["dag_run"]
    given = (getattr(run, "conf", None) or {}).get("reason") or (context.get("params") or {}).get("reason")
    return str(given or f"{actor_of(context).user} started {run.run_id}.")[:MAX_REASON]


def _unfit(broken: Sequence[Reference]) -> str:
    return f"The data is not fit to train on: {_first_reason(broken)}"


def _first_reason(references: Sequence[Reference]) -> str:
    reasons = references[0].summary.get("reasons") or ["no reason was given"]
    return str(reasons[0])
