"""The paper's answer: a line ``Weights: L1:Perceptual:GAN=1.0:0.1:0.01`` and a line ``Thoughts: ...``."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from lossagent.agents.llm.formats import (
    TOKENS_PER_LOSS,
    Described,
    Example,
    Parsed,
    Thoughts,
    checked,
    literal,
    mean_numbers,
    number_rule,
    readable,
    thoughts_of,
)
from lossagent.agents.llm.text import weight_numbers
from lossagent.chat.base import AnswerFormat
from lossagent.errors import Refused
from lossagent.weights import Bounds, Weights

_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?|[-+]?nan|[-+]?inf(?:inity)?|[-+]?\?+"
_LABEL = re.compile(r"weights?\s*[:=]?\s*$", re.IGNORECASE)
_THOUGHTS = re.compile(r"thoughts?\s*:", re.IGNORECASE)
_ORNAMENTS = "*`[](){}\"'"
_AROUND = " \n\t*`\"'"


@dataclass(frozen=True)
class Pattern:
    """Answers by the paper's pattern (appendix A.3), in any case, with blanks, brackets or Markdown around it.

    Which of several matches counts: the first one that follows the word "Weights", since thoughts after it may quote
    earlier weights (the last such one where thoughts come first); where none does, the last one, since free reasoning
    comes before its conclusion.

    Attributes:
        thoughts_limit: characters of thoughts that a grammar allows.
        thoughts: which of the two lines they are (the paper's: the last), or whether there is but one.
    """

    thoughts_limit: int = 160
    thoughts: Thoughts = "last"

    @property
    def free(self) -> bool:
        """Any number can be answered."""
        return True

    def answerable(self, previous: Weights, bounds: Bounds) -> bool:
        """Always."""
        del previous, bounds
        return True

    def answer_format(self, previous: Weights, bounds: Bounds, max_tokens: int) -> AnswerFormat:
        """A grammar; the pattern is no JSON."""
        names = ":".join(previous.names)
        numbers = ' ":" '.join(["num"] * len(previous.names))
        weights = f"{literal(f'Weights: {names}=')} {numbers}"
        reasons = f"text ::= [^\\x00-\\x1F\\x7F]{{1,{self.thoughts_limit}}}"
        roots = {
            "first": f"{literal('Thoughts: ')} text {literal(chr(10))} {weights}",
            "last": f"{weights} {literal(chr(10) + 'Thoughts: ')} text",
            "off": weights,
        }
        lines = [f"root ::= {roots[self.thoughts]}", number_rule(bounds, previous.names)]
        grammar = "\n".join(lines if self.thoughts == "off" else [*lines, reasons])
        return AnswerFormat("pattern", None, grammar, max_tokens + TOKENS_PER_LOSS * len(previous.names))

    def describe(self, previous: Weights, bounds: Bounds, example: Example | None) -> Described:
        """The lines, with question marks for the numbers."""
        del bounds
        names = ":".join(previous.names)
        shape = f"Weights: {names}={':'.join('?' * len(previous.names))}"
        shown = f" (for example: Weights: {names}={weight_numbers(example.weights)})" if example is not None else ""
        match self.thoughts:
            case "last":
                two = f"'{shape}'{shown}. The second: 'Thoughts: ', then why you chose them."
                return Described(f"Answer with two lines. The first: {two}")
            case "first":
                two = f"'Thoughts: ', then why you choose the weights. The second: '{shape}'{shown}."
                return Described(f"Answer with two lines. The first: {two}")
            case "off":
                return Described(f"Answer with one line and nothing else: '{shape}'{shown}.")

    def parse(self, text: str, previous: Weights, bounds: Bounds) -> Parsed:
        """The pattern in a text."""
        del bounds
        bare = _without_ornaments(readable(text), previous.names)  # of the same length
        matches = list(_pattern(previous.names).finditer(bare))
        if not matches:
            raise Refused(_missing(bare, previous.names))
        labelled = [m for m in matches if _LABEL.search(bare, max(0, m.start() - 24), m.start())]
        match = (labelled or matches)[-1 if self.thoughts == "first" or not labelled else 0]
        lower = {n.lower(): n for n in previous.names}
        found = [lower[n.lower()] for n in re.findall(_names(previous.names), match[1], re.IGNORECASE)]
        numbers = [n.strip() for n in match[2].split(":")]
        if sorted(found) != sorted(previous.names):
            raise Refused(f"The weights must name each of {':'.join(previous.names)} once; found {':'.join(found)}.")
        if len(numbers) != len(found):
            raise Refused(f"There must be {len(found)} numbers, one for each loss; found {len(numbers)}.")
        values = {n: _value(n, number) for n, number in zip(found, numbers, strict=True)}
        return Parsed(checked(values, previous), _thoughts(text, match))

    def average(self, answers: Sequence[Weights], previous: Weights) -> Weights:
        """Arithmetic mean."""
        return mean_numbers(answers, previous)


def _without_ornaments(text: str, names: Sequence[str]) -> str:
    """Blanks for Markdown, quotes and brackets, but for characters that occur in a loss's name."""
    drop = "".join(c for c in _ORNAMENTS if not any(c in name for name in names))
    return text.translate(str.maketrans(drop, " " * len(drop)))


def _names(names: Sequence[str]) -> str:
    return "|".join(re.escape(n) for n in sorted(names, key=len, reverse=True))


def _pattern(names: Sequence[str]) -> re.Pattern[str]:
    name, gap = rf"(?:{_names(names)})", r"[ \t]*:[ \t]*"
    sequence = rf"(?<![\w:]){name}(?:{gap}{name})*"
    numbers = rf"(?:{_NUMBER})(?:{gap}(?:{_NUMBER}))*"
    return re.compile(rf"({sequence})[ \t]*=[ \t]*({numbers})", re.IGNORECASE)


def _value(name: str, number: str) -> float:
    try:
        return float(number)
    except ValueError:
        raise Refused(f"The weight of {name} must be a number; found {number!r}.") from None


def _missing(bare: str, names: Sequence[str]) -> str:
    wanted = f"{':'.join(names)}={':'.join('?' * len(names))}"
    line = re.search(r"weights?[ \t]*:[ \t]*([^\n]{1,80})", bare, re.IGNORECASE)
    found = f"; found {line[1].strip()!r}" if line else ""
    return f"There was no line of the form 'Weights: {wanted}' with a number for each ?{found}."


def _thoughts(text: str, match: re.Match[str]) -> str:
    """What follows "Thoughts:" (after the weights if possible), else what stands after or before the weights."""
    label = _THOUGHTS.search(text, match.end()) or _THOUGHTS.search(text)
    if label is None:
        after = text[match.end() :].strip(_AROUND)
        return thoughts_of(after or _LABEL.sub("", text[: match.start()].rstrip(_AROUND)).strip(_AROUND))
    end = match.start() if label.end() <= match.start() else len(text)
    return thoughts_of(_LABEL.sub("", text[label.end() : end].rstrip(_AROUND)).strip(_AROUND))
