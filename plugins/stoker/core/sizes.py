"""Sizes in bytes, as people write them and as messages show them."""

from __future__ import annotations

import re

from stoker.errors import ConfigurationError

_POWERS = {letter: power for power, letter in enumerate("KMGT", start=1)}
_SIZE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(?:([KMGT])?(i)?B?)?\s*", re.IGNORECASE | re.ASCII)


def parse_size(value: object, name: str) -> int:
    """Bytes from a number or a text.

    :param value: such as ``8GB``, ``512 MiB``, ``1.5G`` or ``8000000000``; powers of 1000, or of 1024 with an ``i``.
    :param name: the setting, for the error message.
    :raises ConfigurationError: when it is no size of at least one byte.
    """
    found = _SIZE.fullmatch(str(value)) if isinstance(value, int | str) and not isinstance(value, bool) else None
    size = 0
    if found:
        number, letter, binary = found.groups()
        size = int(float(number) * (1024 if binary else 1000) ** _POWERS.get((letter or "").upper(), 0))
    if size < 1:
        raise ConfigurationError(f"{name} must be a size such as 8GB or 512MiB; got {ascii(value)[:80]}. Correct it.")
    return size


def show_size(size: int) -> str:
    """A size with three digits and its unit, such as ``1.24 GB``."""
    number, unit = float(size), "bytes"
    for unit in ("bytes", "kB", "MB", "GB", "TB"):
        if abs(number) < 999.5 or unit == "TB":
            break
        number /= 1000
    return f"{number:.0f} {unit}" if unit == "bytes" else f"{number:.3g} {unit}"
