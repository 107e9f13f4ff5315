"""Answers as a choice: one of several weight vectors that the prompt lists. The easiest form for a small model."""

from __future__ import annotations

import math
import re
import string
from collections.abc import Sequence
from dataclasses import dataclass

from lossagent.agents.llm.candidates import MOST, Option
from lossagent.agents.llm.flat import Field, Flat, by_name, key, split
from lossagent.agents.llm.formats import Described, Example, Parsed, Thoughts, literal, readable
from lossagent.agents.llm.text import number, weight_numbers
from lossagent.chat.base import AnswerFormat
from lossagent.errors import Refused
from lossagent.weights import Bounds, Weights

_LETTER = re.compile(r"[\s\"'`*(\[]*(?:option\s+)?([A-Za-z])[\s\"'`*)\].:]*", re.IGNORECASE)
_SHORT = 100
"""Characters of an answer that can be a letter and nothing else."""
_ROOM = 12
"""Tokens of the object around the thoughts."""


@dataclass(frozen=True)
class Choice:
    """``{"thoughts": "...", "choice": "B"}``, the letter of an option; a bare letter is understood, too.

    Attributes:
        options: what there is to choose from, in the order in which it is listed; at most 26.
        thoughts_limit: characters of thoughts that schema and grammar allow.
        thoughts: where they stand in the object.
        point: what a point of the predictions is worth, in words.
    """

    options: tuple[Option, ...]
    thoughts_limit: int = 160
    thoughts: Thoughts = "first"
    point: str = "points"

    def __post_init__(self) -> None:
        if not 1 <= len(self.options) <= MOST:
            raise Refused(f"a choice has 1 to {MOST} options; found {len(self.options)}.")

    @property
    def free(self) -> bool:
        """The options lie within the bounds."""
        return False

    @property
    def letters(self) -> tuple[str, ...]:
        """A letter for each option, from A on."""
        return tuple(string.ascii_uppercase[: len(self.options)])

    def answerable(self, previous: Weights, bounds: Bounds) -> bool:
        """Whether there are two options at least."""
        del previous, bounds
        return len(self.options) > 1

    def answer_format(self, previous: Weights, bounds: Bounds, max_tokens: int) -> AnswerFormat:
        """Schema and grammar, both with the letters listed."""
        del previous, bounds
        rule = " | ".join(literal(key(letter)) for letter in self.letters)
        field = Field({"type": "string", "enum": list(self.letters)}, f"({rule})")
        return self._object.answer_format("choice", {"choice": field}, max_tokens + _ROOM)

    def describe(self, previous: Weights, bounds: Bounds, example: Example | None) -> Described:
        """The object and the options, each with its letter, weights and what they change.

        Letters are a question's own: apart from the rest, options are listed once and their letters again.
        """
        del bounds
        rules = self._object.told(f"the key {key('choice')} with the letter of one of the options", "first ")
        rules += f" An option is a set of weights in the order {', '.join(previous.names)}."
        if any(o.prediction is not None for o in self.options):
            rules += (
                f" A prediction is the change expected over the next stage, in {self.point}, more is better, "
                "+/- its standard deviation; it is estimated from all stages so far."
            )
        lettered = list(zip(self.letters, self.options, strict=True))
        shown = self._object.example({"choice": key(example.draw.choice(self.letters))}) if example is not None else ""
        listed = "\n".join(("The options:", *(f"{letter}: {o.words}: {_told(o)}" for letter, o in lettered)))
        unlettered = "; ".join(sorted(f"{o.words}: {_told(o)}" for o in self.options))
        return Described(
            rules=f"{rules} The options: {unlettered}.",
            own="\n".join(t for t in (f"{'; '.join(f'{letter}: {o.words}' for letter, o in lettered)}.", shown) if t),
            whole="\n".join(t for t in (f"{rules} {listed}", shown) if t),
        )

    def parse(self, text: str, previous: Weights, bounds: Bounds) -> Parsed:
        """The option whose letter stands in a text."""
        del previous, bounds
        bare = _LETTER.fullmatch(readable(text).strip()) if len(text) < _SHORT else None
        if bare is not None:
            return Parsed(self._chosen(bare[1]).weights, "")
        thoughts, rest = split(text)
        return Parsed(self._chosen(by_name(rest, ("choice",))["choice"]).weights, thoughts)

    def average(self, answers: Sequence[Weights], previous: Weights) -> Weights:
        """What most answers chose; of equals the one nearest to the previous weights, then the first."""

        def standing(answer: Weights) -> tuple[int, float]:
            return -answers.count(answer), _distance(answer, previous)

        return min(answers, key=standing)

    @property
    def _object(self) -> Flat:
        return Flat(self.thoughts, self.thoughts_limit)

    def _chosen(self, letter: object) -> Option:
        said = letter.strip().upper() if isinstance(letter, str) else str(letter)
        if said not in self.letters:
            raise Refused(f"The choice must be one letter from A to {self.letters[-1]}; found {said[:40]!r}.")
        return self.options[self.letters.index(said)]


def _told(option: Option) -> str:
    text = weight_numbers(option.weights)
    if option.prediction is None:
        return text
    return f"{text}, predicted {option.prediction.mean:+.2f} +/- {number(option.prediction.sd, 2)}"


def _distance(a: Weights, b: Weights) -> float:
    """Sum of absolute log-ratios; a switch counts more than any move."""
    return 100.0 * len(a.off ^ b.off) + math.fsum(abs(math.log(a.magnitudes[n] / b.magnitudes[n])) for n in b.names)
