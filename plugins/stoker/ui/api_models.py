"""What the API takes and what it answers to a change. What it answers to a question are the records of :mod:`stoker.ui.views`."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import Path
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

ModelName = Annotated[str, Path(description="The name of a model.")]
NumberText = Annotated[str, Path(description="The number of a version.")]

Number = Annotated[int, Field(ge=1, lt=2**31, description="The number of a version.")]
Reason = Annotated[
    str,
    StringConstraints(min_length=1, max_length=1000, pattern=r"\S"),
    Field(description="Why; kept in the audit log. Not blank, at most 1,000 characters."),
]


class _Asked(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    reason: Reason


class Because(_Asked):
    """A change that needs a reason and nothing else."""


class Promotion(_Asked):
    """Make a version the champion, provided that the champion is still the one that the caller saw."""

    version: Number
    expected_version: Number | None = Field(description="The champion that the caller saw; null: none.")


class GoingBack(_Asked):
    """Leave the present champion, and block it."""

    expected_version: Number = Field(description="The champion that proved bad.")
    to: Number | None = Field(None, description="Where to; null: the last champion before it that is not blocked.")


class Decision(_Asked):
    """What a person decided about a version that waits for approval."""

    evidence: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")] = Field(
        description="The digest of the version that the person looked at."
    )


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True, from_attributes=True)


class MoveAnswer(_Answer):
    """Where the champion was put; ``changed`` is false when it was there already and nothing was written."""

    model: str
    alias: str
    version: int
    previous: int | None
    seq: int
    time: datetime
    changed: bool


class ReviewAnswer(_Answer):
    """What became of asking a person about a version."""

    model: str
    version: int
    status: str
    evidence: str
    decided_by: str | None
    seq: int


class TicketAnswer(_Answer):
    """A request to train, which waits until the model's loop looks next."""

    model: str
    id: str


class ChangeAnswer(_Answer):
    """Whether anything was written: ``changed`` is false when it was so already."""

    model: str
    changed: bool


class ErrorFacts(_Answer):
    """What must hold, what came instead, and what to do."""

    type: str = Field(description="The name of the error, such as PromotionConflict.")
    message: str
    details: dict[str, Any]


class ErrorAnswer(_Answer):
    """An error of ours."""

    error: ErrorFacts


class LoginAnswer(_Answer):
    """What Airflow's login says when it lets nobody through."""

    detail: str
