"""Answers as moves: lower, keep or raise each loss by a fixed factor. Easier for small models than decimals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lossagent.agents.anchor import movable
from lossagent.agents.llm.flat import Field, Flat, by_name, key, refuse_thoughts_as_name, split
from lossagent.agents.llm.formats import (
    LARGEST,
    TOKENS_PER_LOSS,
    Described,
    Example,
    Parsed,
    Thoughts,
    literal,
    mean_moves,
)
from lossagent.agents.llm.text import number
from lossagent.chat.base import AnswerFormat
from lossagent.errors import Refused
from lossagent.weights import FLOOR, Bounds, Weights


@dataclass(frozen=True)
class Moves:
    """``{"thoughts": "...", "perceptual": "raise", "gan": "keep"}``, on the weights that the stage starts from.

    The anchor (see :func:`lossagent.agents.anchor.anchor_of`) and frozen losses are not offered. A loss that is off
    can only be kept or, with ``switch``, turned on at the magnitude it had.

    Attributes:
        step: factor of a move, > 1.
        switch: whether losses may be switched off and on.
        thoughts_limit: characters of thoughts that schema and grammar allow.
        thoughts: where they stand in the object.
    """

    step: float = 2.0
    switch: bool = False
    thoughts_limit: int = 160
    thoughts: Thoughts = "first"

    @property
    def free(self) -> bool:
        """Moves are by a factor that is stated."""
        return False

    @property
    def _object(self) -> Flat:
        return Flat(self.thoughts, self.thoughts_limit)

    def answerable(self, previous: Weights, bounds: Bounds) -> bool:
        """Whether any loss can move."""
        return bool(self.offered(previous, bounds))

    def offered(self, previous: Weights, bounds: Bounds) -> dict[str, tuple[str, ...]]:
        """Loss -> the moves it may make; losses that cannot move are left out."""
        switch = self.switch and bounds.switch
        moves: dict[str, tuple[str, ...]] = {}
        for name in movable(previous, bounds):
            if name not in previous.off:
                moves[name] = ("lower", "keep", "raise", "off") if switch else ("lower", "keep", "raise")
            elif switch:
                moves[name] = ("keep", "on")
        return moves

    def answer_format(self, previous: Weights, bounds: Bounds, max_tokens: int) -> AnswerFormat:
        """Schema and grammar, both with the moves listed."""
        refuse_thoughts_as_name(previous.names)
        fields: dict[str, Field] = {}
        for name, moves in self.offered(previous, bounds).items():
            rule = " | ".join(literal(key(move)) for move in moves)
            fields[name] = Field({"type": "string", "enum": list(moves)}, f"({rule})")
        return self._object.answer_format("moves", fields, max_tokens + TOKENS_PER_LOSS * len(fields))

    def describe(self, previous: Weights, bounds: Bounds, example: Example | None) -> Described:
        """Keys, moves and what they do."""
        offered = self.offered(previous, bounds)
        keys = "; ".join(f"{key(n)}: {' or '.join(key(m) for m in moves)}" for n, moves in offered.items())
        factor = number(self.step, 4)
        text = (
            f'{self._object.told(keys, "first ")} "raise" multiplies the weight by {factor}, "lower" divides it by '
            f'{factor}, "keep" leaves it.'
        )
        if any("off" in moves or "on" in moves for moves in offered.values()):
            text += ' "off" switches a loss off, "on" turns it on again.'
        if stays := [n for n in previous.names if n not in offered]:
            text += f" {', '.join(stays)} stays as it is."
        if example is None:
            return Described(text)
        shown = {n: key(example.draw.choice([m for m in moves if m != "off"])) for n, moves in offered.items()}
        return Described(text, self._object.example(shown))

    def parse(self, text: str, previous: Weights, bounds: Bounds) -> Parsed:
        """The moves in a text, made on ``previous``."""
        offered = self.offered(previous, bounds)
        thoughts, rest = split(text)
        moves: dict[str, str] = {}
        for name, value in by_name(rest, tuple(offered)).items():
            move = value.strip().lower() if isinstance(value, str) else str(value)[:40]
            if move not in offered[name]:
                raise Refused(f"The move of {name} must be one of {', '.join(offered[name])}; found {move[:40]!r}.")
            moves[name] = move
        return Parsed(made(moves, previous, self.step), thoughts)

    def average(self, answers: Sequence[Weights], previous: Weights) -> Weights:
        """Geometric mean of magnitudes, majority for on and off."""
        return mean_moves(answers, previous)


def made(moves: Mapping[str, str], previous: Weights, step: float) -> Weights:
    """The weights after moves (lower, keep, raise, off, on); magnitudes stay from 1e-6 to 1e6.

    Raises:
        Refused: every loss would be off.
    """
    magnitudes, off = dict(previous.magnitudes), set(previous.off)
    for name, move in moves.items():
        before = magnitudes[name]
        if move == "raise":
            magnitudes[name] = max(before, min(before * step, LARGEST))
        elif move == "lower":
            magnitudes[name] = min(before, max(before / step, FLOOR))
        elif move == "off":
            off.add(name)
        elif move == "on":
            off.discard(name)
    if len(off) == len(magnitudes):
        raise Refused("At least one loss must stay on; found every one off.")
    return Weights(magnitudes=magnitudes, off=frozenset(off))
