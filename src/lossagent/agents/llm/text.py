"""Numbers and foreign words as prompts show them."""

from __future__ import annotations

import math
import unicodedata

from lossagent.chat.neutral import quote
from lossagent.weights import Weights


def number(value: float, decimals: int) -> str:
    """A rounded decimal without an exponent or trailing zeros: ``1.0``, ``0.0575``.

    Numbers that would round to 0 keep three significant digits.
    """
    if not math.isfinite(value):
        return str(value)
    if value != 0 and abs(value) < 0.5 * 10**-decimals:
        decimals = 2 - math.floor(math.log10(abs(value)))
    text = f"{value:.{decimals}f}".rstrip("0")
    return text + "0" if text.endswith(".") else text


def weight_numbers(weights: Weights) -> str:
    """``1.0:0.1:0.01``, with five decimals as the paper's case study has; 0.0 where off."""
    return ":".join(number(weights[n], 5) for n in weights.names)


def score(value: float | None) -> str:
    """A score with four decimals, or a dash where there is none."""
    return "none" if value is None or not math.isfinite(value) else number(value, 4)


def quoted(text: str, limit: int = 300) -> str:
    """Foreign words between double quotes; see :func:`lossagent.chat.neutral.quote`."""
    return f'"{quote(text, limit)}"'


def plain(text: str, limit: int) -> str:
    """A model's own words for display: one line, control characters dropped, cut at a limit."""
    kept = "".join(" " if c.isspace() else c for c in text[: 4 * limit] if c.isspace() or not _hidden(c))
    line = " ".join(kept.split())
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"


def _hidden(character: str) -> bool:
    return unicodedata.category(character).startswith("C")


def echo(text: str, limit: int) -> str:
    """A model's own answer, to be shown to it again: neutralised as :func:`quoted` does, but for double quotes."""
    line = '"'.join(quote(part, limit) for part in text[: 4 * limit].split('"'))
    return line if len(line) <= limit else line[: limit - 1] + "…"
