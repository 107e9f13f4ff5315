"""The double of a language model: answers that you wrote, for tests and dry runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from lossagent.chat.base import AnswerFormat, Completion
from lossagent.chat.ranking import Ranking, checked, one_of, read
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

    def option_logprobs(
        self, messages: Sequence[Message], options: Sequence[str], seed: int, deadline: float
    ) -> Ranking:
        """The next answer, read as JSON: ``{"A": -0.1, "B": -2.3}``.

        Raises:
            ChatFailed: the script says so, the list has ended, or the answer is no such JSON.
        """
        answer = self.complete(messages, one_of(checked(options)), seed, deadline)
        return Ranking(
            logprobs=read(answer.text, options, self._name),
            model=answer.model,
            prompt_tokens=answer.prompt_tokens,
            completion_tokens=answer.completion_tokens,
            seconds=answer.seconds,
        )

    def close(self) -> None:
        """Nothing to free."""
