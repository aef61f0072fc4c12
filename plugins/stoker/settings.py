"""What an installation decides: where the store lies, and what it trusts.

The connection wins over the section ``[stoker]`` of Airflow's configuration, which wins over the defaults.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

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
    """

    store: str
    aws_conn_id: str | None = "aws_default"
    expected_bucket_owner: str | None = None
    trusted_types: tuple[str, ...] = ()
    max_threads: int = 2

    @classmethod
    def from_mapping(cls, given: Mapping[str, Any]) -> Settings:
        """Read settings from plain values, as a configuration file or a connection's extra holds them.

        :param given: unknown names are refused; empty texts and ``None`` leave the default.
        :raises ConfigurationError: when a name is unknown, a value is of another type, or ``store`` is missing.
        """
        known = {field.name for field in fields(cls)}
        if unknown := sorted(set(given) - known):
            raise ConfigurationError(
                f"Stoker's settings are {', '.join(sorted(known))}; got also {', '.join(unknown)}."
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
        return cls(**values)


def _names(value: Any) -> tuple[str, ...]:
    names = value.replace(",", " ").split() if isinstance(value, str) else value
    if not isinstance(names, Sequence) or not all(isinstance(name, str) for name in names):
        raise ConfigurationError(f"trusted_types must be dotted names, separated by spaces; got {value!r}.")
    return tuple(names)


def _threads(value: Any) -> int:
    if not str(value).isascii() or not str(value).isdigit() or int(value) < 1:
        raise ConfigurationError(f"max_threads must be a whole number from 1; got {value!r}.")
    return int(value)
