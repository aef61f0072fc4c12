"""The part of the API that changes something. Every change names who asked for it and what they saw, and is refused if that is past."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Depends
from pydantic import BaseModel

from stoker.core.clock import random_id
from stoker.core.names import parse_version
from stoker.core.records import Actor
from stoker.engines.candidates import verify_files
from stoker.errors import GateFailed, NotApproved
from stoker.loop.broker import Broker
from stoker.registry.registry import AliasMove, Registry
from stoker.registry.state import Review
from stoker.registry.versions import Version
from stoker.ui.access import Person
from stoker.ui.api_models import (
    Because,
    ChangeAnswer,
    Decision,
    ErrorAnswer,
    GoingBack,
    ModelName,
    MoveAnswer,
    NumberText,
    Promotion,
    ReviewAnswer,
    TicketAnswer,
)
from stoker.ui.context import Context
from stoker.ui.failures import Refused
from stoker.ui.origin import json_body, require_own_origin

ORIGIN = "ui"
"""Where a change came from, as the audit log has it."""


_PROMOTION = json_body(Promotion)
_GOING_BACK = json_body(GoingBack)
_DECISION = json_body(Decision)
_BECAUSE = json_body(Because)

_NO_WAY_AROUND = (
    "There is no way around a verdict here; on the command line there is: stoker promote with --no-verdict."
)

_ERRORS: dict[int | str, dict[str, Any]] = {
    413: {"model": ErrorAnswer, "description": "The body has more than 64 KiB."},
    415: {"model": ErrorAnswer, "description": "The body is not JSON."},
}


def router(context: Context) -> APIRouter:
    """The routes."""
    routes = APIRouter(prefix="/models/{name}", responses=_ERRORS, dependencies=[Depends(require_own_origin)])
    # Named before the body, so that nobody learns from a refusal of the body what they may not do at all.
    acting = Depends(_acting(context))
    _move_champion(routes, context, acting)
    _steer_loop(routes, context, acting)
    _judge_version(routes, context, acting)
    return routes


def _acting(context: Context) -> Any:
    def actor(name: ModelName, person: Person = context.person) -> Actor:
        if not context.may_act(person, name):
            raise Refused(
                403,
                "NotAllowed",
                f"To change model {name!r} one must be allowed to start runs of the DAG that trains it; {ascii(person.name)[:80]} is not. "
                "Ask an administrator of Airflow.",
            )
        return Actor(person.name, ORIGIN)

    return actor


def _move_champion(routes: APIRouter, context: Context, acting: Any) -> None:
    @routes.post(
        "/promote", summary="Make a version the champion, if nobody was faster", openapi_extra=_takes(Promotion)
    )
    def promote(name: ModelName, actor: Actor = acting, body: Promotion = _PROMOTION) -> MoveAnswer:
        registry = context.registry()
        _verify(registry, registry.version(name, body.version))
        try:
            move = registry.promote(
                name,
                body.version,
                expected_version=body.expected_version,
                actor=actor,
                reason=body.reason,
            )
        except NotApproved:
            raise
        except GateFailed as error:
            raise GateFailed(f"{error.message} {_NO_WAY_AROUND}", **error.details) from error
        return _moved(name, move)

    @routes.post(
        "/rollback", summary="Go back to an earlier champion and block the present one", openapi_extra=_takes(GoingBack)
    )
    def rollback(name: ModelName, actor: Actor = acting, body: GoingBack = _GOING_BACK) -> MoveAnswer:
        registry = context.registry()
        move = registry.rollback(
            name,
            to=body.to,
            expected_version=body.expected_version,
            actor=actor,
            reason=body.reason,
            verify=lambda version: _verify(registry, version),
        )
        return _moved(name, move)


def _steer_loop(routes: APIRouter, context: Context, acting: Any) -> None:
    @routes.post("/retrain", summary="Ask for a training", openapi_extra=_takes(Because))
    def retrain(name: ModelName, actor: Actor = acting, body: Because = _BECAUSE) -> TicketAnswer:
        ticket = Broker(context.registry().store, name).put(
            source="hand", reason=body.reason, dedupe_key=f"hand/{random_id()}", actor=actor
        )
        return TicketAnswer(model=name, id=ticket.id)

    @routes.post("/resume", summary="Let a model train again that was stopped", openapi_extra=_takes(Because))
    def resume(name: ModelName, actor: Actor = acting, body: Because = _BECAUSE) -> ChangeAnswer:
        changed = Broker(context.registry().store, name).reset(actor=actor, reason=body.reason)
        return ChangeAnswer(model=name, changed=changed)


def _judge_version(routes: APIRouter, context: Context, acting: Any) -> None:
    @routes.post(
        "/versions/{number}/approve", summary="Approve a version that waits for it", openapi_extra=_takes(Decision)
    )
    def approve(name: ModelName, number: NumberText, actor: Actor = acting, body: Decision = _DECISION) -> ReviewAnswer:
        review = context.registry().approve(
            name, parse_version(number), evidence=body.evidence, actor=actor, reason=body.reason
        )
        return _reviewed(name, review)

    @routes.post(
        "/versions/{number}/reject", summary="Reject a version that waits for approval", openapi_extra=_takes(Decision)
    )
    def reject(name: ModelName, number: NumberText, actor: Actor = acting, body: Decision = _DECISION) -> ReviewAnswer:
        review = context.registry().reject(
            name, parse_version(number), evidence=body.evidence, actor=actor, reason=body.reason
        )
        return _reviewed(name, review)

    @routes.post("/versions/{number}/block", summary="Refuse promotions of a version", openapi_extra=_takes(Because))
    def block(name: ModelName, number: NumberText, actor: Actor = acting, body: Because = _BECAUSE) -> ChangeAnswer:
        changed = context.registry().block(name, parse_version(number), actor=actor, reason=body.reason)
        return ChangeAnswer(model=name, changed=changed)

    @routes.post(
        "/versions/{number}/unblock", summary="Allow promotions of a version again", openapi_extra=_takes(Because)
    )
    def unblock(name: ModelName, number: NumberText, actor: Actor = acting, body: Because = _BECAUSE) -> ChangeAnswer:
        changed = context.registry().unblock(name, parse_version(number), actor=actor, reason=body.reason)
        return ChangeAnswer(model=name, changed=changed)


def _verify(registry: Registry, version: Version) -> None:
    """Read and hash the version's files. They are never loaded here."""
    verify_files(registry.store, version.manifest)


def _moved(name: str, move: AliasMove) -> MoveAnswer:
    return MoveAnswer.model_validate({"model": name, **vars(move)})


def _reviewed(name: str, review: Review) -> ReviewAnswer:
    return ReviewAnswer.model_validate({"model": name, **vars(review)})


def _takes(kind: type[BaseModel]) -> dict[str, Any]:
    """The body, for the description of the API: it is read by :func:`json_body`, of which FastAPI knows nothing."""
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": kind.model_json_schema()}}}}
