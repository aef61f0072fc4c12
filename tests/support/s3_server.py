"""An S3 server in a process of its own, for tests: moto, made atomic.

moto looks a key up and then writes it, so two requests at once can both find it absent. One lock around every request takes that away, and
makes it a server that honours ``If-None-Match``.

With ``--ignore-conditions`` it is the opposite: a server that never sees the header, as some have it, for tests that must notice. With
``--racy`` it is moto as it comes, with threads that change as often as they can.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

BUCKET = "stoker-tests"


@contextmanager
def s3_server(*, ignore_conditions: bool = False, racy: bool = False) -> Iterator[str]:
    """Run the server, with an empty bucket :data:`BUCKET`, and give its address."""
    options = [*(["--ignore-conditions"] if ignore_conditions else []), *(["--racy"] if racy else [])]
    command = [sys.executable, "-m", "tests.support.s3_server", *options]
    root = Path(__file__).parents[2]
    server = subprocess.Popen(
        command, cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    with server:  # closes its standard input at the end, which ends it
        address = server.stdout.readline().strip()
        assert address, "the S3 server did not start"
        client(address).create_bucket(Bucket=BUCKET)
        yield address
        server.stdin.close()


def client(endpoint: str, **config: Any) -> Any:
    """A boto3 client for the server: one attempt, and room for racing threads.

    :param config: more settings of ``botocore.config.Config``, such as ``read_timeout``.
    """
    import boto3
    from botocore.config import Config

    settings = {"retries": {"total_max_attempts": 1, "mode": "standard"}, "max_pool_connections": 64, **config}
    return boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id="testing",
        aws_secret_access_key="testing",
        config=Config(s3={"addressing_style": "path"}, **settings),
    )


_Environ = dict[str, Any]
_App = Callable[[_Environ, Callable[..., Any]], Iterable[bytes]]


def _atomic(app: _App) -> _App:
    lock = threading.Lock()

    def dispatch(environ: _Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        with lock:
            return list(app(environ, start_response))

    return dispatch


def _unconditional(app: _App) -> _App:
    def dispatch(environ: _Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        environ.pop("HTTP_IF_NONE_MATCH", None)
        return app(environ, start_response)

    return dispatch


def _serve(*, ignore_conditions: bool, racy: bool) -> None:
    from moto.server import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
    from werkzeug.serving import make_server

    moto = DomainDispatcherApplication(create_backend_app)
    if racy:
        sys.setswitchinterval(1e-6)
    app = moto if racy else _atomic(moto)
    app = _unconditional(app) if ignore_conditions else app
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=MotoRequestHandler)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    print(f"http://127.0.0.1:{server.server_port}", flush=True)
    server.serve_forever()


def _end_with_parent() -> None:
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ignore-conditions", action="store_true")
    parser.add_argument("--racy", action="store_true")
    _serve(**vars(parser.parse_args()))
