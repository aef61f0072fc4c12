from __future__ import annotations

import logging
import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.store.conftest import HASTE
from tests.support.fault_proxy import LOST_REPLY, LOST_REQUEST, TIMEOUT_AFTER, Answer, FaultProxy, fault_proxy, says
from tests.support.s3_server import BUCKET, client

from stoker.core.clock import random_id
from stoker.errors import (
    AlreadyExists,
    CommitStateUnknown,
    ConfigurationError,
    NotFound,
    StokerError,
    StoreNotWritable,
    StoreUnavailable,
    UsageError,
)
from stoker.store import s3_objects
from stoker.store.s3_objects import S3Store, open_s3

TRIES = HASTE.tries


@pytest.fixture(scope="module")
def running_proxy(s3_endpoint: str) -> Iterator[FaultProxy]:
    with fault_proxy(s3_endpoint) as proxy:
        yield proxy


@pytest.fixture(scope="module")
def proxied_client(running_proxy: FaultProxy) -> Any:
    return client(running_proxy.endpoint, read_timeout=0.3, connect_timeout=2)


@pytest.fixture
def proxy(running_proxy: FaultProxy) -> Iterator[FaultProxy]:
    running_proxy.seen.clear()
    yield running_proxy
    running_proxy.plan.clear()
    running_proxy.before = lambda method: None


@pytest.fixture
def faulty(proxy: FaultProxy, proxied_client: Any, s3_store: S3Store) -> S3Store:
    """The same place as ``s3_store``, seen through the proxy."""
    return S3Store(proxied_client, BUCKET, s3_store.uri.rsplit("/", 1)[-1], patience=HASTE)


@pytest.mark.parametrize(
    "fault",
    [
        LOST_REPLY,
        LOST_REQUEST,
        TIMEOUT_AFTER,
        says(500, "InternalError"),
        says(500, "InternalError", applies=True),
        says(503, "SlowDown"),
        says(503, "ServiceUnavailable", applies=True),
        says(409, "ConditionalRequestConflict"),
        says(400, "RequestTimeout"),
        says(412, "PreconditionFailed", applies=True),
    ],
    ids=lambda answer: f"{answer.status}{answer.code}-applies{answer.applies}-cut{answer.cut}",
)
def test_a_write_survives_a_fault(faulty: S3Store, s3_store: S3Store, proxy: FaultProxy, fault: Answer) -> None:
    proxy.then("PUT", fault)
    faulty.create("key", b"ours")
    assert s3_store.read("key") == b"ours"


@pytest.mark.parametrize("fault", [LOST_REQUEST, says(503, "SlowDown"), says(412, "PreconditionFailed")])
def test_a_write_that_lost_to_other_bytes_is_refused_after_a_fault(
    faulty: S3Store, s3_store: S3Store, proxy: FaultProxy, fault: Answer
) -> None:
    s3_store.create("key", b"theirs")
    proxy.then("PUT", fault)
    with pytest.raises(AlreadyExists):
        faulty.create("key", b"ours")
    assert s3_store.read("key") == b"theirs"


def test_another_writer_may_win_while_a_request_is_lost(faulty: S3Store, s3_store: S3Store, proxy: FaultProxy) -> None:
    """Our first PUT is lost, the read-back finds nothing, and then another writer is faster than our second PUT."""
    puts = iter(range(10))
    proxy.before = lambda method: s3_store.create("key", b"theirs") if method == "PUT" and next(puts) == 1 else None
    proxy.then("PUT", LOST_REQUEST)
    with pytest.raises(AlreadyExists):
        faulty.create("key", b"ours")
    assert s3_store.read("key") == b"theirs"


def test_a_client_that_repeats_by_itself_recognises_its_own_write(proxy: FaultProxy, s3_store: S3Store) -> None:
    """botocore repeats after a lost reply, and is told 412 by its own object."""
    repeating = client(proxy.endpoint, retries={"total_max_attempts": 2, "mode": "standard"}, read_timeout=2)
    store = S3Store(repeating, BUCKET, s3_store.uri.rsplit("/", 1)[-1], patience=HASTE)
    proxy.then("PUT", LOST_REPLY)
    store.create("key", b"ours")
    assert proxy.seen == ["PUT", "PUT", "GET"]


