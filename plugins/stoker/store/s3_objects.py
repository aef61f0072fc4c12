"""A store in an S3 bucket; ``PUT`` with ``If-None-Match: *`` is its create-if-absent.

A reply can be lost, and a client that repeats its own request is told that the key is taken, by itself. So whenever an answer
leaves it open whether our bytes landed, the key is read and compared with them: the content decides, never an ETag, which is
no digest of the bytes in general.

There are no multipart uploads, because not every server enforces the condition when it completes one.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing
from datetime import UTC
from enum import Enum, auto
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from stoker.errors import CommitStateUnknown, ConfigurationError, NotFound, UsageError
from stoker.store import files
from stoker.store.base import Stat
from stoker.store.keys import already_exists, check_key, check_prefix, check_readable, is_key, not_found
from stoker.store.retries import Patience
from stoker.store.s3_failures import AGAIN, Failure, Kind, diagnose

MAX_OBJECT_BYTES = 5 * 1024**3
"""What S3 takes in one request."""

_T = TypeVar("_T")
_Source = Callable[[], AbstractContextManager[BinaryIO]]


class _Held(Enum):
    OURS = auto()
    OTHERS = auto()
    NOTHING = auto()
    UNKNOWN = auto()


class S3Store:
    """An :class:`~stoker.store.base.ObjectStore` in a general purpose bucket, or in a server that speaks S3 with conditional writes.

    Whether a server has them is proved by :func:`stoker.store.probe.probe_conditional_writes`, not here. Buckets are never made.

    :param client: a boto3 S3 client; threads may share it. One that makes a single attempt gives the clearest outcomes: Stoker tries
        again by itself.
    :param bucket: the bucket.
    :param prefix: where in the bucket the store lies; empty for all of it.
    :param expected_bucket_owner: the AWS account that must own the bucket; requests to anybody else's are refused.
    :param patience: how often and how long failed requests are tried again.
    :raises ConfigurationError: when the prefix cannot be part of a key, or is longer than 100 characters.
    """

    def __init__(
        self,
        client: Any,
        bucket: str,
        prefix: str = "",
        expected_bucket_owner: str | None = None,
        *,
        patience: Patience | None = None,
    ) -> None:
        prefix = prefix.strip("/")
        if prefix and (len(prefix) > 100 or not is_key(prefix)):
            raise ConfigurationError(
                "The prefix of a store must be at most 100 ASCII letters, digits, '.', '_', '=', '-' and '/'; "
                f"got {ascii(prefix)[:120]}. Choose another."
            )
        self._client = client
        self._prefix = f"{prefix}/" if prefix else ""
        self._uri = f"s3://{bucket}/{prefix}".rstrip("/")
        self._bucket = {"Bucket": bucket}
        if expected_bucket_owner:
            self._bucket["ExpectedBucketOwner"] = expected_bucket_owner
        self._patience = patience or Patience()
        self._client_repeats = _repeats(client)

    @property
    def uri(self) -> str:
        """``s3://``, the bucket and the prefix."""
        return self._uri

    def create(self, key: str, data: bytes) -> None:
        """Write a new object."""
        self._create(key, lambda: io.BytesIO(data))

    def create_from_file(self, key: str, path: Path) -> None:
        """Write a new object from a local file, which must not change meanwhile.

        :raises UsageError: when it is larger than 5 GiB.
        """
        with files.reading(path) as file:
            size = file.seek(0, io.SEEK_END)
        if size > MAX_OBJECT_BYTES:
            raise UsageError(
                f"An object in S3 must be at most {MAX_OBJECT_BYTES} bytes; {path} has {size}. Split it, or store less."
            )
        self._create(key, lambda: files.reading(path))

    def read(self, key: str) -> bytes:
        """The whole object."""
        full = self._full(key)

        def fetch() -> bytes:
            answer = self._client.get_object(Key=full, **self._bucket)
            with closing(answer["Body"]) as body:
                check_readable(self._uri, key, answer["ContentLength"])
                data: bytes = body.read()
                return data

        return self._answered(fetch, f"reading {key!r}", key)

    def read_to_file(self, key: str, path: Path) -> None:
        """Write the object into a new local file, a piece at a time."""
        full = self._full(key)
        with files.fetching(path) as target:

            def fetch() -> None:
                target.seek(0)
                target.truncate()
                with self._opened(full) as body:
                    while piece := body.read(files.CHUNK):
                        target.write(piece)

            self._answered(fetch, f"reading {key!r}", key)

    def exists(self, key: str) -> bool:
        """Whether the key holds an object. In a bucket that is missing none does: S3 does not tell the two apart here."""
        try:
            self.stat(key)
        except NotFound:
            return False
        return True

    def stat(self, key: str) -> Stat:
        """The size of the object, and when it was written by the clock of S3."""
        full = self._full(key)
        answer = self._answered(lambda: self._client.head_object(Key=full, **self._bucket), f"looking for {key!r}", key)
        return Stat(answer["ContentLength"], answer["LastModified"].astimezone(UTC))

    def keys(self, prefix: str, *, after: str = "") -> Iterator[str]:
        """The keys in order, fetched a page of at most 1,000 at a time."""
        return self._listed(check_prefix(prefix), after)

    def folders(self, prefix: str) -> Iterator[str]:
        """What follows the prefix up to the next ``/``, a page of at most 1,000 at a time."""
        last, more = "", True
        while more:
            page = self._page(check_prefix(prefix), last, Delimiter="/")
            more = page["IsTruncated"]
            names = [item["Prefix"].removeprefix(self._prefix) for item in page.get("CommonPrefixes", [])]
            yield from (name.removeprefix(prefix).removesuffix("/") for name in names if is_key(name.removesuffix("/")))
            objects = [item["Key"].removeprefix(self._prefix) for item in page.get("Contents", [])]
            # "~" sorts after everything that a key has, so the next page skips the rest of this folder.
            last = max([*objects, *(f"{name}~" for name in names)], default=last)

    def delete_swept(self, key: str) -> None:
        """Remove an object; in a bucket with versioning S3 keeps it as a noncurrent version."""
        full = self._full(key)
        self._answered(
            lambda: self._client.delete_object(Key=full, **self._bucket), f"removing {key!r}", key, writing=True
        )

    def sweep_temporary(self) -> int:
        """Nothing: an upload is one request, so S3 keeps all of it or nothing."""
        return 0

    def _create(self, key: str, source: _Source) -> None:
        doing = f"writing {key!r}"
        full = self._full(key)
        unseen = False
        for _ in self._patience.attempts(doing):
            failed = self._put(full, source)
            if failed is None:
                return
            failure = failed
            open_question = failure.kind is Kind.TAKEN or failure.may_have_landed
            held = self._held(full, source) if open_question else _Held.UNKNOWN
            if held is _Held.OURS:
                return
            if held is _Held.OTHERS:
                raise already_exists(self._uri, key)
            unseen = unseen or (failure.may_have_landed and not (held is _Held.NOTHING and failure.ended))
            if failure.kind not in AGAIN:
                break
        if unseen:
            raise self._unknown(key, failure) from failure.cause
        raise failure.error(self._uri, doing, writing=True) from failure.cause

    def _put(self, full: str, source: _Source) -> Failure | None:
        try:
            with source() as body:
                self._client.put_object(Key=full, Body=body, IfNoneMatch="*", **self._bucket)
        except _client_errors() as error:
            return diagnose(error, client_repeats=self._client_repeats)
        return None

    def _held(self, full: str, source: _Source) -> _Held:
        """What lies under a key, compared with what we meant to put there."""
        try:
            with source() as ours, self._opened(full) as found:
                return _Held.OURS if files.same_content(found, ours) else _Held.OTHERS
        except _client_errors() as error:
            absent = diagnose(error, client_repeats=self._client_repeats).kind is Kind.ABSENT
            return _Held.NOTHING if absent else _Held.UNKNOWN

    def _opened(self, full: str) -> closing[Any]:
        return closing(self._client.get_object(Key=full, **self._bucket)["Body"])

    def _listed(self, prefix: str, last: str) -> Iterator[str]:
        more = True
        while more:
            page = self._page(prefix, last)
            more = page["IsTruncated"]
            for item in page.get("Contents", []):
                last = item["Key"].removeprefix(self._prefix)
                if is_key(last):
                    yield last

    def _page(self, prefix: str, after: str, **how: str) -> dict[str, Any]:
        start = {"StartAfter": self._prefix + after} if after else {}

        def ask() -> dict[str, Any]:
            page: dict[str, Any] = self._client.list_objects_v2(
                Prefix=self._prefix + prefix, **start, **how, **self._bucket
            )
            return page

        return self._answered(ask, f"listing {prefix!r}", prefix)

    def _answered(self, request: Callable[[], _T], doing: str, key: str, *, writing: bool = False) -> _T:
        """Ask until there is an answer, for requests that may be repeated freely."""
        for _ in self._patience.attempts(doing):
            try:
                return request()
            except _client_errors() as error:
                failure = diagnose(error, client_repeats=self._client_repeats)
            if failure.kind is Kind.ABSENT:
                raise not_found(self._uri, key) from failure.cause
            if failure.kind not in AGAIN:
                break
        raise failure.error(self._uri, doing, writing=writing) from failure.cause

    def _full(self, key: str) -> str:
        return self._prefix + check_key(key)

    def _unknown(self, key: str, failure: Failure) -> CommitStateUnknown:
        return CommitStateUnknown(
            f"The write of {key!r} to {self._uri} must end in a clear answer; it ended in {failure.text}, and it may have "
            "landed. The same call again finds out; clean nothing up.",
            key=key,
        )


