"""The approval task: the question in Airflow's form, the answer in the log."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk import DAG
from airflow.sdk.bases.operator import BaseOperator
from airflow.sdk.exceptions import AirflowFailException, DownstreamTasksSkipped

from stoker.core.clock import random_id, system_clock
from stoker.core.records import Actor
from stoker.errors import StoreUnavailable
from stoker.operators.approve import ApproveModelOperator
from stoker.operators.promote import PromoteModelOperator
from stoker.registry.registry import Registry
from stoker.registry.state import Review
from stoker.store.opening import open_store
from tests.operators.conftest import faulty
from tests.support.faulty_store import Fault
from tests.support.registrations import ACTOR, register

try:
    from airflow.sdk.exceptions import TaskAwaitingInput as Parked
except ImportError:  # on Airflow 3.2 the triggerer looks at the form
    from airflow.sdk.exceptions import TaskDeferred as Parked

TIMEOUT = {"error": "no response", "error_type": "timeout"}


@dataclass
class Asking:
    """One approval task of one run, over a store with a version that waits to be asked about."""

    uri: str = field(default_factory=lambda: f"memory://{random_id()}")
    user: str | None = "ada"
    forms: list[dict[str, Any]] = field(default_factory=list)
    notified: list[str] = field(default_factory=list)
    pushed: dict[str, Any] = field(default_factory=dict)
    task: Any = None

    @property
    def registry(self) -> Registry:
        return Registry(open_store(self.uri))

    @property
    def review(self) -> Review:
        return self.registry.state("churn").reviews[1]

    def start(self, **given: Any) -> Any:
        """What ``execute`` returns or raises."""
        context = self._context(ApproveModelOperator, **{"version": 1, **given})
        return self.task.execute(context)

    def wait(self, **given: Any) -> Parked:
        """How the task leaves its worker."""
        with pytest.raises(Parked) as parked:
            self.start(**given)
        return parked.value

    def resume(self, event: dict[str, Any], **given: Any) -> Any:
        """What ``execute_complete`` returns or raises, in another process than ``execute``."""
        context = self._context(ApproveModelOperator, **{"version": 1, **given})
        return self.task.execute_complete(context, event)

    def answer(self, option: str, user: str = "bob", comment: str | None = None, **given: Any) -> Any:
        """Go on after a person's answer in the form."""
        event = {
            "chosen_options": [option],
            "params_input": {"comment": comment},
            "responded_at": system_clock(),
            "responded_by_user": {"id": user, "name": user},
        }
        return self.resume(event, **given)

    def skipped(self, option: str = "Reject", **given: Any) -> dict[str, Any]:
        """Go on after an answer that skips what follows, and give what the task returned before."""
        with pytest.raises(DownstreamTasksSkipped) as skipped:
            self.answer(option, **given)
        assert list(skipped.value.tasks) == ["promote"]
        return self.pushed["return_value"]  # type: ignore[no-any-return]

    def promote(self, version: Any) -> dict[str, Any]:
        """The task after this one."""
        context = self._context(PromoteModelOperator, version=version, require_approval=True)
        return self.task.execute(context)  # type: ignore[no-any-return]

    def _context(self, operator: type[Any], **given: Any) -> Any:
        with DAG("churn_train", schedule=None, params={"reason": "of the run, not of the form"}) as dag:
            self.task = operator(task_id="own", name="churn", store=self.uri, reason="passed", **given)
            teardown = BaseOperator(task_id="settle").as_teardown()
            self.task >> [BaseOperator(task_id="promote"), teardown]
        ti = SimpleNamespace(
            id="0", dag_id="churn_train", run_id="r", task_id="own", map_index=-1, task=self.task, xcom_push=self._push
        )
        run = SimpleNamespace(run_id="r", run_type="manual", triggering_user_name=self.user)
        return {"ti": ti, "task_instance": ti, "dag_run": run, "task": self.task, "dag": dag}

    def _push(self, key: str, value: Any) -> None:
        self.pushed[key] = value


def patience(parked: Parked) -> float:
    """The seconds after which a task that left its worker goes on without an answer."""
    trigger: Any = getattr(parked, "trigger", None)
    left = parked.timeout if trigger is None else trigger.timeout_datetime - system_clock()
    assert left is not None
    return float(left.total_seconds())


