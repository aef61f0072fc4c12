"""An HTTP proxy that breaks connections where a test says so: real sockets, so a client behaves as it would in the field."""

from __future__ import annotations

import http.client
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

_ERROR = "<?xml version='1.0'?><Error><Code>{code}</Code><Message>planned</Message></Error>"


@dataclass(frozen=True)
class Answer:
    """A planned answer.

    :param applies: whether the request reaches the server first.
    :param status: answer this with ``code``, instead of what the server said; 0 for nothing at all.
    :param cut: close the connection without an answer, or in the middle of the server's.
    :param stall: no answer for this many seconds, then close.
    """

    applies: bool = True
    status: int = 0
    code: str = ""
    cut: bool = False
    stall: float = 0.0


PASS = Answer()
LOST_REPLY = Answer(cut=True)
LOST_REQUEST = Answer(applies=False, cut=True)
TIMEOUT_AFTER = Answer(stall=1.0, cut=True)


def says(status: int, code: str, *, applies: bool = False) -> Answer:
    """The server answers so, with or without having done it."""
    return Answer(applies=applies, status=status, code=code)


@dataclass
class FaultProxy:
    """:param plan: the answers to the next requests of each method, in order; then everything passes."""

    endpoint: str
    plan: dict[str, deque[Answer]] = field(default_factory=dict)
    seen: list[str] = field(default_factory=list)
    before: Callable[[str], None] = lambda method: None

    def then(self, method: str, *answers: Answer) -> None:
        self.plan.setdefault(method, deque()).extend(answers)

    def next(self, method: str) -> Answer:
        self.seen.append(method)
        self.before(method)
        planned = self.plan.get(method)
        return planned.popleft() if planned else PASS


@contextmanager
def fault_proxy(target: str) -> Iterator[FaultProxy]:
    """Run a proxy before the server at ``target``."""
    upstream = urlsplit(target).netloc

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _handle(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            answer = proxy.next(self.command)
            status, headers, content = self._forward(body) if answer.applies else (0, [], b"")
            if answer.stall:
                stopping.wait(answer.stall)
            if answer.status:
                status, content = answer.status, _ERROR.format(code=answer.code).encode()
                headers = [("Content-Type", "application/xml")]
            self.close_connection = True
            if not answer.cut:
                self._reply(status, headers, content, len(content))
            elif self.command == "GET" and content:
                self._reply(status, headers, content[: len(content) // 2], len(content))

        def _forward(self, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
            connection = http.client.HTTPConnection(upstream, timeout=20)
            headers = {name: value for name, value in self.headers.items() if name.lower() != "expect"}
            connection.request(self.command, self.path, body, headers)
            response = connection.getresponse()
            content = response.read()
            connection.close()
            skipped = ("content-length", "connection", "transfer-encoding")
            return response.status, [item for item in response.getheaders() if item[0].lower() not in skipped], content

        def _reply(self, status: int, headers: list[tuple[str, str]], content: bytes, length: int) -> None:
            self.send_response_only(status)
            for name, value in (*headers, ("Content-Length", str(length)), ("Connection", "close")):
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)

        do_GET = do_PUT = do_HEAD = do_DELETE = do_POST = _handle  # noqa: N815 - http.server's names

        def log_message(self, *_: object) -> None:
            """The test's own output is enough."""

    stopping = threading.Event()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    proxy = FaultProxy(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield proxy
    finally:
        stopping.set()
        server.shutdown()
        server.server_close()
        thread.join()
