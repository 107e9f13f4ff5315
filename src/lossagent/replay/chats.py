"""A language model that knows what was recorded and nothing else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from lossagent.chat import ChatModel
from lossagent.chat.base import AnswerFormat, Completion
from lossagent.chat.ranking import Ranking
from lossagent.chat.replay import Replay, digest
from lossagent.errors import Refused
from lossagent.records import Exchange, Message


class OnlyRecorded(ChatModel):
    """Gives recorded answers, as :class:`lossagent.chat.Replay` does, and refuses a question that has none.

    A replay's failure is one that an agent copes with and goes on from; here that would pass for its answer.

    Args:
        exchanges: in the order in which they were made.
    """

    def __init__(self, exchanges: Iterable[Exchange]) -> None:
        recorded = tuple(e for e in exchanges if e.messages)
        self._replay = Replay(recorded)
        self._left = Counter(digest(e.messages) for e in recorded)

    @property
    def name(self) -> str:
        """``replay``."""
        return self._replay.name

    def complete(self, messages: Sequence[Message], answer: AnswerFormat, seed: int, deadline: float) -> Completion:
        """The recorded answer.

        Raises:
            Refused: these messages were never asked, or not this often.
            ChatFailed: the recorded question failed.
        """
        self._take(messages)
        return self._replay.complete(messages, answer, seed, deadline)

    def option_logprobs(
        self, messages: Sequence[Message], options: Sequence[str], seed: int, deadline: float
    ) -> Ranking:
        """The recorded log-probabilities; raises as :meth:`complete` does."""
        self._take(messages)
        return self._replay.option_logprobs(messages, options, seed, deadline)

    def close(self) -> None:
        """Nothing to free."""

    def _take(self, messages: Sequence[Message]) -> None:
        key = digest(messages)
        if not self._left[key]:
            raise Refused(
                "the agent asks a language model something that is not in the recorded exchanges. "
                "Name a model to ask: --chat SETTINGS."
            )
        self._left[key] -= 1
