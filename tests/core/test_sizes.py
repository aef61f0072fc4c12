"""Sizes as people write them."""

from __future__ import annotations

from typing import Any

import pytest

from stoker.core.sizes import parse_size, show_size
from stoker.errors import ConfigurationError


@pytest.mark.parametrize(
    ("given", "size"),
    [
        ("8GB", 8 * 10**9), ("8 GiB", 8 * 2**30), ("512m", 512 * 10**6), ("1.5G", 1_500_000_000), ("2TB", 2 * 10**12),
        ("64k", 64_000), ("7", 7), (7, 7), ("100 B", 100), (" 1kib ", 1024),
    ],
)  # fmt: skip
def test_a_size_is_a_number_with_a_unit(given: Any, size: int) -> None:
    assert parse_size(given, "memory_limit") == size


@pytest.mark.parametrize(
    "given", ["", "GB", "-1GB", "0", 0, -5, "8 GB of it", "8XB", "1,5GB", "٣GB", True, 1.5, None, [8]]
)
def test_anything_else_is_refused_by_its_name(given: Any) -> None:
    with pytest.raises(ConfigurationError, match="memory_limit must be a size such as 8GB"):
        parse_size(given, "memory_limit")


@pytest.mark.parametrize(
    ("size", "shown"),
    [
        (0, "0 bytes"),
        (999, "999 bytes"),
        (1000, "1 kB"),
        (1_234_567_890, "1.23 GB"),
        (999_600, "1 MB"),
        (5 * 10**15, "5e+03 TB"),
    ],
)
def test_sizes_are_shown_with_three_digits(size: int, shown: str) -> None:
    assert show_size(size) == shown
