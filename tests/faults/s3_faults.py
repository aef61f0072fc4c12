"""S3 that fails at a chosen request: behind botocore in the same process, so that every request can be tried in turn.

What a failure looks like is botocore's own business from here on: answers go through its parsers, and what breaks on the way is raised
where its connection would raise it.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from botocore import exceptions as boto
from botocore.awsrequest import AWSResponse
from urllib3.exceptions import ProtocolError
from urllib3.exceptions import ReadTimeoutError as SlowBody

from stoker.errors import ConfigurationError, IntegrityError, NotFound, StokerError, StoreNotWritable, TransportError
from stoker.store.memory import MemoryStore
from stoker.store.retries import Patience
from stoker.store.s3_objects import S3Store

BUCKET = "stoker-faults"
TRIES = 4
Send = Callable[[], AWSResponse]


class _Raw(io.BytesIO):
    """A body, which may break off at its end."""

    def __init__(self, content: bytes, error: Exception | None = None) -> None:
        super().__init__(content)
        self._error = error

    def read(self, size: int | None = -1, /) -> bytes:
        data = super().read(size)
        if (not data and self._error) or (self._error and size in {None, -1}):
            raise self._error
        return data

    def stream(self) -> Iterator[bytes]:
        yield self.read()


@dataclass(frozen=True)
class Fault:
    """One way to fail.

    :param act: answers the request, or raises; may send it first.
    :param errors: what a caller may be told.
    :param passing: whether one such failure is overcome by trying again.
    """

    act: Callable[[Any, Send], AWSResponse]
    errors: tuple[type[StokerError], ...] = (TransportError,)
    passing: bool = True


def _says(status: int, code: str) -> Callable[[Any, Send], AWSResponse]:
    def answer(request: Any, send: Send) -> AWSResponse:
        body = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>planned</Message></Error>".encode()
        return AWSResponse(
            request.url, status, {"Content-Type": "application/xml"}, _Raw(b"" if request.method == "HEAD" else body)
        )

    return answer


def _never_sent(request: Any, send: Send) -> AWSResponse:
    raise boto.ReadTimeoutError(endpoint_url=request.url)


def _reply_lost(request: Any, send: Send) -> AWSResponse:
    send()
    raise boto.ReadTimeoutError(endpoint_url=request.url)


def _refused(request: Any, send: Send) -> AWSResponse:
    raise boto.EndpointConnectionError(endpoint_url=request.url)


def _broken_body(cut: bool, error: Exception | None) -> Callable[[Any, Send], AWSResponse]:
    def answer(request: Any, send: Send) -> AWSResponse:
        found = send()
        if not request.stream_output or found.status_code != 200:
            raise boto.HTTPClientError(error=error or ProtocolError("IncompleteRead"))
        content = found.content
        return AWSResponse(request.url, 200, found.headers, _Raw(content[: len(content) // 2] if cut else b"", error))

    return answer


def _wrong_digest(request: Any, send: Send) -> AWSResponse:
    """Damaged on the way: the server says so of what it got, and nobody says so of what we get."""
    if request.method == "PUT":
        return _says(400, "BadDigest")(request, send)
    found = send()
    if not request.stream_output or found.status_code != 200 or not found.content:
        return AWSResponse(request.url, found.status_code, found.headers, _Raw(found.content))
    content = bytes([found.content[0] ^ 1]) + found.content[1:]
    headers = {name: value for name, value in found.headers.items() if "checksum" not in name.lower()}
    return AWSResponse(request.url, 200, headers, _Raw(content))


def _garbage(request: Any, send: Send) -> AWSResponse:
    """A page of some proxy in the place of a listing."""
    found = send()
    body = found.content if request.stream_output or request.method != "GET" else b"<html>Sign in</p>"
    return AWSResponse(request.url, found.status_code, found.headers, _Raw(body))


FAULTS = {
    "503 SlowDown": Fault(_says(503, "SlowDown")),
    "500 InternalError": Fault(_says(500, "InternalError")),
    "409 ConditionalRequestConflict": Fault(_says(409, "ConditionalRequestConflict")),
    "403 AccessDenied": Fault(_says(403, "AccessDenied"), (StoreNotWritable, TransportError), passing=False),
    "403 ExpiredToken": Fault(_says(403, "ExpiredToken"), passing=False),
    "403 RequestTimeTooSkewed": Fault(
        _says(403, "RequestTimeTooSkewed"), (ConfigurationError, TransportError), passing=False
    ),
    # The answer to a HEAD has no body: a bucket that is gone looks like a key that is gone.
    "404 NoSuchBucket": Fault(
        _says(404, "NoSuchBucket"), (ConfigurationError, NotFound, IntegrityError, TransportError), passing=False
    ),
    "timeout before": Fault(_never_sent),
    "timeout after": Fault(_reply_lost),
    "reset in the body": Fault(_broken_body(True, ProtocolError("Connection broken"))),
    "short body": Fault(_broken_body(True, None)),
    "slow body": Fault(_broken_body(True, SlowBody(None, "", "Read timed out."))),
    "wrong digest": Fault(_wrong_digest, (IntegrityError, TransportError), passing=False),
    "garbage": Fault(_garbage),
    "connection refused": Fault(_refused),
}


class Saboteur:
    """S3 over a store in memory, which spoils one request, or all from one on.

    :param behind: what is written lands there at once, so that a test sees it without a client.
    :param fault: how; ``None`` for never.
    :param at: the number of the request, from 1.
    :param lasting: whether all later requests fail as well.
    """

    def __init__(self, behind: MemoryStore, fault: Fault | None = None, at: int = 0, *, lasting: bool = False) -> None:
        self.methods: list[str] = []
        self._behind = behind
        self._fault = fault
        self._at = at
        self._lasting = lasting

    @property
    def requests(self) -> int:
        """How many came so far."""
        return len(self.methods)

    def answer(self, request: Any) -> AWSResponse:
        """Answer a request, or raise."""
        self.methods.append(request.method)
        spoiled = self.requests >= self._at if self._lasting else self.requests == self._at
        if self._fault and spoiled:
            return self._fault.act(request, lambda: self._served(request))
        return self._served(request)

    def _served(self, request: Any) -> AWSResponse:
        address = urlsplit(request.url)
        key = address.path.removeprefix(f"/{BUCKET}").lstrip("/")
        if request.method == "PUT":
            return self._put(request, key)
        if not key:
            return self._listed(request, dict(parse_qsl(address.query)))
        if not self._behind.exists(key):
            return _says(404, "NoSuchKey")(request, lambda: self._served(request))
        content = self._behind.read(key)
        headers = {"Content-Length": str(len(content)), "Last-Modified": "Sat, 21 Nov 2026 12:00:00 GMT"}
        return AWSResponse(request.url, 200, headers, _Raw(b"" if request.method == "HEAD" else content))

    def _put(self, request: Any, key: str) -> AWSResponse:
        assert request.headers["If-None-Match"] in {"*", b"*"}
        if self._behind.exists(key):
            return _says(412, "PreconditionFailed")(request, lambda: self._served(request))
        body = request.body
        self._behind.create(key, body if isinstance(body, bytes) else body.read())
        return AWSResponse(request.url, 200, {}, _Raw(b""))

    def _listed(self, request: Any, query: dict[str, str]) -> AWSResponse:
        keys = self._behind.keys(query["prefix"], after=query.get("start-after", ""))
        contents = "".join(f"<Contents><Key>{key}</Key></Contents>" for key in keys)
        body = f"<ListBucketResult><IsTruncated>false</IsTruncated>{contents}</ListBucketResult>"
        return AWSResponse(request.url, 200, {"Content-Type": "application/xml"}, _Raw(body.encode()))


class Service:
    """One client, whose requests go to a saboteur."""

    def __init__(self) -> None:
        self._client = _client()
        self._client.meta.events.register("before-send.s3", self._answer)
        self._saboteur: Saboteur

    def store(self, saboteur: Saboteur) -> S3Store:
        """The store behind a saboteur, until the next is asked for."""
        self._saboteur = saboteur
        patience = Patience(tries=TRIES, sleep=lambda _: None, jitter=lambda: 0.0)
        return S3Store(self._client, BUCKET, patience=patience)

    def _answer(self, request: Any, **_: Any) -> AWSResponse:
        return self._saboteur.answer(request)


def _client() -> Any:
    import boto3
    from botocore.config import Config

    return boto3.client(
        "s3",
        region_name="us-east-1",
        aws_access_key_id="testing",
        aws_secret_access_key="testing",
        config=Config(
            s3={"addressing_style": "path"},
            retries={"total_max_attempts": 1, "mode": "standard"},
            request_checksum_calculation="when_required",  # else a body comes in chunks of S3's own making
        ),
    )
