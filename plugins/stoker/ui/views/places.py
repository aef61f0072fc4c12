"""Where in Airflow something was made, as a link that people can follow."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote


@dataclass(frozen=True)
class Where:
    """A run, or a task in it.

    :param task_id: ``None`` for the run as a whole.
    :param map_index: -1 for a task that is not mapped.
    :param href: its page in Airflow, from the root of the web server.
    """

    dag_id: str
    run_id: str
    task_id: str | None
    map_index: int
    href: str


def task_place(origin: object) -> Where | None:
    """The task that an origin ``dag/run/task/map_index`` names.

    :returns: ``None`` for any other origin, such as ``cli`` or ``ui``, and for one that was never noted.
    """
    if not isinstance(origin, str):
        return None
    dag_id, _, rest = origin.partition("/")
    parts = rest.rsplit("/", 2)  # a run may be named by hand, and hold a slash
    if len(parts) < 3 or not all(map(_is_name, (dag_id, *parts))) or not _is_index(parts[2]):
        return None
    run_id, task_id, index = parts
    mapped = "" if index == "-1" else f"/mapped/{index}"
    return Where(
        dag_id, run_id, task_id, int(index), f"{_run_href(dag_id, run_id)}/tasks/{quote(task_id, safe='')}{mapped}"
    )


def run_place(holder: object) -> Where | None:
    """The run that holds a lease, or did: ``dag/run``."""
    if not isinstance(holder, str):
        return None
    dag_id, _, run_id = holder.partition("/")
    return Where(dag_id, run_id, None, -1, _run_href(dag_id, run_id)) if _is_name(dag_id) and _is_name(run_id) else None


def _run_href(dag_id: str, run_id: str) -> str:
    return f"/dags/{quote(dag_id, safe='')}/runs/{quote(run_id, safe='')}"


def _is_name(part: str) -> bool:
    """Dots alone would lead out of the address."""
    return part.strip(".") != ""


def _is_index(text: str) -> bool:
    return text == "-1" or (text.isascii() and text.isdigit() and len(text) < 10)
