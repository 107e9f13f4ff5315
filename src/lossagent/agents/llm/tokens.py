"""How long a prompt is: asked of the model where it can tell, else estimated."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from lossagent.chat.base import ChatModel
from lossagent.trajectory import Message

CHARACTERS = 3.0
"""Characters a token, on the safe side: prompts full of numbers have 2.5 to 3.5 with the usual tokenizers."""
OVERHEAD = 8
"""Tokens that a chat template adds to a message."""


@runtime_checkable
class CountsTokens(Protocol):
    """A chat model that can tell how long a prompt is."""

    def count_tokens(self, messages: Sequence[Message]) -> int:
        """Tokens of these messages in the model's chat template."""
        ...


def count(chat: ChatModel, messages: Sequence[Message]) -> int:
    """Tokens of a prompt: the model's own count, else an estimate from its characters."""
    if isinstance(chat, CountsTokens):
        return chat.count_tokens(messages)
    return sum(math.ceil(len(m.content) / CHARACTERS) + OVERHEAD for m in messages)