def test_a_repeating_client_that_is_refused_in_the_end_cannot_know(proxy: FaultProxy, s3_store: S3Store) -> None:
    repeating = client(proxy.endpoint, retries={"total_max_attempts": 2, "mode": "standard"}, read_timeout=2)
    store = S3Store(repeating, BUCKET, s3_store.uri.rsplit("/", 1)[-1], patience=HASTE)
    proxy.then("PUT", LOST_REPLY, says(403, "AccessDenied"))
    proxy.then("GET", says(403, "AccessDenied"))
    with pytest.raises(CommitStateUnknown):
        store.create("key", b"ours")
    assert s3_store.read("key") == b"ours"


@pytest.mark.parametrize("landed", [True, False])
def test_a_write_whose_fate_stays_dark_is_unknown(
    faulty: S3Store, s3_store: S3Store, proxy: FaultProxy, landed: bool
) -> None:
    proxy.then("PUT", LOST_REPLY if landed else LOST_REQUEST, *[says(503, "SlowDown")] * TRIES)
    proxy.then("GET", *[says(503, "SlowDown")] * TRIES * 2)
    with pytest.raises(CommitStateUnknown, match="clean nothing up"):
        faulty.create("key", b"ours")
    assert s3_store.exists("key") is landed
    assert proxy.seen.count("PUT") == TRIES


def test_a_silent_server_leaves_the_write_unknown_even_when_the_key_is_empty(
    faulty: S3Store, s3_store: S3Store, proxy: FaultProxy
) -> None:
    """The request may still be on its way."""
    proxy.then("PUT", *[LOST_REQUEST] * TRIES)
    with pytest.raises(CommitStateUnknown):
        faulty.create("key", b"ours")


def test_a_busy_server_whose_key_stays_empty_has_written_nothing(
    faulty: S3Store, s3_store: S3Store, proxy: FaultProxy
) -> None:
    proxy.then("PUT", *[says(503, "SlowDown")] * TRIES)
    with pytest.raises(StoreUnavailable, match="SlowDown"):
        faulty.create("key", b"ours")
    assert not s3_store.exists("key")


def test_lasting_conflicts_end_without_a_write(faulty: S3Store, proxy: FaultProxy) -> None:
    proxy.then("PUT", *[says(409, "ConditionalRequestConflict")] * TRIES)
    with pytest.raises(StoreUnavailable, match="ConditionalRequestConflict"):
        faulty.create("key", b"ours")
    assert proxy.seen == ["PUT"] * TRIES


def _unreachable_store(**settings: Any) -> S3Store:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        endpoint = f"http://127.0.0.1:{free.getsockname()[1]}"
    return S3Store(client(endpoint, **settings), BUCKET, patience=HASTE)


def test_a_server_that_nobody_reached_has_written_nothing() -> None:
    store = _unreachable_store()
    with pytest.raises(StoreUnavailable):
        store.create("key", b"ours")
    with pytest.raises(StoreUnavailable):
        store.read("key")


@pytest.mark.parametrize(
    ("status", "code", "writing", "reading"),
    [
        (403, "AccessDenied", StoreNotWritable, StoreUnavailable),
        (403, "InvalidAccessKeyId", StoreNotWritable, StoreUnavailable),
        (405, "MethodNotAllowed", StoreNotWritable, StoreUnavailable),
        (400, "ExpiredToken", StoreUnavailable, StoreUnavailable),
        (403, "RequestTimeTooSkewed", ConfigurationError, ConfigurationError),
        (404, "NoSuchBucket", ConfigurationError, ConfigurationError),
        (501, "NotImplemented", ConfigurationError, ConfigurationError),
        (400, "InvalidRequest", ConfigurationError, ConfigurationError),
    ],
)
def test_a_clear_refusal_is_raised_at_once(
    faulty: S3Store,
    s3_store: S3Store,
    proxy: FaultProxy,
    status: int,
    code: str,
    writing: type[StokerError],
    reading: type[StokerError],
) -> None:
    proxy.then("PUT", says(status, code))
    proxy.then("GET", says(status, code), says(status, code))
    with pytest.raises(writing, match=code):
        faulty.create("key", b"ours")
    with pytest.raises(reading, match=code):
        faulty.read("key")
    with pytest.raises(reading, match=code):
        list(faulty.keys(""))
    assert proxy.seen == ["PUT", "GET", "GET"]
    assert not s3_store.exists("key")


