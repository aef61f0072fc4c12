"""How a machine proves that it may send alerts: a bearer token, or an HMAC over the time and the body.

The HMAC is the one of Grafana's webhook contact points: HMAC-SHA256 over ``timestamp + ":" + body``, in lower-case
hexadecimal digits, with the timestamp in Unix seconds. It covers the time, so an old delivery cannot be made young.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from datetime import datetime, timedelta

MAX_AGE = timedelta(minutes=5)
"""How far the time in a signature may lie from ours, in either direction."""

_TIMESTAMP = re.compile(r"[0-9]{1,12}", re.ASCII)


def sign(secret: str, timestamp: str, body: bytes) -> str:
    """The signature of a body sent at a time.

    :param timestamp: Unix seconds, as they stand in the header.
    """
    return hmac.new(secret.encode(), timestamp.encode() + b":" + body, hashlib.sha256).hexdigest()


def is_signed(secret: str, timestamp: str, body: bytes, signature: str) -> bool:
    """Whether the signature is the right one. Takes as long for a nearly right one as for any other."""
    return _same(sign(secret, timestamp, body), signature)


def is_bearer(secret: str, authorization: str) -> bool:
    """Whether the ``Authorization`` header carries the secret as a bearer token. Takes constant time, as above."""
    scheme, _, token = authorization.partition(" ")
    return scheme.lower() == "bearer" and _same(secret, token.strip())


def is_recent(timestamp: str, now: datetime, max_age: timedelta = MAX_AGE) -> bool:
    """Whether a timestamp is one, and near enough to ``now``.

    :param max_age: how far it may lie in the past, and in the future too, since clocks differ.
    """
    return bool(_TIMESTAMP.fullmatch(timestamp)) and abs(now.timestamp() - int(timestamp)) <= max_age.total_seconds()


def _same(wanted: str, given: str) -> bool:
    # Header values are any Latin-1 text, and compare_digest takes other texts than ASCII only as bytes.
    return hmac.compare_digest(wanted.encode(), given.encode(errors="replace"))
