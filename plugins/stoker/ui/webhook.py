"""Where monitoring systems report alerts. Machines call it, so it stands behind a proof of its own, not behind a login."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from http import HTTPStatus

from anyio import CapacityLimiter
from anyio.to_thread import run_sync
from fastapi import Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse
from starlette.requests import ClientDisconnect

from stoker.core import clock as time
from stoker.core.alerts import FORMS, Alert, read_webhook
from stoker.core.records import Actor
from stoker.core.signatures import is_bearer, is_recent, is_signed
from stoker.errors import InvalidName, NotFound, StokerError, TransportError, UnreadableData
from stoker.loop import replays
from stoker.loop.alert_intake import Intake, take_in
from stoker.loop.broker import Broker
from stoker.registry.registry import Registry
from stoker.ui.bodies import BodyTooLarge, read_body

log = logging.getLogger(__name__)

PATH = "/webhooks/{form}/{model}"
SIGNATURE_HEADER = "X-Grafana-Alerting-Signature"
TIMESTAMP_HEADER = "X-Grafana-Alerting-Timestamp"
MAX_BODY = 1024 * 1024

_READ_SECONDS = 20
_THREADS = 4
_MAX_AT_WORK = 64


@dataclass(frozen=True)
class _Signature:
    """A signature that was found right, and the second that it covers."""

    timestamp: str
    value: str


class _Refused(Exception):
    def __init__(self, status: HTTPStatus, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


def webhook(
    get_registry: Callable[[], Registry],
    get_secrets: Callable[[], Sequence[str]],
    *,
    clock: time.Clock = time.system_clock,
    new_id: time.IdFactory = time.random_id,
) -> Callable[[Request], Awaitable[Response]]:
    """Build the endpoint for ``POST`` at :data:`PATH`.

    A caller proves itself by ``Authorization: Bearer <secret>``, or by an HMAC as :mod:`stoker.core.signatures` has it in
    :data:`SIGNATURE_HEADER` with the time in :data:`TIMESTAMP_HEADER`. A signed delivery is taken once; one under a bearer
    token may be repeated by whoever knows the token. Either way a repeated alert asks for nothing twice.

    The answer is ``{"requests": n, "ignored": n}``, or ``{"error": reason}`` with 400 for a body that cannot be used, 401
    without proof, 404 for no such form or model, or when there is no secret at all, 408 for a slow and 413 for a large
    body, 409 for a signature that was used, and 503 when the installation or its store is not in order, or busy.

    :param get_registry: returns the registry; called once a delivery that proved itself.
    :param get_secrets: returns the secrets that hold; none closes the webhook.
    """

    # Threads of its own, since the store may be slow: those that the server keeps are shared with every page of Airflow.
    threads = CapacityLimiter(_THREADS)
    at_work = 0

    async def receive(request: Request) -> Response:
        try:
            signature, body = await _proven(request, await run_in_threadpool(get_secrets), clock)
            intake = await taken(request.path_params, body, signature)
        except _Refused as refused:
            log.warning("a delivery to the webhook was refused: %s", refused.reason)
            return _error(refused.status, refused.reason)
        except StokerError as error:
            # What is wrong with the installation is for its operators, not for whoever calls.
            log.error("a delivery to the webhook failed: %s", error.message)
            return _error(HTTPStatus.SERVICE_UNAVAILABLE, "Stoker could not take this in. Send it again later.")
        return JSONResponse({"requests": intake.requests, "ignored": intake.ignored})

    async def taken(path: dict[str, str], body: bytes, signature: _Signature | None) -> Intake:
        nonlocal at_work
        if at_work >= _MAX_AT_WORK:
            raise _Refused(HTTPStatus.SERVICE_UNAVAILABLE, "Too many deliveries at once. Send it again later.")
        at_work += 1
        try:
            return await run_sync(handle, path, body, signature, limiter=threads)
        finally:
            at_work -= 1

    def handle(path: dict[str, str], body: bytes, signature: _Signature | None) -> Intake:
        registry = get_registry()
        if signature is None:
            return put(registry, path, body)
        # Before anything else: a signature does not cover the address, so what was recorded could be sent to another model.
        given = (registry.store, signature.timestamp, signature.value)
        if not replays.use(*given, write_id=new_id(), now=clock()):
            raise _Refused(HTTPStatus.CONFLICT, "This signature was used before. Sign anew with the time of sending.")
        try:
            return put(registry, path, body)
        except TransportError:
            replays.release(*given)
            raise

    def put(registry: Registry, path: dict[str, str], body: bytes) -> Intake:
        model = _model(registry, path["model"])
        alerts = _alerts(path["form"], model, body)
        broker = Broker(registry.store, model, clock=clock, new_id=new_id)
        return take_in(broker, alerts, source="webhook", actor=Actor("webhook", f"webhook/{path['form']}"))

    return receive


async def _proven(request: Request, secrets: Sequence[str], clock: time.Clock) -> tuple[_Signature | None, bytes]:
    """The body of a caller that proved itself. Without a proof that could hold, the body is not even read."""
    if not secrets:
        raise _Refused(HTTPStatus.NOT_FOUND, "Not found.")
    given = request.headers.get(SIGNATURE_HEADER)
    if given is None:
        authorization = request.headers.get("Authorization", "")
        if not any(is_bearer(secret, authorization) for secret in secrets):
            raise _Refused(HTTPStatus.UNAUTHORIZED, "A bearer token or a signature is needed that is right.")
        return None, await _body(request)
    timestamp = request.headers.get(TIMESTAMP_HEADER, "")
    if not is_recent(timestamp, clock()):
        raise _Refused(
            HTTPStatus.UNAUTHORIZED, f"The signature needs a time within 5 minutes of ours in {TIMESTAMP_HEADER}."
        )
    body = await _body(request)
    if not any(is_signed(secret, timestamp, body, given) for secret in secrets):
        raise _Refused(HTTPStatus.UNAUTHORIZED, "A bearer token or a signature is needed that is right.")
    return _Signature(timestamp, given), body


async def _body(request: Request) -> bytes:
    try:
        return await read_body(request, most=MAX_BODY, seconds=_READ_SECONDS)
    except BodyTooLarge:
        raise _Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"A body must have at most {MAX_BODY} bytes.") from None
    except TimeoutError:
        raise _Refused(HTTPStatus.REQUEST_TIMEOUT, f"A body must come within {_READ_SECONDS} seconds.") from None
    except ClientDisconnect:
        raise _Refused(HTTPStatus.BAD_REQUEST, "The caller left before the body was whole.") from None


def _model(registry: Registry, name: str) -> str:
    try:
        registry.state(name)
    except (InvalidName, NotFound) as error:
        raise _Refused(HTTPStatus.NOT_FOUND, "The address must end in the name of a registered model.") from error
    return name


def _alerts(form: str, model: str, body: bytes) -> tuple[Alert, ...]:
    if form not in FORMS:
        raise _Refused(HTTPStatus.NOT_FOUND, f"The address must name one of {', '.join(FORMS)}.")
    try:
        return read_webhook(form, model, body)
    except UnreadableData as error:
        raise _Refused(HTTPStatus.BAD_REQUEST, error.message) from error


def _error(status: HTTPStatus, reason: str) -> Response:
    headers = {"WWW-Authenticate": "Bearer"} if status is HTTPStatus.UNAUTHORIZED else {}
    return JSONResponse({"error": reason}, status, headers)