def test_a_write_refused_after_a_silent_try_is_unknown(faulty: S3Store, proxy: FaultProxy) -> None:
    proxy.then("PUT", LOST_REQUEST, says(403, "AccessDenied"))
    with pytest.raises(CommitStateUnknown):
        faulty.create("key", b"ours")


@pytest.mark.parametrize("fault", [LOST_REPLY, LOST_REQUEST, TIMEOUT_AFTER, says(500, "InternalError")])
def test_a_read_survives_a_fault(
    faulty: S3Store, s3_store: S3Store, proxy: FaultProxy, fault: Answer, tmp_path: Path
) -> None:
    """A lost reply to a read is a body that breaks off in the middle."""
    data = os.urandom(300_000)
    s3_store.create("key", data)
    proxy.then("GET", fault, fault)
    assert faulty.read("key") == data
    proxy.then("GET", fault, fault)
    faulty.read_to_file("key", tmp_path / "fetched")
    assert (tmp_path / "fetched").read_bytes() == data


def test_a_body_that_always_breaks_off_makes_the_store_unavailable(
    faulty: S3Store, s3_store: S3Store, proxy: FaultProxy, tmp_path: Path
) -> None:
    s3_store.create("key", b"x" * 300_000)
    proxy.then("GET", *[LOST_REPLY] * TRIES * 2)
    with pytest.raises(StoreUnavailable):
        faulty.read("key")
    with pytest.raises(StoreUnavailable):
        faulty.read_to_file("key", tmp_path / "fetched")
    assert list(tmp_path.iterdir()) == []


def test_a_large_file_is_read_anew_for_each_try(
    faulty: S3Store, s3_store: S3Store, proxy: FaultProxy, tmp_path: Path
) -> None:
    data = os.urandom(3_000_000)
    source = tmp_path / "source"
    source.write_bytes(data)
    proxy.then("PUT", LOST_REQUEST, says(503, "SlowDown"))
    faulty.create_from_file("key", source)
    assert s3_store.read("key") == data


def test_a_file_over_five_gibibytes_is_refused(s3_store: S3Store, tmp_path: Path) -> None:
    source = tmp_path / "source"
    with source.open("wb") as file:
        file.truncate(s3_objects.MAX_OBJECT_BYTES + 1)  # sparse: takes no room
    with pytest.raises(UsageError, match="at most 5368709120 bytes"):
        s3_store.create_from_file("key", source)


def test_listing_goes_on_over_pages(s3_client: Any, s3_store: S3Store) -> None:
    paging = _TwoByTwo(s3_client)
    store = S3Store(paging, BUCKET, s3_store.uri.rsplit("/", 1)[-1], patience=HASTE)
    for number in range(5):
        store.create(f"k/{number}", b"")
    assert list(store.keys("k/")) == [f"k/{number}" for number in range(5)]
    assert list(store.keys("k/", after="k/1")) == ["k/2", "k/3", "k/4"]
    assert paging.pages == 5


def test_folders_are_named_over_pages(s3_client: Any, s3_store: S3Store) -> None:
    paging = _TwoByTwo(s3_client)
    store = S3Store(paging, BUCKET, s3_store.uri.rsplit("/", 1)[-1], patience=HASTE)
    for key in ("a/1", "a/2", "b/1", "c", "d/e/1", "f", "g"):
        store.create(f"over/{key}", b"")
    assert list(store.folders("over/")) == ["a", "b", "d"]
    assert paging.pages == 3


def test_a_listing_leaves_out_what_no_stoker_wrote(s3_client: Any, s3_store: S3Store) -> None:
    prefix = s3_store.uri.rsplit("/", 1)[-1]
    s3_store.create("folder/key", b"")
    for foreign in ("folder/", "folder/with space"):
        s3_client.put_object(Bucket=BUCKET, Key=f"{prefix}/{foreign}", Body=b"")
    assert list(s3_store.keys("folder/")) == ["folder/key"]


