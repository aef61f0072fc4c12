"""What an installation decides: where the store lies, and what it trusts.

The connection wins over the section ``[stoker]`` of Airflow's configuration, which wins over the defaults.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from difflib import get_close_matches
from typing import Any

from stoker.core.sizes import parse_size
from stoker.errors import ConfigurationError

_TEXTS = {"aws_conn_id", "expected_bucket_owner"}


@dataclass(frozen=True)
class Settings:
    """The settings of one installation.

    :param store: root of the store, such as ``s3://bucket/prefix`` or ``file:///var/lib/stoker``.
    :param aws_conn_id: Airflow connection through which S3 is reached; ``None`` uses boto3's own credential chain.
    :param expected_bucket_owner: AWS account id that must own the bucket; sent with every request when given.
    :param trusted_types: types beyond Stoker's own list that a model file may hold, as full dotted names.
    :param max_threads: threads of BLAS and OpenMP that one task may use; at least 1.
    :param memory_limit: resident bytes that one task may use; ``None`` leaves the limits of the machine and of the control group.
    """

    store: str
    aws_conn_id: str | None = "aws_default"
    expected_bucket_owner: str | None = None
    trusted_types: tuple[str, ...] = ()
    max_threads: int = 2
    memory_limit: int | None = None

    @classmethod
    def from_mapping(cls, given: Mapping[str, Any]) -> Settings:
        """Read settings from plain values, as a configuration file or a connection's extra holds them.

        :param given: unknown names are refused; empty texts and ``None`` leave the default.
        :raises ConfigurationError: when a name is unknown, a value is of another type, or ``store`` is missing.
        """
        known = {field.name for field in fields(cls)}
        if unknown := sorted(set(given) - known):
            near = {name: get_close_matches(name, known, n=1) for name in unknown}
            meant = [f"{name} (do you mean {match[0]}?)" if match else name for name, match in near.items()]
            raise ConfigurationError(
                f"Stoker's settings are {', '.join(sorted(known))}; got also {', '.join(meant)}. Correct or remove it."
            )
        values = {name: value for name, value in given.items() if value not in (None, "")}
        if not isinstance(values.get("store"), str):
            raise ConfigurationError(
                "Stoker needs a store, such as s3://bucket/prefix or file:///var/lib/stoker; got none. "
                "Set it in the connection's extra, or as [stoker] store_uri."
            )
        for name in _TEXTS & values.keys():
            if not isinstance(values[name], str):
                raise ConfigurationError(
                    f"{name} must be a text; got a {type(values[name]).__name__}. Put it in quotes."
                )
        if "trusted_types" in values:
            values["trusted_types"] = _names(values["trusted_types"])
        if "max_threads" in values:
            values["max_threads"] = _threads(values["max_threads"])
        if "memory_limit" in values:
            values["memory_limit"] = parse_size(values["memory_limit"], "memory_limit")
        return cls(**values)


def _names(value: Any) -> tuple[str, ...]:
    names = value.replace(",", " ").split() if isinstance(value, str) else value
    if not isinstance(names, Sequence) or not all(isinstance(name, str) for name in names):
        raise ConfigurationError(f"trusted_types must be dotted names, separated by spaces; got {value!r}.")
    return tuple(names)


def _threads(value: Any) -> int:
    text = str(value)
    if not text.isascii() or not text.isdigit() or len(text) > 9 or int(text) < 1:
        raise ConfigurationError(f"max_threads must be a whole number from 1; got {ascii(value)[:80]}.")
    return int(text)
