"""Makes foreign text (remarks, image names, server messages) safe to stand in a prompt or a terminal.

No filter can stop a text from trying to persuade a model; what this one stops is a text that *looks like
structure*: control characters, chat-template tokens, closing quotation marks, text without end.
"""

from __future__ import annotations

import re
import unicodedata

from lossagent.errors import Refused

# Llama 2, Mistral and ChatGLM write their tokens in square brackets: [INST], [/INST], [TOOL_CALLS], [gMASK].
_BRACKETED = re.compile(r"\[(/?[A-Za-z][A-Za-z_]{2,24})\]")
# ``<`` and ``>`` as such: whatever a model's tokens are called (<|im_start|>, <s>, <start_of_turn>, <<SYS>>,
# <think>), without them they are words.
_REPLACED = str.maketrans({"<": "‹", ">": "›", '"': "'", "`": "'"})


def quote(text: str, limit: int = 500) -> str:
    """One line of plain text that can stand between double quotes in a prompt.

    Control, format and private characters are dropped and white space becomes single blanks; compatibility characters
    are folded (NFKC), as tokenizers fold them; ``<`` ``>`` become ‹ ›, double quotes and backticks become ``'``, and
    bracketed words such as ``[INST]`` get round brackets. Applying it twice changes nothing.

    Args:
        text: anything.
        limit: largest number of characters returned, >= 4; a longer text ends in "...".
    """
    if limit < 4:
        raise Refused(f"limit must be >= 4; found {limit}.")
    # Cut before the work, so that a huge text costs nothing; dropped characters may be many, hence the factor.
    longest = 8 * limit + 64
    line = " ".join(unicodedata.normalize("NFKC", _without_controls(text[:longest])).translate(_REPLACED).split())
    line = _BRACKETED.sub(r"(\1)", line)
    if len(line) > limit or len(text) > longest:
        line = line[: limit - 3].rstrip() + "..."
    return line


def _without_controls(text: str) -> str:
    """Blanks for every kind of white space; nothing for control, format, private and unassigned characters."""
    kinds = ((character, unicodedata.category(character)[0]) for character in text)
    return "".join(" " if k == "Z" or c in "\t\n\r\v\f" else "" if k == "C" else c for c, k in kinds)