class _TwoByTwo:
    """The client, with pages of two keys."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self.pages = 0

    def list_objects_v2(self, **request: Any) -> Any:
        self.pages += 1
        return self._inner.list_objects_v2(MaxKeys=2, **request)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


def test_the_expected_owner_goes_with_every_request(s3_client: Any, s3_store: S3Store, tmp_path: Path) -> None:
    asked: list[Any] = []
    watched = client(s3_client.meta.endpoint_url)
    watched.meta.events.register("provide-client-params.s3.*", lambda params, **_: asked.append(params))
    store = S3Store(watched, BUCKET, random_id(), "123456789012", patience=HASTE)
    store.create("key", b"")
    store.read("key")
    store.read_to_file("key", tmp_path / "fetched")
    assert store.exists("key")
    list(store.keys(""))
    store.delete_swept("key")
    assert len(asked) == 6
    assert {params["ExpectedBucketOwner"] for params in asked} == {"123456789012"}


def test_a_missing_bucket_is_never_made(s3_client: Any) -> None:
    store = S3Store(s3_client, "no-such-bucket", patience=HASTE)
    for call in (lambda: store.create("key", b""), lambda: store.read("key"), lambda: list(store.keys(""))):
        with pytest.raises(ConfigurationError, match="Create the bucket"):
            call()
    assert not store.exists("key")
    assert [bucket["Name"] for bucket in s3_client.list_buckets()["Buckets"]] == [BUCKET]


@pytest.mark.parametrize("prefix", ["a//b", "../x", "a b", "x" * 101, "\u00e9"])
def test_a_prefix_that_cannot_be_part_of_a_key_is_refused(s3_client: Any, prefix: str) -> None:
    with pytest.raises(ConfigurationError, match="prefix"):
        S3Store(s3_client, BUCKET, prefix)


def test_errors_carry_no_credentials(faulty: S3Store, proxy: FaultProxy) -> None:
    proxy.then("PUT", says(403, "AccessDenied"))
    with pytest.raises(StoreNotWritable) as caught:
        faulty.create("key", b"ours")
    assert "testing" not in str(caught.value)
    assert "s3:PutObject" in str(caught.value)


def test_each_try_is_logged_with_its_number(
    faulty: S3Store, proxy: FaultProxy, caplog: pytest.LogCaptureFixture
) -> None:
    proxy.then("PUT", says(503, "SlowDown"), says(503, "SlowDown"))
    with caplog.at_level(logging.WARNING, "stoker"):
        faulty.create("key", b"ours")
    assert [record.message for record in caplog.records] == [
        "Try 1 of 6 of writing 'key' failed; trying again in 0.10 s.",
        "Try 2 of 6 of writing 'key' failed; trying again in 0.20 s.",
    ]


class _Raising:
    """A client of which every request fails before it is sent."""

    def __init__(self, error: Exception) -> None:
        self._error = error
        self.meta = client("http://127.0.0.1:9").meta

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def fail(**_: Any) -> Any:
            raise self._error

        return fail


def _local_failures() -> list[tuple[Exception, type[StokerError]]]:
    from botocore import exceptions as boto

    return [
        (boto.NoCredentialsError(), ConfigurationError),
        (boto.CredentialRetrievalError(provider="p", error_msg="m"), StoreUnavailable),
        (boto.ParamValidationError(report="r"), ConfigurationError),
        (boto.EndpointConnectionError(endpoint_url="u"), StoreUnavailable),
        (boto.ReadTimeoutError(endpoint_url="u"), CommitStateUnknown),
    ]


@pytest.mark.parametrize(("error", "kind"), _local_failures(), ids=lambda value: getattr(value, "__name__", ""))
def test_a_failure_of_the_client_itself_is_told_apart(error: Exception, kind: type[StokerError]) -> None:
    with pytest.raises(kind) as caught:
        S3Store(_Raising(error), BUCKET, patience=HASTE).create("key", b"ours")
    assert caught.value.__cause__ is error


def test_an_unreached_server_is_unknown_when_the_client_had_tried_before() -> None:
    store = _unreachable_store(retries={"total_max_attempts": 2, "mode": "standard"})
    with pytest.raises(CommitStateUnknown):
        store.create("key", b"ours")


def test_a_missing_object_is_not_found_through_any_method(s3_store: S3Store, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="'key'"):
        s3_store.read("key")
    with pytest.raises(NotFound):
        s3_store.read_to_file("key", tmp_path / "fetched")


def test_an_address_opens_with_the_environments_own_client(monkeypatch: pytest.MonkeyPatch, s3_endpoint: str) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", s3_endpoint)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    prefix = random_id()
    store = open_s3(f"s3://{BUCKET}/{prefix}/")
    store.create("key", b"ours")
    assert store.uri == f"s3://{BUCKET}/{prefix}"
    assert store.read("key") == b"ours"
