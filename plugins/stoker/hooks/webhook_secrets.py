"""What callers of the webhook prove that they know. Kept in an Airflow connection, never in a DAG, an address or a log."""

from __future__ import annotations

from airflow.sdk import BaseHook, conf
from airflow.sdk.exceptions import AirflowNotFoundException

from stoker.errors import ConfigurationError

MIN_LENGTH = 16
"""Characters that a secret must have at least: whoever is outside may try as often as the server answers."""


def webhook_secrets() -> tuple[str, ...]:
    """The secrets that hold: the password of the connection ``[stoker] webhook_conn_id``.

    Two, separated by a space, both hold, so that one can be replaced by the other without a gap.

    :return: nothing when no connection is configured, and the webhook is closed then.
    :raises ConfigurationError: when the connection does not exist, or its password is missing or short.
    """
    conn_id = conf.get("stoker", "webhook_conn_id", fallback=None)
    if not conn_id:
        return ()
    try:
        password = BaseHook.get_connection(conn_id).password
    except AirflowNotFoundException as error:
        raise ConfigurationError(
            f"The connection {conn_id!r} of [stoker] webhook_conn_id must exist; it does not. Create it with a password."
        ) from error
    secrets = tuple((password or "").split())
    if not secrets or min(map(len, secrets)) < MIN_LENGTH:
        raise ConfigurationError(
            f"The connection {conn_id!r} must have a password of at least {MIN_LENGTH} characters without spaces, or two "
            "such ones with a space between them; it has none, or a shorter one. Set one, as openssl rand -hex 32 makes it."
        )
    return secrets
