"""Answers as a flat JSON object: short thoughts first, then one number for each loss."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from lossagent.agents.llm.flat import by_name, key, refuse_thoughts_as_name, split, string_rule
from lossagent.agents.llm.formats import (
    LARGEST,
    TOKENS_PER_LOSS,
    Example,
    Parsed,
    checked,
    literal,
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
    """

    thoughts_limit: int = 160

    def answer_format(self, previous: Weights, bounds: Bounds, max_tokens: int) -> AnswerFormat:
        """Schema and grammar; the grammar has four fixed decimals."""
        refuse_thoughts_as_name(previous.names)
        properties: dict[str, Any] = {"thoughts": {"type": "string", "maxLength": self.thoughts_limit}}
        for name in previous.names:
            high = bounds.box(name)[1]
            properties[name] = {
                "type": "number",
                "minimum": 0,
                "maximum": high if math.isfinite(high) else LARGEST,
            }
        schema = {
            "type": "object",
            "properties": properties,
            "required": list(properties),
            "additionalProperties": False,
        }
        pairs = " ".join(f"{literal(', ' + key(n) + ': ')} num" for n in previous.names)
        grammar = "\n".join(
            (
                f'root ::= {literal("{" + key("thoughts") + ": ")} string {pairs} "}}"',
                string_rule(self.thoughts_limit),
                number_rule(bounds, previous.names),
            )
        )
        return AnswerFormat("json", schema, grammar, max_tokens + TOKENS_PER_LOSS * len(previous.names))

    def describe(self, previous: Weights, bounds: Bounds, example: Example | None) -> str:
        """The object's keys."""
        del bounds
        keys = ", ".join(json.dumps(n, ensure_ascii=False) for n in previous.names)
        text = f'Answer with one JSON object and nothing else: the key "thoughts" with a short reason, then {keys}, '
        text += "each with a number >= 0."
        if example is None:
            return text
        shown = ", ".join(f"{key(n)}: {number(example.weights[n], 5)}" for n in previous.names)
        return f'{text} For example: {{"thoughts": "why", {shown}}}'

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