def open_s3(
    uri: str, *, client_factory: Callable[[], Any] | None = None, expected_bucket_owner: str | None = None
) -> S3Store:
    """The store at an ``s3://bucket/prefix`` address.

    :param uri: checked by :func:`stoker.store.opening.open_store`.
    :param client_factory: gives the boto3 client; without it boto3 finds credentials, region and endpoint by its own rules
        (environment, profile, instance role).
    :param expected_bucket_owner: the AWS account that must own the bucket.
    :raises ConfigurationError: when the address names no bucket.
    """
    bucket, _, prefix = uri.removeprefix("s3://").partition("/")
    if not bucket:
        raise ConfigurationError("An S3 address must name a bucket, such as s3://models/stoker; it names none. Add it.")
    return S3Store((client_factory or _default_client)(), bucket, prefix, expected_bucket_owner)


def _default_client() -> Any:
    import boto3
    from botocore.config import Config

    # One attempt, short limits: repetition is ours, where a lost reply is told from a lost race.
    config = Config(connect_timeout=5, read_timeout=20, retries={"total_max_attempts": 1, "mode": "standard"})
    return boto3.client("s3", config=config)


def _repeats(client: Any) -> bool:
    retries = client.meta.config.retries or {}
    return bool(retries.get("total_max_attempts") != 1)


def _client_errors() -> tuple[type[Exception], ...]:
    from botocore.exceptions import BotoCoreError, ClientError  # not paid by a process that only parses DAGs
    from urllib3.exceptions import HTTPError  # what botocore forgets to wrap when a body breaks off

    return BotoCoreError, ClientError, HTTPError
