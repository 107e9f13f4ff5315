"""The forms an answer can have. Names and bounds come from the configuration, never from an answer."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

from lossagent.agents.llm.text import plain
from lossagent.chat.base import AnswerFormat
from lossagent.errors import Refused
from lossagent.weights import Bounds, Weights

LONGEST = 20_000
"""Characters of an answer; a longer one is refused unread."""
LARGEST = 1e6
"""A larger weight is no weight: refused even where there are no bounds."""
THOUGHTS = 1000
"""Characters of thoughts that are kept."""
TOKENS_PER_LOSS = 12
DECIMALS = 4

Thoughts = Literal["first", "last", "off"]
"""Where an answer has its reasons: before what is decided, after it, or nowhere."""


@dataclass(frozen=True)
class Parsed:
    """What was read from an answer.

    Attributes:
        weights: before bounds, of the losses asked about and in their order.
        thoughts: its reasons, one line of at most 1000 characters without control characters; displayed only.
    """

    weights: Weights
    thoughts: str


@dataclass(frozen=True)
class Example:
    """What an example of the form is made of.

    Attributes:
        weights: numbers to show.
        draw: moves to show are drawn, anew for each question: small models copy the example, and a constant one
            would lead them the same way each time.
    """

    weights: Weights
    draw: random.Random


@dataclass(frozen=True)
class Described:
    """The form in words, for a prompt.

    Attributes:
        rules: the same for every question of a decision.
        own: what differs from question to question: examples that are drawn, options in their order.
        whole: both, where they are better told in other words than one after the other.
    """

    rules: str
    own: str = ""
    whole: str = ""

    def __str__(self) -> str:
        return self.whole or (f"{self.rules} {self.own}" if self.own else self.rules)


@runtime_checkable
class Format(Protocol):
    """One form of answers."""

    @property
    def free(self) -> bool:
        """Whether an answer may ask for weights that the bounds cut off, so that the prompt has to name them."""
        ...

    def answerable(self, previous: Weights, bounds: Bounds) -> bool:
        """Whether there is anything to decide."""
        ...

    def answer_format(self, previous: Weights, bounds: Bounds, max_tokens: int) -> AnswerFormat:
        """The form for engines.

        Args:
            previous: weights of the state that the next stage starts from; its names are the losses.
            bounds: what the answer will be projected into.
            max_tokens: tokens of an answer, beside some for each loss.
        """
        ...

    def describe(self, previous: Weights, bounds: Bounds, example: Example | None) -> Described:
        """The form in words; with an example where one is given."""
        ...

    def parse(self, text: str, previous: Weights, bounds: Bounds) -> Parsed:
        """Reads an answer.

        Raises:
            Refused: not usable; the message is fit to be quoted back to the model.
        """
        ...

    def average(self, answers: Sequence[Weights], previous: Weights) -> Weights:
        """One weight vector from several (>= 1) answers."""
        ...


def checked(values: Mapping[str, float], previous: Weights) -> Weights:
    """Weights from the numbers of an answer; a loss set to 0 is off and keeps its magnitude.

    Raises:
        Refused: a number that is negative, not finite or above 1e6, or all of them 0.
    """
    for name, value in values.items():
        if not math.isfinite(value) or not 0 <= value <= LARGEST:
            raise Refused(f"The weight of {name} must be a finite number from 0 to {LARGEST:g}; found {value}.")
    if not any(values.values()):
        raise Refused("At least one weight must be above 0; found all of them 0.")
    return Weights.of({name: values[name] for name in previous.names}, keep=previous)


def readable(text: str) -> str:
    """The text, if it can be an answer at all.

    Raises:
        Refused: empty, or longer than 20,000 characters.
    """
    if not text.strip():
        raise Refused("The answer was empty.")
    if len(text) > LONGEST:
        raise Refused(f"The answer had {len(text)} characters; at most {LONGEST} are read.")
    return text


def thoughts_of(text: str) -> str:
    """Thoughts as they are kept."""
    return plain(text, THOUGHTS)


def mean_numbers(answers: Sequence[Weights], previous: Weights) -> Weights:
    """Arithmetic mean of effective weights, as the paper's five-decimal weights suggest [inferred]; 0 counts as 0."""
    means = {n: math.fsum(a[n] for a in answers) / len(answers) for n in previous.names}
    return Weights.of(means, keep=previous)


def mean_moves(answers: Sequence[Weights], previous: Weights) -> Weights:
    """Geometric mean of magnitudes; on or off by majority, a tie leaves it as it was."""
    off: set[str] = set()
    for name in previous.names:
        votes = sum(1 if name in a.off else -1 for a in answers)
        if votes > 0 or (votes == 0 and name in previous.off):
            off.add(name)
    if len(off) == len(previous.names):
        off = set(previous.off)
    logs = {n: math.fsum(math.log(a.magnitudes[n]) for a in answers) / len(answers) for n in previous.names}
    return Weights(magnitudes={n: math.exp(x) for n, x in logs.items()}, off=frozenset(off))


def number_rule(bounds: Bounds, names: Sequence[str]) -> str:
    """GBNF rule ``num``: a number with four fixed decimals and as many leading digits as the bounds need."""
    highs = [bounds.box(name)[1] for name in names]
    digits = max((len(str(int(h))) if math.isfinite(h) else 2 for h in highs), default=1)
    return f'num ::= [0-9]{{1,{digits}}} "." {" ".join(["[0-9]"] * DECIMALS)}'


def literal(text: str) -> str:
    """A text as a GBNF literal."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
