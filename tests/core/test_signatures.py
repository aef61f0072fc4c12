"""Proofs of machine callers: what holds, and what does not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stoker.core.signatures import is_bearer, is_recent, is_signed, sign

SECRET = "an-example-secret-of-good-length"
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
SECOND = str(int(NOW.timestamp()))


def test_the_signature_is_the_one_that_openssl_makes() -> None:
    # printf '1700000000:{"a":1}' | openssl dgst -sha256 -hmac an-example-secret-of-good-length
    wanted = "ae2c2746342950c08d3f5b0495f3f0dcbc04109fbf2fb048d71eecc939c33569"
    assert sign(SECRET, "1700000000", b'{"a":1}') == wanted


@given(st.binary(), st.integers(0, 10**11).map(str))
def test_what_was_signed_is_recognised(body: bytes, timestamp: str) -> None:
    assert is_signed(SECRET, timestamp, body, sign(SECRET, timestamp, body))


@pytest.mark.parametrize(
    ("secret", "timestamp", "body"),
    [
        (SECRET + "x", SECOND, b"body"),
        (SECRET, f"0{SECOND}", b"body"),
        (SECRET, SECOND, b"body "),
        (SECRET, f"{SECOND}:b", b"ody"),
    ],
)
def test_another_secret_time_or_body_breaks_it(secret: str, timestamp: str, body: bytes) -> None:
    assert not is_signed(secret, timestamp, body, sign(SECRET, SECOND, b"body"))


@pytest.mark.parametrize(
    "change", [str.upper, lambda s: s[:-1], lambda s: s + "0", lambda s: f"sha256={s}", lambda s: ""]
)
def test_a_signature_has_one_spelling(change: object) -> None:
    assert not is_signed(SECRET, SECOND, b"body", change(sign(SECRET, SECOND, b"body")))  # type: ignore[operator]


@given(st.text())
def test_no_other_text_is_a_signature_or_a_token(text: str) -> None:
    assert not is_signed(SECRET, SECOND, b"body", text)
    assert not is_bearer(SECRET, text)
    assert not is_bearer(SECRET, f"Bearer {text}")


@pytest.mark.parametrize("header", [f"Bearer {SECRET}", f"bearer {SECRET}", f"BEARER  {SECRET} "])
def test_the_scheme_of_a_token_has_no_case(header: str) -> None:
    assert is_bearer(SECRET, header)


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer ", SECRET, f"Basic {SECRET}", f"Bearer {SECRET} {SECRET}"])
def test_other_headers_carry_no_token(header: str) -> None:
    assert not is_bearer(SECRET, header)


@pytest.mark.parametrize(("seconds", "recent"), [(0, True), (-300, True), (300, True), (-301, False), (301, False)])
def test_a_time_holds_for_five_minutes_in_either_direction(seconds: int, recent: bool) -> None:
    assert is_recent(str(int(SECOND) + seconds), NOW) is recent
    assert is_recent(SECOND, NOW + timedelta(seconds=-seconds)) is recent


@pytest.mark.parametrize(
    "text", ["", " ", "now", f"{SECOND}.0", f" {SECOND}", f"-{SECOND}", f"{SECOND}\n", "١٧", "9" * 5000]
)
def test_a_time_is_plain_digits(text: str) -> None:
    assert not is_recent(text, NOW)
