"""What the loop did of late and what decided it, told from the records of the broker's journal."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class WakeUp:
    """One time that the loop had something to decide.

    :param time: when, as ISO 8601 text.
    :param who: the run or the person.
    :param woken_by: the sources and reasons of the requests that were served; of the first ones if there were many.
    :param result: ``promoted``, ``kept``, ``failed``, ``stopped``, ``skipped``, ``training`` while it lasts, ``lost`` when
        the run let its lease run out; the action of a triage; ``resumed``.
    :param condition: what decided: ``granted``, ``cooldown``, ``data_quality`` …
    :param reason: a sentence for people.
    :param version: the version that was registered, if one was.
    """

    time: str
    who: str
    woken_by: tuple[dict[str, str], ...]
    result: str
    condition: str
    reason: str
    version: int | None = None


def wake_ups(newest_first: Iterable[dict[str, Any]], limit: int, *, training: str | None) -> list[WakeUp]:
    """The last wake-ups, newest first.

    :param newest_first: records of the broker's journal.
    :param training: who holds a lease that has not run out, if anybody.
    """
    found: list[WakeUp] = []
    ends: dict[str, dict[str, Any]] = {}
    for record in newest_first:
        if len(found) >= limit:
            break
        match record["kind"]:
            case "settlement":
                ends[record["holder"]] = record
            case "wake_up" if record["granted"]:
                found.append(_granted(record, ends.pop(record["holder"], None), training))
                training = None  # only the newest grant can still be training
            case "wake_up":
                found.append(_told(record, record["holder"], "skipped", record["condition"]))
            case "triage":
                found.append(_told(record, record["actor"]["origin"], record["action"], record["condition"]))
            case "reset":
                found.append(_told(record, record["actor"]["user"], "resumed", "hand"))
    return found


def _granted(record: dict[str, Any], end: dict[str, Any] | None, training: str | None) -> WakeUp:
    if end is not None:
        result, reason, version = end["outcome"], end["reason"], end["version"]
    elif record["holder"] == training:
        result, reason, version = "training", record["reason"], None
    else:
        result, reason, version = "lost", "The run let its lease run out; its requests wait again.", None
    return WakeUp(
        record["time"], record["holder"], tuple(record["because"]), result, record["condition"], reason, version
    )


def _told(record: dict[str, Any], who: str, result: str, condition: str) -> WakeUp:
    return WakeUp(record["time"], who, (), result, condition, record["reason"])
