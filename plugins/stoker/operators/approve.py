"""Waiting for a person before a version goes into production."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.providers.standard.operators.hitl import ApprovalOperator, HITLOperator
from airflow.sdk import Param
from airflow.sdk.definitions.param import ParamsDict

from stoker.compat import wait_on
from stoker.core.clock import system_clock
from stoker.core.records import AIRFLOW, Actor, Reference
from stoker.errors import ApprovalRefused, ConfigurationError, ConflictError, NotApproved, NotFound
from stoker.operators._base import StokerOperator, actor_of, followers, number, task_key
from stoker.operators.promote import version_of
from stoker.registry.state import APPROVED, REJECTED, VOID
from stoker.store import layout

if TYPE_CHECKING:
    from airflow.sdk import Context
    from airflow.sdk.bases.notifier import BaseNotifier
    from airflow.sdk.execution_time.hitl import HITLUser

    from stoker.registry.state import Review
    from stoker.registry.versions import Version

ON_REJECT = ("skip", "fail")

_MAX_REASON = 500
_LONGEST_POLL = 86_400


class ApproveModelOperator(StokerOperator, ApprovalOperator):
    """Ask people whether a version may go into production, and wait for the answer without taking up a worker.

    The question and the answer are entries of the model's commit log, bound to the digest of the version, so that
    :class:`~stoker.operators.promote.PromoteModelOperator` with ``require_approval=True`` can prove what was approved. Airflow's form only
    carries the answer there. Whoever decides first counts, be it in this form, on Stoker's page of the version or on the command line; the
    form looks there every ``poll_seconds``. A task that is run again takes up the same question, and a version that was decided on is not
    asked about again. What nobody answered in time is, and what was blocked and unblocked while it waited. An approval by the person who
    asked leaves the question open where four eyes are required.

    :param name: the registered model.
    :param version: what a register task returned, or a version number.
    :param timeout: how long people have; after that the version counts as rejected.
    :param four_eyes: somebody other than the person who started the run has to approve. Any person may when the schedule started it.
    :param approvers: the only users who may answer in Airflow's form, as ``{"id": ..., "name": ...}``. Without it, all who may answer for
        the DAG.
    :param notifiers: called when the question is put; their templates see the task as it waits.
    :param on_reject: ``skip``: what comes next is skipped; ``fail``: the task fails.
    :param poll_seconds: how often the task looks whether somebody decided elsewhere: from 1 second to a day.
    :param reason: why it is asked, for the audit log.
    """

    template_fields: Sequence[str] = ("name", "version", "reason", *StokerOperator.template_fields)

    def __init__(
        self,
        *,
        name: str,
        version: Any,
        timeout: timedelta = timedelta(days=3),
        four_eyes: bool = True,
        approvers: Sequence[HITLUser] = (),
        notifiers: Sequence[BaseNotifier] = (),
        on_reject: str = "skip",
        poll_seconds: float = 600,
        reason: str = "passed its gate in {{ dag.dag_id }}",
        **kwargs: Any,
    ) -> None:
        params = ParamsDict(kwargs.pop("params", None))
        # A type of text alone would make Airflow's form demand it.
        params["comment"] = Param(None, type=["null", "string"], title="Comment", maxLength=_MAX_REASON)
        super().__init__(
            subject=f"Approve {name} for production",
            assigned_users=list(approvers) or None,
            notifiers=notifiers,
            params=params,
            # Airflow would take a default for an answer, and the execution timeout for the time that people have.
            defaults=None,
            response_timeout=timeout,
            # Said by `on_reject`.
            fail_on_reject=False,
            ignore_downstream_trigger_rules=False,
            **kwargs,
        )
        self.name = name
        self.version = version
        self.timeout = timeout
        self.four_eyes = four_eyes
        self.approvers = approvers
        self.on_reject = on_reject
        self.poll_seconds = poll_seconds
        self.reason = reason

    def step(self, context: Context) -> Reference:
        """Ask, unless it was decided already. Return a reference of kind ``version``, or leave the task waiting."""
        self._check()
        version = version_of(self.hook.registry, self.name, self.version)
        review = self._rejected(version) or self.hook.registry.ask_approval(
            self.name,
            version.number,
            until=system_clock() + self.timeout,
            four_eyes=self.four_eyes,
            actor=actor_of(context),
            reason=self.reason,
        )
        if review.waits(system_clock()):
            self._wait(context, version, review)
        return self._reference(version, review)

    def execute_complete(self, context: Context, event: dict[str, Any]) -> dict[str, Any]:
        """Go on when somebody answered in the form, or it is time to look elsewhere.

        :param event: Airflow's: ``chosen_options``, ``params_input``, ``responded_by_user``.
        :raises AirflowFailException: when an approval comes too late.
        """
        return self.attempt(context, lambda: self._answered(context, event))

    def conclude(self, context: Context, reference: Reference) -> None:
        """Go on with what follows if the version was approved."""
        if reference.verdict == "pass":
            return
        self.publish(context, reference)
        if self.on_reject == "fail":
            raise NotApproved(f"The version must be approved; {' '.join(reference.summary['reasons'])}")
        self.log.info("What follows is skipped; the champion stays.")
        self.skip(context["ti"], followers(context))

    def _check(self) -> None:
        if self.on_reject not in ON_REJECT:
            raise ConfigurationError(f"on_reject must be one of {', '.join(ON_REJECT)}; got {self.on_reject!r}.")
        if not isinstance(self.timeout, timedelta):
            raise ConfigurationError(f"timeout must be a timedelta, such as timedelta(days=3); got {self.timeout!r}.")
        if not 1 <= number(self.poll_seconds, "poll_seconds") <= _LONGEST_POLL:
            raise ConfigurationError(f"poll_seconds must be from 1 to {_LONGEST_POLL}; got {self.poll_seconds!r}.")

    def _rejected(self, version: Version) -> Review | None:
        """The review in which a person rejected the version. Running the task again is no reason to ask that person again."""
        review = self._review(version)
        rejected = review is not None and review.status == REJECTED and review.decided_by != AIRFLOW
        return review if rejected else None

    def _review(self, version: Version) -> Review | None:
        return self.hook.registry.state(self.name).reviews.get(version.number)

    def _wait(self, context: Context, version: Version, review: Review) -> None:
        """Put the question into Airflow's form, and leave the worker."""
        from stoker.loop.approval_card import approval_card

        try:
            champion = self.hook.registry.resolve(self.name)
        except NotFound:
            champion = None
        self.subject = f"Approve version {version.number} of {self.name} for production"
        self.body = approval_card(self.hook.get_conn(), version, champion, review)
        self.response_timeout = self._patience(review)
        HITLOperator.execute(self, context)

    def _patience(self, review: Review) -> timedelta:
        """How long to leave the form alone."""
        return min(timedelta(seconds=number(self.poll_seconds, "poll_seconds")), review.until - system_clock())

    def _answered(self, context: Context, event: dict[str, Any]) -> Reference:
        version = version_of(self.hook.registry, self.name, self.version)
        review = self._review(version)
        answer = None
        if event.get("error_type") != "timeout":
            answer = HITLOperator.execute_complete(self, context, event)
        if review is None or review.status == VOID:
            # Whoever answers now did not see what got the version blocked.
            return self.step(context)
        if review.status in (APPROVED, REJECTED):
            self.log.info("Version %d was %s by %s already.", version.number, review.status, review.decided_by)
        elif answer is None and review.waits(system_clock()):
            # Not by asking once more: that would take back an answer which is just being given.
            wait_on(self, context, self._patience(review))
        else:
            review = self._decide(context, version, answer)
        return self._reference(version, review)

    def _decide(self, context: Context, version: Version, answer: Mapping[str, Any] | None) -> Review:
        """Write the answer of the form, or that there was none, into the log."""
        registry = self.hook.registry
        user, reason, decide = AIRFLOW, "nobody answered in time", registry.reject
        if answer is not None:
            user = answer["responded_by_user"]["name"]
            reason = (answer["params_input"].get("comment") or "answered in Airflow")[:_MAX_REASON]
            decide = registry.approve if answer["chosen_options"] == [self.APPROVE] else registry.reject
        actor = Actor(user, task_key(context))
        try:
            return decide(self.name, version.number, evidence=version.digest, actor=actor, reason=reason)
        except ApprovalRefused as refused:
            review = self._review(version)
            if review is not None and review.waits(system_clock()):
                self.log.warning("The answer of %s does not count. %s", user, refused.message)
                self._wait(context, version, review)
            raise
        except ConflictError:
            review = self._review(version)
            if review is None or review.status not in (APPROVED, REJECTED):
                raise
            self.log.info("Version %d was %s by %s first.", version.number, review.status, review.decided_by)
            return review

    def _reference(self, version: Version, review: Review) -> Reference:
        approved = review.status == APPROVED
        what = f"Version {version.number} of {self.name}"
        late = not approved and review.decided_by == AIRFLOW
        ending = f"{what} was {'not answered in time' if late else f'{review.status} by {review.decided_by}'}."
        return Reference(
            kind="version",
            uri=f"{self.hook.get_conn().uri}/{layout.version_manifest(self.name, version.number)}",
            digest=version.digest,
            verdict="pass" if approved else "fail",
            summary={
                "name": self.name,
                "version": version.number,
                "fingerprint": version.fingerprint,
                "approved_by": review.decided_by if approved else None,
                "reasons": [ending],
            },
        )
