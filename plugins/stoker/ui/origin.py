"""What a change must bring besides a login: a body of JSON, sent by our own pages or by somebody who shows a token.

A browser sends its session's cookie along with whatever another site makes it send. So a change that is proved by a cookie must say
that it comes from our own pages, which a browser says truly and no other site can.
"""

from __future__ import annotations

from typing import Any, TypeVar

from fastapi import Depends, Request
from pydantic import BaseModel, ValidationError
from starlette.requests import ClientDisconnect

from stoker.core.wire import strict_json
from stoker.ui.bodies import BodyTooLarge, read_body
from stoker.ui.failures import Refused

MAX_BODY = 64 * 1024
"""Bytes of a body that asks for a change."""

_READ_SECONDS = 20

B = TypeVar("B", bound=BaseModel)


def require_own_origin(request: Request) -> None:
    """Refuse what another site may have sent.

    ``Sec-Fetch-Site`` decides where there is one; browsers leave it out on plain HTTP, and ``Origin`` is compared with ``Host`` then.

    :raises Refused: with 403.
    """
    site = request.headers.get("sec-fetch-site")
    origin = request.headers.get("origin")
    if site is not None:
        own = site == "same-origin"
    elif origin is not None:
        own = origin.lower().partition("://")[2] == request.headers.get("host", "").lower() != ""
    else:
        own = request.headers.get("authorization", "").lower().startswith("bearer ")
    if not own:
        raise Refused(
            403,
            "ForeignOrigin",
            "A change must be asked for by Stoker's own pages, or with a token in the header Authorization; this one came from "
            "elsewhere. Open Stoker in Airflow and do it there. A proxy before Airflow must pass the header Host on.",
        )


def json_body(kind: type[B]) -> Any:
    """The body of a request as a default value: ``def change(body: Promotion = PROMOTION)`` with ``PROMOTION = json_body(Promotion)``.

    It is read when the routes' earlier dependencies have let the request pass, unlike FastAPI's own, which reads and parses before it
    asks who is calling.

    :param kind: what the body must be.
    """

    async def read(request: Request) -> B:
        return parse_body(kind, await _read(request))

    return Depends(read)


def parse_body(kind: type[B], content: bytes) -> B:
    """A body, read strictly: no key twice, no NaN, no unknown field, no number in place of a text.

    :raises Refused: with 400 when it is not of that kind.
    """
    try:
        return kind.model_validate(strict_json(content))
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, one['loc'])) or 'it'}: {one['msg']}" for one in error.errors())
        raise _unusable(f"The body must be as the API describes it; {wrong}.") from error
    except ValueError as error:
        raise _unusable(f"The body must be one JSON object; {error}.") from error


async def _read(request: Request) -> bytes:
    if request.headers.get("content-type", "").split(";")[0].strip().lower() != "application/json":
        raise Refused(
            415, "UnsupportedMediaType", "A change must be sent as JSON, with Content-Type: application/json."
        )
    try:
        return await read_body(request, most=MAX_BODY, seconds=_READ_SECONDS)
    except BodyTooLarge:
        raise Refused(413, "BodyTooLarge", f"A body must have at most {MAX_BODY} bytes; this one has more.") from None
    except TimeoutError:
        raise Refused(
            408, "BodyTooSlow", f"A body must come within {_READ_SECONDS} seconds; this one did not."
        ) from None
    except ClientDisconnect:
        raise _unusable("The body must be whole; the caller left before its end.") from None


def _unusable(message: str) -> Refused:
    return Refused(400, "InvalidRequest", message)
