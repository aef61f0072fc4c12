"""What a key may be, and the answers about a key that every store gives in the same words."""

from __future__ import annotations

import re

from stoker.errors import AlreadyExists, NotFound, TamperedRecord, UsageError
from stoker.store.base import MAX_READ_BYTES

MAX_KEY_LENGTH = 900
"""S3 takes 1,024 bytes, of which a store's own prefix needs some."""

TEMPORARY = ".tmp"
"""The one part that no key may have: a local store keeps its unfinished files there."""

_PART = re.compile(r"[A-Za-z0-9._=-]{1,200}")
_REFUSED_PARTS = {".", "..", TEMPORARY}


def check_key(key: str) -> str:
    """Return the key when it may be used.

    :param key: parts of 1 to 200 ASCII letters, digits, ``.``, ``_``, ``=`` and ``-``, joined by ``/``; at most 900 characters.
    :raises UsageError: when it is not of that form, or a part is ``.``, ``..`` or ``.tmp``.
    """
    if not isinstance(key, str) or not is_key(key):
        raise UsageError(
            "A key must be parts of ASCII letters, digits, '.', '_', '=' and '-', joined by '/', and no part may be '.', "
            f"'..' or '{TEMPORARY}'; got {ascii(key)[:80]}. Build keys with stoker.store.layout."
        )
    return key


def check_prefix(prefix: str) -> str:
    """Return the prefix when keys can begin with it: empty, whole parts with a ``/``, or cut in mid-part.

    :raises UsageError: when no key can begin with it.
    """
    if prefix:
        check_key(f"{prefix}0")  # the shortest key that begins so
    return prefix


def is_key(text: str) -> bool:
    """Whether this may be a key; a listing leaves out what may not, since no Stoker wrote it."""
    return len(text) <= MAX_KEY_LENGTH and all(map(is_part, text.split("/")))


def is_part(name: str) -> bool:
    """Whether a key may have this part."""
    return _PART.fullmatch(name) is not None and name not in _REFUSED_PARTS


def not_found(uri: str, key: str) -> NotFound:
    """The error for a key that holds nothing."""
    return NotFound(
        f"The object must exist; {uri} has none under {key!r}. Check the name, and the address of the store.", key=key
    )


def check_readable(uri: str, key: str, size: int) -> None:
    """Let an object be read into memory.

    :raises TamperedRecord: when it is larger than any record that Stoker writes.
    """
    if size > MAX_READ_BYTES:
        raise TamperedRecord(
            f"A record must be at most {MAX_READ_BYTES} bytes; {key!r} in {uri} has {size}, and none of it was read. A document is "
            "named by the digest that a step gave out; find out who wrote this one.",
            key=key,
            size=size,
        )


def already_exists(uri: str, key: str) -> AlreadyExists:
    """The error for a key that holds other bytes."""
    return AlreadyExists(
        f"The key must be free; {key!r} in {uri} holds other bytes. They stay: look at them, then decide.", key=key
    )
