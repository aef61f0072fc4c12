"""What an error from S3 means: whether the write may have landed, and whether to ask again.

The names of AWS's error codes are those of the S3 API reference, "Error responses".
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from stoker.errors import ConfigurationError, StokerError, StoreNotWritable, StoreUnavailable


class Kind(Enum):
    """The kinds of failure that are treated differently."""

    TAKEN = auto()  # 412: the key holds something
    ABSENT = auto()  # 404: the key holds nothing
    BUSY = auto()  # the server answered that it did not do it, and may do it later
    BROKEN = auto()  # the server answered with a fault of its own
    NO_ANSWER = auto()  # the request went out, and nothing usable came back
    NOT_SENT = auto()  # no connection: the request never went out
    EXPIRED = auto()  # credentials that must be renewed
    REFUSED = auto()  # credentials that do not suffice
    MISCONFIGURED = auto()  # no repetition will help


AGAIN = {Kind.TAKEN, Kind.BUSY, Kind.BROKEN, Kind.NO_ANSWER, Kind.NOT_SENT}
"""Worth another try."""

UNSEEN = {Kind.BROKEN, Kind.NO_ANSWER}
"""The write may have landed without our seeing it."""

_BY_CODE = {
    "NoSuchKey": Kind.ABSENT,
    "NoSuchBucket": Kind.MISCONFIGURED,
    "RequestTimeTooSkewed": Kind.MISCONFIGURED,
    "ConditionalRequestConflict": Kind.BUSY,
    "OperationAborted": Kind.BUSY,
    "SlowDown": Kind.BROKEN,
    "Throttling": Kind.BROKEN,
    "RequestTimeout": Kind.BROKEN,
    "IncompleteBody": Kind.BROKEN,
    "BadDigest": Kind.BROKEN,
    "ExpiredToken": Kind.EXPIRED,
    "ExpiredTokenException": Kind.EXPIRED,
    "RequestExpired": Kind.EXPIRED,
    "TokenRefreshRequired": Kind.EXPIRED,
    "NotImplemented": Kind.MISCONFIGURED,
}
_BY_STATUS = {
    401: Kind.REFUSED,
    403: Kind.REFUSED,
    404: Kind.ABSENT,
    405: Kind.REFUSED,
    409: Kind.BUSY,
    412: Kind.TAKEN,
    429: Kind.BROKEN,
}
_ADVICE = {
    "NoSuchBucket": "Create the bucket, or correct the address of the store; Stoker never makes buckets",
    "RequestTimeTooSkewed": "Set the clock of this machine (NTP)",
    "NotImplemented": "This server lacks conditional writes; use one that has them (AWS S3, Ceph RGW, MinIO)",
}


@dataclass(frozen=True)
class Failure:
    """One failed request.

    :param kind: how to treat it.
    :param text: code and status, or the class of the error: nothing that could hold a credential.
    :param advice: what a person can do about it.
    :param repeated: whether the client itself had tried before, so that an earlier try may have landed.
    :param cause: the error that was diagnosed.
    """

    kind: Kind
    text: str
    advice: str = "Try again later"
    repeated: bool = False
    cause: Exception | None = None

    @property
    def may_have_landed(self) -> bool:
        """Whether a write that failed so may have happened all the same."""
        return self.kind in UNSEEN or self.repeated

    @property
    def ended(self) -> bool:
        """Whether the request is over, so that an empty key proves that nothing landed. After silence it may still be on its way."""
        return self.kind is not Kind.NO_ANSWER and not self.repeated

    def error(self, uri: str, doing: str, *, writing: bool = False) -> StokerError:
        """The error to raise when this failure is the end of it."""
        message = f"The store must answer; {uri} failed while {doing}: {self.text}. {self.advice}."
        if self.kind is Kind.MISCONFIGURED:
            return ConfigurationError(message)
        if self.kind is Kind.REFUSED and writing:
            return StoreNotWritable(message)
        return StoreUnavailable(message)


def diagnose(error: Exception, *, client_repeats: bool) -> Failure:
    """Find out what an error of botocore means.

    :param error: a ``ClientError`` or ``BotoCoreError``.
    :param client_repeats: whether the client may have sent the request several times before it gave up.
    """
    from botocore.exceptions import ClientError

    if isinstance(error, ClientError):
        return _from_answer(error, error.response)
    return _from_connection(error, client_repeats=client_repeats)


def _from_answer(error: Exception, response: dict[str, Any]) -> Failure:
    code = str(response.get("Error", {}).get("Code", "no code"))
    metadata = response.get("ResponseMetadata", {})
    status = int(metadata.get("HTTPStatusCode", 0))
    kind = _BY_CODE.get(code) or _BY_STATUS.get(status) or _by_class(status)
    repeated = bool(metadata.get("RetryAttempts"))
    return Failure(kind, f"{code} (HTTP {status})", _advice(code, kind), repeated=repeated, cause=error)


def _by_class(status: int) -> Kind:
    return Kind.MISCONFIGURED if 300 <= status < 500 else Kind.BROKEN


def _advice(code: str, kind: Kind) -> str:
    if kind is Kind.EXPIRED:
        return "Renew the credentials"
    if kind is Kind.REFUSED:
        return "The credentials need s3:GetObject, s3:PutObject and s3:ListBucket on this bucket and prefix"
    if kind is Kind.MISCONFIGURED:
        return _ADVICE.get(code, "Check the bucket, region and endpoint of the connection")
    return "Try again later"


def _from_connection(error: Exception, *, client_repeats: bool) -> Failure:
    from botocore import exceptions as boto

    text = type(error).__name__
    if isinstance(error, (boto.NoCredentialsError, boto.PartialCredentialsError, boto.NoRegionError)):
        return Failure(Kind.MISCONFIGURED, text, "Give the connection credentials and a region", cause=error)
    if isinstance(error, (boto.CredentialRetrievalError, boto.TokenRetrievalError)):
        return Failure(Kind.EXPIRED, text, "Renew the credentials", cause=error)
    if isinstance(error, boto.ParamValidationError):
        return Failure(Kind.MISCONFIGURED, text, "Check the bucket name and the expected owner", cause=error)
    if isinstance(error, boto.ConnectionError):  # botocore's name for a connection that was never made
        return Failure(Kind.NOT_SENT, text, repeated=client_repeats, cause=error)
    return Failure(Kind.NO_ANSWER, text, cause=error)
