"""What Airflow learns from the installed wheel. Every ``airflow`` command reads this, so it imports nothing."""

from __future__ import annotations

from typing import Any


def get_provider_info() -> dict[str, Any]:
    """The provider's metadata, in the form of Airflow's ``provider_info.schema.json``."""
    return {
        "package-name": "airflow-provider-stoker",
        "name": "Stoker",
        "description": "Keeps machine-learning models trained: validate, train, evaluate, register, promote.",
        "integrations": [
            {
                "integration-name": "Stoker",
                "external-doc-url": "https://pypi.org/project/airflow-provider-stoker/",
                "tags": ["software"],
            }
        ],
        "connection-types": [_CONNECTION_TYPE],
        "extra-links": ["stoker.links.VerdictLink"],
        "config": {"stoker": {"description": "Where Stoker keeps its data, and what it trusts.", "options": _OPTIONS}},
        "cli": ["stoker.cli.airflow_group.get_cli_commands"],
    }


_CONNECTION_TYPE: dict[str, Any] = {
    "connection-type": "stoker",
    "hook-class-name": "stoker.hooks.registry.StokerHook",
    "hook-name": "Stoker",
    "ui-field-behaviour": {
        "hidden-fields": ["host", "schema", "login", "password", "port"],
        "relabeling": {},
        "placeholders": {},
    },
    "conn-fields": {
        "store": {
            "label": "Store",
            "description": "Root of the store: s3://bucket/prefix or file:///folder. Empty: [stoker] store_uri.",
            "schema": {"type": ["string", "null"]},
        },
        "aws_conn_id": {
            "label": "AWS connection",
            "description": "The Airflow connection through which S3 is reached. Default: aws_default.",
            "schema": {"type": ["string", "null"]},
        },
        "expected_bucket_owner": {
            "label": "Expected bucket owner",
            "description": "AWS account id that must own the bucket; sent with every request.",
            "schema": {"type": ["string", "null"], "pattern": "^[0-9]{12}$"},
        },
        "trusted_types": {
            "label": "Trusted types",
            "description": "Types beyond Stoker's own list that a model file may hold: dotted names, separated by spaces.",
            "schema": {"type": ["string", "null"]},
        },
        "max_threads": {
            "label": "Threads per task",
            "description": "Threads of BLAS and OpenMP that one task may use. Default: 2.",
            "schema": {"type": ["integer", "null"], "minimum": 1},
        },
        "memory_limit": {
            "label": "Memory per task",
            "description": "Memory that one task may use, such as 8GB. Default: what the machine and its control group allow.",
            "schema": {"type": ["string", "null"]},
        },
    },
}


def _option(description: str, kind: str, example: str | None, default: str | None) -> dict[str, Any]:
    return {
        "description": description,
        "version_added": "0.1.0",
        "type": kind,
        "example": example,
        "default": default,
    }


_OPTIONS: dict[str, Any] = {
    "store_uri": _option(
        "Root of the store. Empty means the folder stoker in AIRFLOW_HOME.", "string", "s3://models/stoker", None
    ),
    "aws_conn_id": _option("The connection through which S3 is reached.", "string", "aws_default", "aws_default"),
    "expected_bucket_owner": _option("AWS account id that must own the bucket.", "string", "123456789012", None),
    "trusted_types": _option(
        "Types beyond Stoker's own list that a model file may hold, separated by spaces.",
        "string",
        "mypkg.steps.Clip",
        None,
    ),
    "webhook_conn_id": _option(
        "The connection whose password callers of the alert webhook must know. Empty closes the webhook.",
        "string",
        "stoker_webhook",
        None,
    ),
    "max_threads": _option("Threads of BLAS and OpenMP that one task may use.", "integer", "4", "2"),
    "memory_limit": _option(
        "Memory that one task may use. Empty means what the machine and its control group allow.", "string", "8GB", None
    ),
}