@pytest.fixture
def asking(monkeypatch: pytest.MonkeyPatch) -> Asking:
    asking = Asking()
    monkeypatch.setattr(
        "airflow.providers.standard.operators.hitl.upsert_hitl_detail", lambda **form: asking.forms.append(form)
    )
    register(asking.registry)
    return asking


def test_a_version_waits_approved_by_a_second_person_and_is_promoted(asking: Asking) -> None:
    parked = asking.wait()
    assert (parked.method_name, asking.review.status, asking.review.asked_by) == ("execute_complete", "waiting", "ada")
    reference = asking.answer("Approve", comment="looks right")
    assert (reference["kind"], reference["verdict"]) == ("version", "pass")
    assert (reference["summary"]["approved_by"], reference["summary"]["version"]) == ("bob", 1)
    assert asking.promote(reference)["summary"]["version"] == 1
    log = list(asking.registry.history("churn", after=1))
    assert [(entry.actor, entry.reason) for entry in log[:2]] == [
        (Actor("ada", "churn_train/r/own/-1"), "passed"),
        (Actor("bob", "churn_train/r/own/-1"), "looks right"),
    ]


def test_the_form_tells_what_is_decided_and_until_when(asking: Asking) -> None:
    parked = asking.wait(approvers=[{"id": "7", "name": "bob"}])
    (form,) = asking.forms
    assert form["subject"] == "Approve version 1 of churn for production"
    assert (form["options"], form["defaults"]) == (["Approve", "Reject"], None)
    assert form["assigned_users"] == [{"id": "7", "name": "bob"}]
    assert list(form["params"]) == ["comment"]
    assert form["params"]["comment"]["schema"]["type"] == ["null", "string"]
    version = asking.registry.version("churn", 1)
    for told in (version.digest, "accuracy", "It is better", "(/stoker/models/churn/versions/1)", "other than ada"):
        assert told in form["body"]
    assert 590 < patience(parked) <= 600
    assert timedelta(days=2.9) < asking.review.until - system_clock() <= timedelta(days=3)


def test_nothing_is_promoted_without_an_approval(asking: Asking) -> None:
    asking.wait()
    with pytest.raises(AirflowFailException, match=r"NotApproved: .*it waits for an answer"):
        asking.promote(1)
    asking.skipped()
    with pytest.raises(AirflowFailException, match=r"NotApproved: .*bob rejected it"):
        asking.promote(1)
    assert asking.registry.aliases("churn") == {}


def test_whoever_started_the_run_may_not_approve_it_and_others_still_may(asking: Asking) -> None:
    asking.wait()
    with pytest.raises(Parked):
        asking.answer("Approve", user="ada")
    assert asking.review.status == "waiting"
    assert len(asking.forms) == 2  # Airflow drops the answer with it
    assert asking.answer("Approve", user="bob")["summary"]["approved_by"] == "bob"


def test_anybody_may_approve_a_scheduled_run_or_where_two_eyes_are_enough(asking: Asking) -> None:
    asking.user = None
    asking.wait()
    assert asking.answer("Approve", user="ada")["summary"]["approved_by"] == "ada"


def test_two_eyes_may_be_enough(asking: Asking) -> None:
    asking.wait(four_eyes=False)
    assert asking.answer("Approve", user="ada", four_eyes=False)["verdict"] == "pass"


def test_a_person_may_be_called_airflow(asking: Asking) -> None:
    asking.wait()
    assert asking.answer("Approve", user="airflow")["summary"]["reasons"] == [
        "Version 1 of churn was approved by airflow."
    ]


def test_a_rejection_skips_what_follows_but_not_the_teardown(asking: Asking) -> None:
    asking.wait()
    reference = asking.skipped(comment="leaks")
    assert (reference["verdict"], reference["summary"]["approved_by"]) == ("fail", None)
    assert reference["summary"]["reasons"] == ["Version 1 of churn was rejected by bob."]


def test_a_rejection_fails_the_task_where_that_is_wanted(asking: Asking) -> None:
    asking.wait(on_reject="fail")
    with pytest.raises(AirflowFailException, match=r"NotApproved: The version must be approved; .*rejected by bob"):
        asking.answer("Reject", on_reject="fail")
    assert asking.pushed["return_value"]["verdict"] == "fail"


