"""Answers as a flat JSON object: short thoughts and one number for each loss."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from lossagent.agents.llm.flat import Field, Flat, by_name, key, refuse_thoughts_as_name, split
from lossagent.agents.llm.formats import (
    LARGEST,
    TOKENS_PER_LOSS,
    Described,
    Example,
    Parsed,
    Thoughts,
    checked,
    mean_numbers,
    number_rule,
)
from lossagent.agents.llm.text import number
from lossagent.chat.base import AnswerFormat
from lossagent.errors import Refused
from lossagent.weights import Bounds, Weights


@dataclass(frozen=True)
class Numbers:
    """``{"thoughts": "...", "l1": 1.0, "gan": 0.01}``.

    Attributes:
        thoughts_limit: characters of thoughts that schema and grammar allow.
        thoughts: where they stand in the object.
    """

    thoughts_limit: int = 160
    thoughts: Thoughts = "first"

    @property
    def free(self) -> bool:
        """Any number can be answered."""
        return True

    @property
    def _object(self) -> Flat:
        return Flat(self.thoughts, self.thoughts_limit)

    def answerable(self, previous: Weights, bounds: Bounds) -> bool:
        """Always."""
        del previous, bounds
        return True

    def answer_format(self, previous: Weights, bounds: Bounds, max_tokens: int) -> AnswerFormat:
        """Schema and grammar; the grammar has four fixed decimals."""
        refuse_thoughts_as_name(previous.names)
        fields: dict[str, Field] = {}
        for name in previous.names:
            high = bounds.box(name)[1]
            most = high if math.isfinite(high) else LARGEST
            fields[name] = Field({"type": "number", "minimum": 0, "maximum": most}, "num")
        room = max_tokens + TOKENS_PER_LOSS * len(fields)
        return self._object.answer_format("json", fields, room, number_rule(bounds, previous.names))

    def describe(self, previous: Weights, bounds: Bounds, example: Example | None) -> Described:
        """The object's keys."""
        del bounds
        text = self._object.told(f"{', '.join(key(n) for n in previous.names)}, each with a number >= 0")
        if example is None:
            return Described(text)
        # The initial weights, the same in every question.
        shown = self._object.example({n: number(example.weights[n], 5) for n in previous.names})
        return Described(f"{text} {shown}")

    def parse(self, text: str, previous: Weights, bounds: Bounds) -> Parsed:
        """The object in a text."""
        del bounds
        thoughts, rest = split(text)
        values: dict[str, float] = {}
        for name, value in by_name(rest, previous.names).items():
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise Refused(f"The weight of {name} must be a number; found {str(value)[:40]!r}.")
            try:
                values[name] = float(value)
            except OverflowError:
                raise Refused(f"The weight of {name} must be a finite number; found one of many digits.") from None
        return Parsed(checked(values, previous), thoughts)

    def average(self, answers: Sequence[Weights], previous: Weights) -> Weights:
        """Arithmetic mean."""
        return mean_numbers(answers, previous)
