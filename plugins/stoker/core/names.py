"""What a model, dataset, alias or partition may be called.

Names become keys in a store and addresses in a browser, so the rule is an allow-list of plain ASCII that means the same
everywhere. Nothing is escaped or repaired: a name that needs it is refused.
"""

from __future__ import annotations

import re

from stoker.errors import InvalidName

_NAME = re.compile(r"[a-z][a-z0-9_-]{0,62}")
_PARTITION = re.compile(r"[a-z0-9](?:[a-z0-9_=-]|\.(?!\.)){0,126}")
_VERSION_LIKE = re.compile(r"v?[0-9]+")
# Windows gives these a meaning of their own in every folder, and stores are sometimes mirrored to such machines.
_DEVICES = {"con", "prn", "aux", "nul", *(f"com{i}" for i in range(1, 10)), *(f"lpt{i}" for i in range(1, 10))}

RESERVED_ALIASES = frozenset({"latest"})


def check_name(name: str, kind: str) -> str:
    """Return the name when it may be used for a model or dataset.

    :param name: 1 to 63 characters: a lower-case letter, then lower-case letters, digits, ``_`` or ``-``.
    :param kind: ``model``, ``dataset``, ``alias`` …: the word that the error uses.
    :raises InvalidName: when it breaks the rule.
    """
    if not isinstance(name, str) or not _NAME.fullmatch(name) or name in _DEVICES:
        raise InvalidName(
            f"A {kind} name must be 1 to 63 characters: a lower-case letter, then lower-case letters, digits, '_' or "
            f"'-', and no device name such as 'con'; got {_shown(name)}. Choose another name.",
            name=_shown(name),
        )
    return name


def check_alias(alias: str) -> str:
    """Return the alias when it may be used.

    :raises InvalidName: when it breaks the naming rule, looks like a version (``v7``), or is ``latest``, which would
        mean another version at every look.
    """
    check_name(alias, "alias")
    if alias in RESERVED_ALIASES or _VERSION_LIKE.fullmatch(alias):
        raise InvalidName(
            f"An alias must not be 'latest' or look like a version number; got {alias!r}. "
            "Use champion, challenger, shadow, or a word of your own.",
            name=alias,
        )
    return alias


def check_partition(partition: str) -> str:
    """Return the partition key when it may be used.

    :param partition: such as ``2013-03`` or ``region=eu.2013-03-01``: 1 to 127 lower-case letters, digits, ``_``, ``=``, ``-`` and
        single dots. Partitions of one dataset are ordered as text.
    :raises InvalidName: when it breaks the rule.
    """
    if not isinstance(partition, str) or not _PARTITION.fullmatch(partition) or partition.endswith("."):
        raise InvalidName(
            "A partition must be 1 to 127 characters: lower-case letters, digits, '_', '=', '-' and single dots inside, "
            f"such as '2013-03'; got {_shown(partition)}.",
            name=_shown(partition),
        )
    return partition


def check_version(version: int) -> int:
    """Return the version number when it may be one.

    :raises InvalidName: unless it is an integer from 1.
    """
    if isinstance(version, bool) or not isinstance(version, int) or version < 1:
        raise InvalidName(f"A version must be a whole number from 1; got {_shown(version)}.", name=_shown(version))
    return version


def parse_version(text: str | int) -> int:
    """A version from a template field or the command line, such as ``7`` or ``"7"``.

    :raises InvalidName: when it is not plain ASCII digits.
    """
    if isinstance(text, str) and re.fullmatch(r"[1-9][0-9]{0,9}", text):
        return int(text)
    return check_version(text)  # type: ignore[arg-type]  # a wrong text is refused there, with the same message


def _shown(value: object) -> str:
    """A short form that cannot break a log line or a terminal."""
    text = ascii(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
