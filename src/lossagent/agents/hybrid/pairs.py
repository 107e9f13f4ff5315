"""Pairwise questions in both orders, scored by log-probability."""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from lossagent.agents.base import Recall, View
from lossagent.agents.hybrid.options import HybridOptions
from lossagent.agents.hybrid.slate import Slate
from lossagent.agents.hybrid.wording import LETTERS, comparison, opening, reasons
from lossagent.agents.llm.formats import thoughts_of
from lossagent.agents.llm.history import SUMMARISED
from lossagent.agents.llm.tokens import count, room
from lossagent.chat.base import AnswerFormat, ChatModel
from lossagent.chat.ranking import RanksOptions, read, written
from lossagent.errors import ChatFailed
from lossagent.records import Exchange, Message

WHY = AnswerFormat("reasons", None, None, max_tokens=64)


@dataclass(frozen=True)
class Compared:
    """What the pairs said.

    Attributes:
        odds: (i, j) -> log-odds that candidate i is better than j, the mean of both orders, in which a constant liking
            for a place cancels; pairs of which an order is missing are left out.
        bias: mean log-odds by which the candidate that stood first was preferred; 0 without an answer.
    """

    odds: Mapping[tuple[int, int], float]
    bias: float


@dataclass
class Questions:
    """The questions of one decision; each is asked once, whatever is resumed.

    Attributes:
        chat, options, view, recall: who is asked what, how, and how answers are kept.
        slate: what the questions are about.
        exchanges: all so far, in order.
    """

    chat: ChatModel
    options: HybridOptions
    view: View
    recall: Recall
    slate: Slate
    exchanges: list[Exchange] = field(default_factory=list[Exchange])
    _openings: dict[bool, tuple[Message, str]] = field(default_factory=dict[bool, tuple[Message, str]])

    def compare(self) -> Compared:
        """Asks about every pair in both orders. If the first question fails the others are not asked."""
        answers: dict[tuple[int, int], float] = {}
        for i, j in itertools.combinations(range(len(self.slate.candidates)), 2):
            for first, second in ((i, j), (j, i)):
                end = comparison(self.view, self.slate, first, second)
                found = self._ask(f"pair:{first}-{second}/0", end, self._rank)
                if found.problem is None and found.raw is not None:
                    numbers = read(found.raw, LETTERS, found.author)
                    answers[first, second] = numbers["A"] - numbers["B"]
                elif not answers:
                    return Compared({}, 0.0)
        both = {(i, j): (answers[i, j] - answers[j, i]) / 2 for i, j in answers if i < j and (j, i) in answers}
        bias = math.fsum(answers[i, j] + answers[j, i] for i, j in both) / (2 * len(both)) if both else 0.0
        return Compared(both, bias)

    def why(self, chosen: int) -> str:
        """One sentence on the chosen candidate, asked for after the fact; empty where none came."""
        found = self._ask("reasons/0", reasons(self.view, self.slate, chosen), self._tell)
        return found.thoughts if found.problem is None else ""

    @property
    def summarised(self) -> bool:
        """Whether a question was asked with a summary of the history, read off the records."""
        asked = [e for e in self.exchanges if len(e.messages) == 2 and SUMMARISED in e.messages[1].content]
        if not asked:
            return False
        begin, start = self._opening(short=True)
        return any(e.messages[0] == begin and e.messages[1].content.startswith(start) for e in asked)

    def _ask(self, key: str, end: str, answer: Callable[[Exchange, float], Exchange]) -> Exchange:
        # Recorded seconds, not the clock: a resume then asks exactly what the first run would have asked.
        left = self.options.total - math.fsum(e.seconds for e in self.exchanges)
        blank = Exchange(key=key, author=self.chat.name)

        def make() -> Exchange:
            if left <= 0:
                total = f"{self.options.total:g}"
                return blank.model_copy(update={"problem": f"not asked: the {total} s for one decision were used up"})
            messages, tokens = self._fitting(end)
            if tokens > (limit := self._room):
                problem = f"not asked: the prompt has {tokens} tokens even with a summary; at most {limit} fit"
                return blank.model_copy(update={"problem": problem})
            asked, began = blank.model_copy(update={"messages": messages}), time.perf_counter()
            try:
                return answer(asked, min(self.options.deadline, left))
            except ChatFailed as error:
                seconds = time.perf_counter() - began
                return asked.model_copy(update={"problem": f"no answer: {error}", "seconds": seconds})

        found = self.recall(key, make)
        self.exchanges.append(found)
        return found

    def _rank(self, asked: Exchange, deadline: float) -> Exchange:
        if not isinstance(self.chat, RanksOptions):
            raise ChatFailed(f"{self.chat.name} cannot tell log-probabilities.")
        began = time.perf_counter()
        found = self.chat.option_logprobs(asked.messages, LETTERS, self._seed(asked), deadline)
        facts = {
            "raw": written(found.logprobs),
            "prompt_tokens": found.prompt_tokens,
            "completion_tokens": found.completion_tokens,
            "seconds": time.perf_counter() - began,
        }
        return asked.model_copy(update=facts)

    def _tell(self, asked: Exchange, deadline: float) -> Exchange:
        began = time.perf_counter()
        found = self.chat.complete(asked.messages, WHY, self._seed(asked), deadline)
        facts = {
            "raw": found.text,
            "thoughts": thoughts_of(found.text),
            "finish": found.finish,
            "prompt_tokens": found.prompt_tokens,
            "completion_tokens": found.completion_tokens,
            "seconds": time.perf_counter() - began,
        }
        return asked.model_copy(update=facts)

    def _seed(self, asked: Exchange) -> int:
        return self.view.rng(asked.key).getrandbits(31)

    @property
    def _room(self) -> int:
        return room(self.chat, self.options.prompt_limit, WHY.max_tokens)

    def _fitting(self, end: str) -> tuple[tuple[Message, ...], int]:
        """The prompt and its tokens: with the whole history if it fits, else with its summary."""
        messages = self._messages(end, short=False)
        tokens = count(self.chat, messages)
        if tokens > self._room:
            messages = self._messages(end, short=True)
            tokens = count(self.chat, messages)
        return messages, tokens

    def _messages(self, end: str, short: bool) -> tuple[Message, ...]:
        begin, start = self._opening(short)
        return begin, Message(role="user", content=f"{start}\n{end}")

    def _opening(self, short: bool) -> tuple[Message, str]:
        if short not in self._openings:
            self._openings[short] = opening(self.view, self.options.prompting, short)
        return self._openings[short]
