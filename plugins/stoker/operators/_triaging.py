"""How a :class:`~stoker.operators.triage.TriageOperator` decides and acts; a file of its own, for DAG files never need it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from stoker.core.durations import duration_text, parse_duration
from stoker.core.records import Reference
from stoker.core.triage import Action, Decision, Finding, Kind, triage
from stoker.core.verdicts import Outcome
from stoker.loop.policy_file import LoopPolicy
from stoker.operators._base import actor_of, engine
from stoker.operators._loop import broker_of, is_backfill, loop_policy, references, written
from stoker.registry.versions import Version
from stoker.store import partitions
from stoker.store.documents import get_document

if TYPE_CHECKING:
    from airflow.sdk import Context

    from stoker.operators.triage import TriageOperator

_SOURCES = {Kind.CONCEPT: "performance", Kind.STALENESS: "staleness"}
"""As what a kind asks for a training; all others ask as ``drift``."""

_ALARMS = {"alert", "ongoing"}

_MAX_REASON = 500  # characters; the audit log takes 2,000 bytes


class Triaging:
    """One execution of a triage task.

    :param operator: the task, with its arguments rendered.
    """

    def __init__(self, operator: TriageOperator, context: Context) -> None:
        self._operator = operator
        self._context = context

    def run(self) -> Reference:
        """Decide and act, and return a reference of kind ``triage``."""
        operator = self._operator
        policy, champion = loop_policy(operator.policy), self._champion()
        given = [
            *references(operator.validation, "validation"),
            *references(operator.performance, "performance"),
            *references(operator.drift, "drift"),
        ]
        findings = [*(finding for one in given for finding in _findings(one)), *self._stale(champion, policy)]
        decision = self._decided(findings, given, champion, policy)
        act = not is_backfill(self._context) or operator.allow_backfill
        if act and decision.kind is not None:
            self._act(decision, findings, given, champion, policy)
        return self._reference(decision, given, acted=act)

    def _decided(
        self, findings: list[Finding], given: list[Reference], champion: Version | None, policy: LoopPolicy
    ) -> Decision:
        judged = {one.summary["version"] for one in given if one.summary.get("version") is not None}
        office = champion.number if champion else None
        if judged - {office}:
            versions = ", ".join(f"v{version}" for version in sorted(judged))
            return Decision(None, Action.NONE, (f"The findings are about {versions}; the champion is v{office} now.",))
        windows = [one.summary.get("windows_since_promotion") for one in given if one.kind == "performance"]
        return triage(
            findings,
            windows_since_promotion=windows[-1] if windows else None,
            previous_is_better=self._previous_is_better(given),
            policy=policy.triage,
        )

    def _act(
        self,
        decision: Decision,
        findings: list[Finding],
        given: list[Reference],
        champion: Version | None,
        policy: LoopPolicy,
    ) -> None:
        assert decision.kind is not None  # noqa: S101 - for the type checker; the caller looked
        broker, actor = broker_of(self._operator.hook.get_conn(), self._operator.name, policy), actor_of(self._context)
        key, reason = f"{_about(given, champion)}/{decision.kind}", " ".join(decision.reasons)[:_MAX_REASON]
        # First the note: a try that dies before the action is repeated, and the action is safe to repeat.
        broker.note_triage(
            action=decision.action, kind=decision.kind, reason=reason, dedupe_key=f"triage/{key}", actor=actor
        )
        if decision.action is Action.RETRAIN:
            digests = {finding.kind.value: finding.digest for finding in findings if finding.verdict is Outcome.FAIL}
            source = _SOURCES.get(decision.kind, "drift")
            broker.put(source=source, reason=reason, dedupe_key=key, evidence=digests, actor=actor)
        if decision.action is Action.STOP:
            self._withdraw(given, reason)
        if decision.action is Action.ROLLBACK and champion is not None:
            self._roll_back(champion, reason, key)

    def _withdraw(self, given: Sequence[Reference], reason: str) -> None:
        """Take the partitions whose data is broken out of use, so that nothing trains on them."""
        store = self._operator.hook.get_conn()
        broken = [one for one in given if one.kind == "drift" and Kind.DATA_QUALITY in one.summary["kinds"]]
        for digest in (digest for one in broken for digest in get_document(store, one.digest, "drift")["current"]):
            data = get_document(store, digest, "dataset")
            where = {name: data[name] for name in ("dataset", "stage", "partition")}
            if data["stage"] != "predictions" and partitions.withdraw(store, **where, snapshot=digest, reason=reason):
                self._operator.log.info("Withdrew partition %(partition)s of %(dataset)s from stage %(stage)s", where)

    def _roll_back(self, champion: Version, reason: str, key: str) -> None:
        store, trusted = self._operator.hook.get_conn(), self._operator.hook.settings.trusted_types
        move = self._operator.hook.registry.rollback(
            self._operator.name,
            expected_version=champion.number,
            actor=actor_of(self._context),
            reason=reason,
            idempotency_key=f"triage/{key}",
            verify=lambda version: engine("registration").verify_loads(store, version, trusted=trusted),
        )
        self._operator.log.info("Rolled %s back from v%d to v%d", self._operator.name, champion.number, move.version)

    def _champion(self) -> Version | None:
        number = self._operator.hook.registry.pointed(self._operator.name)
        return None if number is None else self._operator.hook.registry.version(self._operator.name, number)

    def _previous_is_better(self, given: Sequence[Reference]) -> bool | None:
        """Whether the version that a rollback would go to did surely better on the same rows; ``None``: not measured."""
        previous = self._operator.hook.registry.pointed(self._operator.name, "previous")
        if previous is None or self._operator.hook.registry.version(self._operator.name, previous).blocked:
            return False
        shadows = [one.summary.get("shadow") for one in given if one.kind == "performance"]
        measured = [bool(one["worse"]) for one in shadows if one is not None and one["version"] == previous]
        return measured[-1] if measured else None

    def _stale(self, champion: Version | None, policy: LoopPolicy) -> Iterator[Finding]:
        """Whether the champion is too old at the time that the run is for."""
        limit = (
            policy.cadence.max_age
            if self._operator.max_age in (None, "")
            else parse_duration(self._operator.max_age, "max_age")
        )
        if champion is None or limit is None:
            return
        age = self._context["dag_run"].run_after - champion.time
        verdict = Outcome.FAIL if age > limit else Outcome.PASS
        reason = f"v{champion.number} is {duration_text(age)} old; it may be {duration_text(limit)}."
        yield Finding(Kind.STALENESS, verdict, (reason,), champion.digest)

    def _reference(self, decision: Decision, given: list[Reference], *, acted: bool) -> Reference:
        facts = {
            "action": decision.action.value,
            "finding": None if decision.kind is None else decision.kind.value,
            "acted": acted and decision.kind is not None,
            "reasons": list(decision.reasons),
        }
        document = {"kind": "triage", "model": self._operator.name, **facts, "evidence": [one.digest for one in given]}
        return written(self._operator.hook.get_conn(), document, "pass", {"name": self._operator.name, **facts})


def _findings(reference: Reference) -> Iterator[Finding]:
    """What a monitoring step says, as findings."""
    verdict, reasons = Outcome(reference.verdict), tuple(reference.summary.get("reasons", ()))
    if verdict is Outcome.INSUFFICIENT_DATA and reference.summary.get("rows") == 0:
        yield Finding(Kind.NO_DATA, Outcome.FAIL, reasons, reference.digest)
        return
    for kind in _kinds(reference, verdict):
        yield Finding(kind, verdict, reasons, reference.digest)


def _kinds(reference: Reference, verdict: Outcome) -> Sequence[Kind]:
    if reference.kind == "validation":
        return [Kind.DATA_QUALITY]
    if reference.kind == "performance":
        return [Kind.CONCEPT]
    if verdict is Outcome.FAIL:
        open_now = [Kind(kind) for kind, state in reference.summary["states"].items() if state in _ALARMS]
        # An incident that goes on was answered already, but broken data is withdrawn window by window.
        return [kind for kind in open_now if kind is Kind.DATA_QUALITY or kind in reference.summary["due"]]
    return [Kind.COVARIATE]


def _about(given: Sequence[Reference], champion: Version | None) -> str:
    """What the findings are about: the same for the same windows of the same version."""
    windows = {str(one.summary.get("window") or one.summary.get("partition")) for one in given}
    return f"v{champion.number if champion else 0}/{','.join(sorted(windows))[:300]}"
