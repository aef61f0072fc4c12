"""Who stands before the pages, and what they may do. The answers are Airflow's; see :mod:`stoker.ui.auth`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Person:
    """Somebody who is logged in.

    :param name: as the audit log will have it.
    :param may_act: whether they may change a model that the DAG of this id trains; ``None`` stands for a model that no DAG registered.
    """

    name: str
    may_act: Callable[[str | None], bool]


@dataclass(frozen=True)
class Access:
    """The login, as FastAPI's dependencies.

    :param look: what every page and every answer of the API stands behind.
    :param person: finds the person of a request.
    """

    look: Sequence[Any]
    person: Callable[..., Person]


def _anybody() -> Person:
    return Person("anybody", lambda dag_id: True)


OPEN = Access((), _anybody)
"""No login: whoever can reach the pages may do everything. For tests, and a laptop's own demonstration."""