def test_an_unknown_way_to_reject_is_refused_before_anybody_is_asked(asking: Asking) -> None:
    with pytest.raises(AirflowFailException, match="on_reject must be one of skip, fail"):
        asking.start(on_reject="ignore")
    assert asking.registry.state("churn").seq == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"timeout": 72},
        {"poll_seconds": 0},
        {"poll_seconds": -1},
        {"poll_seconds": float("nan")},
        {"poll_seconds": 1e9},
    ],
)
def test_a_wrong_time_is_refused_before_anybody_is_asked(asking: Asking, wrong: dict[str, Any]) -> None:
    with pytest.raises(AirflowFailException, match=f"Error: {next(iter(wrong))} must be"):
        asking.start(**wrong)
    assert asking.registry.state("churn").seq == 1


@pytest.mark.parametrize(
    "bypass", [{"defaults": "Approve"}, {"fail_on_reject": True}, {"ignore_downstream_trigger_rules": True}]
)
def test_nothing_but_a_person_answers_and_nothing_but_on_reject_acts(bypass: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match=next(iter(bypass))):
        ApproveModelOperator(task_id="own", name="churn", version=1, **bypass)
    with DAG("churn_train", schedule=None, default_args=bypass):
        task = ApproveModelOperator(task_id="own", name="churn", version=1)
    assert (task.defaults, task.fail_on_reject, task.ignore_downstream_trigger_rules) == (None, False, False)


def test_the_timeout_of_the_execution_is_not_that_of_the_answer(recwarn: pytest.WarningsRecorder) -> None:
    task = ApproveModelOperator(task_id="own", name="churn", version=1, execution_timeout=timedelta(minutes=5))
    assert task.execution_timeout == timedelta(minutes=5)
    assert not [one for one in recwarn if "execution_timeout" in str(one.message)]


def test_what_nobody_answers_in_time_is_rejected(asking: Asking) -> None:
    parked = asking.wait(timeout=timedelta(microseconds=100_000))
    assert patience(parked) <= 0.1
    while asking.review.waits(system_clock()):
        pass
    with pytest.raises(DownstreamTasksSkipped):
        asking.resume(TIMEOUT)
    assert (asking.review.status, asking.review.decided_by) == ("rejected", "airflow")
    assert asking.pushed["return_value"]["summary"]["reasons"] == ["Version 1 of churn was not answered in time."]


def test_an_approval_in_the_form_that_comes_too_late_fails_the_task(asking: Asking) -> None:
    asking.wait(timeout=timedelta(microseconds=100_000))
    while asking.review.waits(system_clock()):
        pass
    with pytest.raises(AirflowFailException, match=r"ApprovalRefused: .*must be approved by"):
        asking.answer("Approve")


def test_a_task_that_was_not_answered_asks_again_when_it_is_cleared(asking: Asking) -> None:
    test_what_nobody_answers_in_time_is_rejected(asking)
    asking.wait()
    assert asking.review.status == "waiting"


def test_the_form_looks_from_time_to_time_whether_somebody_decided_elsewhere(asking: Asking) -> None:
    asking.wait()
    with pytest.raises(Parked) as parked:
        asking.resume(TIMEOUT, poll_seconds=60)
    assert 50 < patience(parked.value) <= 60
    assert len(asking.forms) == 1  # a second one would take back an answer that is just being given
    evidence = asking.review.evidence
    asking.registry.approve("churn", 1, evidence=evidence, actor=Actor("carol", "ui"), reason="fine")
    assert asking.resume(TIMEOUT)["summary"]["approved_by"] == "carol"


@pytest.mark.parametrize("option", ["Approve", "Reject"])
def test_a_decision_elsewhere_counts_whatever_the_form_says_afterwards(asking: Asking, option: str) -> None:
    asking.wait()
    asking.registry.reject("churn", 1, evidence=asking.review.evidence, actor=Actor("carol", "ui"), reason="leaks")
    assert asking.skipped(option)["summary"]["reasons"] == ["Version 1 of churn was rejected by carol."]


