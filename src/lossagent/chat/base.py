"""The port to language models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from lossagent.records import Message


@dataclass(frozen=True)
class AnswerFormat:
    """What form an answer must have, in the two languages that engines understand.

    Engines enforce it as far as they can (number bounds are often ignored), so answers are validated again.

    Attributes:
        name: ``"pattern"``, ``"json"``, ``"moves"`` or ``"choice"``.
        json_schema: a flat object schema, ``None`` where the format is not JSON.
        grammar: the same as a GBNF grammar (llama.cpp).
        max_tokens: cap on the length of an answer.
    """

    name: str
    json_schema: Mapping[str, Any] | None
    grammar: str | None
    max_tokens: int = 256


@dataclass(frozen=True)
class Completion:
    """An answer.

    Attributes:
        text: the words; halves of surrogate pairs become "?".
        model: name of the model that gave them.
        prompt_tokens, completion_tokens: as counted by the engine, 0 where unknown.
        seconds: wall-clock time.
        finish: ``"stop"`` or ``"length"`` (cut off: a failure for the caller).
    """

    text: str
    model: str
    prompt_tokens: int = 0
    completion_tokens: int = 0
    seconds: float = 0.0
    finish: str = "stop"

    def __post_init__(self) -> None:
        # Halves of surrogate pairs fit in no file: a record of such an answer could not be written.
        object.__setattr__(self, "text", self.text.encode("utf-8", "replace").decode("utf-8"))


@runtime_checkable
class ChatModel(Protocol):
    """Anything that answers a chat."""

    @property
    def name(self) -> str:
        """Name of the model, recorded with each exchange."""
        ...

    def complete(self, messages: Sequence[Message], answer: AnswerFormat, seed: int, deadline: float) -> Completion:
        """One completion.

        Args:
            messages: system and user messages, at most one of each role in a row.
            answer: the form wanted.
            seed: sampling seed; the same seed and messages give the same text where the engine allows.
            deadline: seconds after which the call must have ended, retries included.

        Raises:
            ChatFailed: nothing usable within the deadline; the message says what happened.
        """
        ...

    def close(self) -> None:
        """Frees memory and connections; the model may not be used afterwards."""
        ...
