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

    Compatibility characters are folded first (NFKC), as tokenizers fold them; then control, format and private
    characters are dropped, white space becomes single blanks, ``<`` ``>`` become ‹ ›, double quotes and backticks
    become ``'``, and bracketed words such as ``[INST]`` get round brackets. Applying it twice changes nothing.

    Args:
        text: anything.
        limit: largest number of characters returned, >= 1; a longer text ends in "…".
    """
    if limit < 1:
        raise Refused(f"limit must be >= 1; found {limit}.")
    # Cut before folding, so that a huge text costs nothing; dropped characters may be many, hence the factor.
    folded = unicodedata.normalize("NFKC", text[: 8 * limit + 64])
    kept = "".join(_plain(character) for character in folded)
    line = " ".join(kept.translate(_REPLACED).split())
    line = _BRACKETED.sub(r"(\1)", line)
    if len(line) > limit or len(text) > 8 * limit + 64:
        line = line[: limit - 1].rstrip() + "…"
    return line


def _plain(character: str) -> str:
    category = unicodedata.category(character)
    if category[0] == "Z" or character in "\t\n\r\v\f":
        return " "
    return "" if category[0] == "C" else character