def test_a_decision_between_looking_and_writing_counts(asking: Asking, monkeypatch: pytest.MonkeyPatch) -> None:
    asking.wait()
    looked = ApproveModelOperator._decide

    def late(self: ApproveModelOperator, *given: Any) -> Review:
        asking.registry.reject("churn", 1, evidence=asking.review.evidence, actor=Actor("carol", "ui"), reason="leaks")
        return looked(self, *given)

    monkeypatch.setattr(ApproveModelOperator, "_decide", late)
    assert asking.skipped("Approve")["summary"]["reasons"] == ["Version 1 of churn was rejected by carol."]


def test_a_task_that_runs_again_does_not_ask_about_what_was_decided(asking: Asking) -> None:
    asking.wait()
    asking.answer("Approve")
    assert asking.start()["summary"]["approved_by"] == "bob"
    register(asking.registry)
    asking.wait(version=2)
    asking.skipped(version=2)
    with pytest.raises(DownstreamTasksSkipped):
        asking.start(version=2)
    assert len(asking.forms) == 2


def test_a_task_that_runs_again_takes_up_the_same_question(asking: Asking) -> None:
    asking.wait()
    first = asking.review
    asking.wait()
    assert asking.review == first


def test_a_version_that_is_blocked_while_it_waits_fails_the_task(asking: Asking) -> None:
    asking.wait()
    asking.registry.block("churn", 1, actor=ACTOR, reason="leak")
    with pytest.raises(AirflowFailException, match="VersionBlocked"):
        asking.answer("Approve")
    with pytest.raises(AirflowFailException, match="VersionBlocked"):
        asking.resume(TIMEOUT)
    with pytest.raises(AirflowFailException, match="VersionBlocked"):
        asking.start()


@pytest.mark.parametrize("answer", ["Approve", "Reject", None])
def test_a_version_that_was_blocked_and_unblocked_while_it_waited_is_asked_about_anew(
    asking: Asking, answer: str | None
) -> None:
    asking.wait()
    asking.registry.block("churn", 1, actor=ACTOR, reason="leak")
    asking.registry.unblock("churn", 1, actor=ACTOR, reason="no leak")
    with pytest.raises(Parked):
        asking.answer(answer) if answer else asking.resume(TIMEOUT)
    assert (asking.review.status, len(asking.forms)) == ("waiting", 2)
    assert asking.answer("Approve")["verdict"] == "pass"


def test_a_version_that_does_not_exist_is_not_asked_about(asking: Asking) -> None:
    with pytest.raises(AirflowFailException, match="NotFound"):
        asking.start(version=9)
    assert asking.forms == []


def test_a_question_whose_reply_was_lost_is_put_once(asking: Asking) -> None:
    with faulty({1: Fault.AFTER}):
        asking.wait()
    assert asking.registry.state("churn").seq == 2


def test_a_store_that_is_out_of_reach_is_left_to_airflows_retries(asking: Asking) -> None:
    asking.wait()
    with faulty({1: Fault.BEFORE}), pytest.raises(StoreUnavailable):
        asking.answer("Approve")
    asking.wait()
    assert asking.answer("Approve")["verdict"] == "pass"


def test_an_event_that_is_no_answer_is_an_error(asking: Asking) -> None:
    asking.wait()
    with pytest.raises(Exception, match="unknown"):
        asking.resume({"error": "broken", "error_type": "unknown"})
    with pytest.raises(ValueError, match="not in"):
        asking.answer("Maybe")
    assert asking.review.status == "waiting"


def test_notifiers_are_told_once(asking: Asking) -> None:
    def notify(context: Any) -> None:
        asking.notified.append(context["task"].subject)

    asking.wait(notifiers=[notify])
    with pytest.raises(Parked):
        asking.resume(TIMEOUT, notifiers=[notify])
    assert asking.notified == ["Approve version 1 of churn for production"]


@pytest.mark.parametrize(
    "hostile", ["<script>alert(1)</script>", "a | b | c", "[x](javascript:alert(1))", "\x1b[31m\u202ered", "# Title"]
)
def test_what_comes_from_data_stays_text(asking: Asking, hostile: str) -> None:
    register(asking.registry, reasons=(hostile,), metrics={hostile: 0.5}, reason=hostile)
    asking.wait(version=2)
    body = asking.forms[0]["body"]
    assert not re.search(r"<script|(?<!\\)\[x|\x1b|\u202e|^# |(?<!\\)\| b", body, re.MULTILINE)
