"""The double of a language model: answers that you wrote, for tests and dry runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from lossagent.chat.base import AnswerFormat, Completion
from lossagent.errors import ChatFailed
from lossagent.records import Message

Reply = str | Completion | ChatFailed
"""An answer, an answer with all its facts, or the failure to raise."""


@dataclass(frozen=True)
class Call:
    """One question that a :class:`Scripted` model got.

    Attributes:
        messages: the prompts.
        answer: the form that was asked for.
        seed: the sampling seed.
        deadline: seconds it was given.
    """

    messages: tuple[Message, ...]
    answer: AnswerFormat
    seed: int
    deadline: float


class Scripted:
    """Answers by position in a list, or by a function of (messages, seed).

    A function makes it stateless: the same messages and seed get the same answer, also after a resume. A list is
    read from its beginning by each new object.

    Args:
        replies: the answers in order, or the function. A :class:`ChatFailed` is raised instead of returned.
        name: recorded as the model's name.
    """

    def __init__(
        self,
        replies: Sequence[Reply] | Callable[[Sequence[Message], int], Reply],
        name: str = "scripted",
    ) -> None:
        self._replies = replies if callable(replies) else tuple(replies)
        self._name = name
        self._calls: list[Call] = []

    @property
    def name(self) -> str:
        """Name of the model."""
        return self._name

    @property
    def calls(self) -> tuple[Call, ...]:
        """The questions so far, in order."""
        return tuple(self._calls)

    def complete(self, messages: Sequence[Message], answer: AnswerFormat, seed: int, deadline: float) -> Completion:
        """The next answer; takes no time.

        Raises:
            ChatFailed: the script says so, or the list has ended.
        """
        self._calls.append(Call(tuple(messages), answer, seed, deadline))
        if callable(self._replies):
            reply = self._replies(messages, seed)
        elif len(self._calls) <= len(self._replies):
            reply = self._replies[len(self._calls) - 1]
        else:
            raise ChatFailed(
                f"{self._name} has {len(self._replies)} replies and was asked a question more. "
                "Give it more replies, or a function."
            )
        if isinstance(reply, ChatFailed):
            # A new object: an exception that is raised twice drags the first traceback along.
            raise type(reply)(*reply.args)
        if isinstance(reply, Completion):
            return replace(reply)
        return Completion(text=reply, model=self._name)

    def close(self) -> None:
        """Nothing to free."""
