"""What people send to a run: one JSON object a letter, told apart by ``kind``."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, TypeAdapter, field_validator

from lossagent.errors import Refused
from lossagent.feedback import Text
from lossagent.judgements import Verdict
from lossagent.records import Record
from lossagent.weights import Weights

Person = Annotated[Text, Field(min_length=1, max_length=80, pattern=r"\S")]
"""The name that a person gives; anything but blanks, shown as text."""
WORDS = 4000
"""Characters of a comment."""


class Rating(Record):
    """An answer to a task, see :class:`lossagent.judgements.Judgement`."""

    kind: Literal["judgement"] = "judgement"
    task: Text = Field(max_length=300)
    rater: Person
    verdict: Verdict | None = None
    rating: int | None = Field(default=None, ge=1, le=5, strict=True)
    comment: Text = Field(default="", max_length=WORDS)


class Comment(Record):
    """Words about a state, unasked.

    Attributes:
        state: its id.
        image: which of its images, ``None`` for all.
    """

    kind: Literal["comment"] = "comment"
    rater: Person
    state: int = Field(ge=0, strict=True)
    image: Text | None = Field(default=None, max_length=300)
    text: Text = Field(min_length=1, max_length=WORDS, pattern=r"\S")


class NextWeights(Record):
    """The weights of the next stage, set by hand; 0 switches a loss off. Bounds hold for them as for an agent's."""

    kind: Literal["weights"] = "weights"
    author: Person
    weights: dict[Text, float] = Field(min_length=1)

    @field_validator("weights")
    @classmethod
    def _valid(cls, value: dict[str, float]) -> dict[str, float]:
        try:
            Weights.of(value)
        except Refused as error:
            raise ValueError(str(error)) from error
        return value


class Undo(Record):
    """The next stage starts from an earlier state.

    Attributes:
        state: its id.
    """

    kind: Literal["undo"] = "undo"
    author: Person
    state: int = Field(ge=0, strict=True)


class Pause(Record):
    """The run waits at the next stage boundary."""

    kind: Literal["pause"] = "pause"
    author: Person


class GoOn(Record):
    """A paused run goes on."""

    kind: Literal["go-on"] = "go-on"
    author: Person


class StopRun(Record):
    """The run ends at the next stage boundary, resumable."""

    kind: Literal["stop"] = "stop"
    author: Person


Request = Annotated[NextWeights | Undo | Pause | GoOn | StopRun, Field(discriminator="kind")]
"""What steers a run by hand."""
Letter = Annotated[Rating | Comment | NextWeights | Undo | Pause | GoOn | StopRun, Field(discriminator="kind")]
LETTERS: TypeAdapter[Letter] = TypeAdapter(Letter)
