"""Reading what a caller sends, no more of it and no longer than is good for the server."""

from __future__ import annotations

import asyncio

from fastapi import Request


class BodyTooLarge(Exception):
    """The body has more bytes than it may have."""


async def read_body(request: Request, *, most: int, seconds: float) -> bytes:
    """The whole body.

    :param most: bytes; beyond them nothing is read.
    :param seconds: in which it must come.
    :raises BodyTooLarge: when there are more.
    :raises TimeoutError: when it does not come in time.
    :raises starlette.requests.ClientDisconnect: when the caller leaves before its end.
    """
    body = bytearray()
    async with asyncio.timeout(seconds):
        async for chunk in request.stream():
            body += chunk
            if len(body) > most:
                raise BodyTooLarge
    return bytes(body)
