"""The paper's agent: a language model reads the trajectory and answers with the next weights, eq. (6)."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence

from lossagent.agents.base import Recall, View
from lossagent.agents.llm.evidence import evidence
from lossagent.agents.llm.formats import LONGEST, Format
from lossagent.agents.llm.forms import FORMS, Maker
from lossagent.agents.llm.history import SUMMARISED
from lossagent.agents.llm.options import LLMOptions
from lossagent.agents.llm.prompts import Question, described, messages
from lossagent.agents.llm.scores import images_of, shown
from lossagent.agents.llm.text import echo, quoted
from lossagent.agents.llm.tokens import count, room
from lossagent.chat.base import AnswerFormat, ChatModel
from lossagent.errors import ChatFailed, Refused
from lossagent.records import Decision, Exchange, Message
from lossagent.weights import Weights


class LLM:
    """Asks a language model for the next weights: one question for each feedback image and the mean, or one in all.

    An answer that cannot be used (no completion, cut off, not parsable, absurd numbers) is asked for again with the
    problem quoted, a bounded number of times. Failures are left out of the mean and counted; if all fail the weights
    stay as they were (mark ``"fallback"``). A history that was summarised leaves the mark ``"summary"``.

    Args:
        chat: the language model.
        options: how it is asked.
        maker: makes the forms of a decision's answers; ``None`` takes the one that ``options.answer`` names.
    """

    def __init__(self, chat: ChatModel, options: LLMOptions | None = None, maker: Maker | None = None) -> None:
        self.chat = chat
        self.options = options or LLMOptions()
        self.maker = maker or FORMS[self.options.answer]

    @property
    def name(self) -> str:
        """``llm``."""
        return "llm"

    @property
    def needs_restart(self) -> bool:
        """Never: it goes on from the head."""
        return False

    @property
    def needs_utility(self) -> bool:
        """Never: a wish is enough."""
        return False

    def decide(self, view: View, recall: Recall) -> Decision:
        """The mean of the usable answers; without one, the previous weights."""
        previous = view.previous
        questions = self._questions(view, self._subjects(view))
        form = questions[0].form
        if not form.answerable(previous, view.bounds):
            return Decision(
                author=self.name,
                proposed=previous,
                weights=previous,
                restart_from=view.head.id,
                thoughts="No weight can move.",
            )
        exchanges: list[Exchange] = []
        for question in questions:
            self._ask(question, recall, exchanges)
        usable = [e for e in exchanges if e.problem is None and e.weights is not None]
        answers = [e.weights for e in usable if e.weights is not None]
        weights = previous if not answers else answers[0]
        if len(answers) > 1:
            weights = form.average(answers, previous)
        about = {question.image: question for question in questions}
        marks = ("summary",) if any(self._summarised(about[e.image], e) for e in exchanges) else ()
        return Decision(
            author=self.name,
            proposed=weights,
            weights=weights,
            restart_from=view.head.id,
            thoughts=_central(usable, weights),
            adjusted_by=marks if answers else (*marks, "fallback"),
            exchanges=tuple(e.key for e in exchanges),
            asked=len(exchanges),
            failed=len(exchanges) - len(usable),
        )

    def form(self, view: View, image: str | None = None) -> Format:
        """The form of the answer to one question."""
        return self.maker(self.options, view)(image)

    def prompts(self, view: View, image: str | None = None, short: bool = False) -> tuple[Message, ...]:
        """The messages of the first try, as they are sent; nothing is asked.

        Args:
            view: what the agent sees.
            image: the feedback image of a per-image question, ``None`` for a pooled one.
            short: with the history summarised.
        """
        return messages(self._questions(view, (image,))[0], self.options, short)

    def _questions(self, view: View, images: Sequence[str | None]) -> list[Question]:
        """The questions of one decision; what they have in common is found once."""
        form, lines = self.maker(self.options, view), evidence(view, self.options)
        return [Question(view, image, form(image), lines) for image in images]

    def _subjects(self, view: View) -> tuple[str | None, ...]:
        """The images to ask about; one pooled question where there are none."""
        if self.options.query == "pooled":
            return (None,)
        return images_of(view, shown(view, None).metrics) or (None,)

    def _ask(self, question: Question, recall: Recall, exchanges: list[Exchange]) -> None:
        """One question with its retries; each try is appended to ``exchanges``."""
        last: Exchange | None = None
        for attempt in range(self.options.retries + 1):
            # Recorded seconds, not the clock: a resume then asks exactly what the first run would have asked.
            left = self.options.total - math.fsum(e.seconds for e in exchanges)
            if left <= 0 and attempt > 0:
                return
            last = self._try(question, recall, f"{question.subject}/{attempt}", last, left)
            exchanges.append(last)
            if last.problem is None or not last.messages:
                return

    def _try(self, question: Question, recall: Recall, key: str, last: Exchange | None, left: float) -> Exchange:
        blank = Exchange(key=key, author=self.chat.name, image=question.image)

        def make() -> Exchange:
            if left <= 0:
                total = f"{self.options.total:g}"
                return blank.model_copy(update={"problem": f"not asked: the {total} s for one decision were used up"})
            asked, tokens = self._fitting(question)
            if tokens > (limit := self._room(question)):
                problem = f"not asked: the prompt has {tokens} tokens even with a summary; at most {limit} fit"
                return blank.model_copy(update={"problem": problem})
            asked = (*asked, *self._correction(question, last))
            return self._complete(
                question, blank.model_copy(update={"messages": asked}), min(self.options.deadline, left)
            )

        return recall(key, make)

    def _fitting(self, question: Question) -> tuple[tuple[Message, ...], int]:
        """The prompts and their tokens: with the whole history if it fits, else with its summary."""
        asked, tokens = (), 0
        for short in (False, True):
            asked = messages(question, self.options, short)
            tokens = count(self.chat, asked)
            if tokens <= self._room(question):
                break
        return asked, tokens

    def _room(self, question: Question) -> int:
        return room(self.chat, self.options.prompt_limit, self._answer_format(question).max_tokens)

    def _summarised(self, question: Question, exchange: Exchange) -> bool:
        """Read off the record, since another model may count other tokens in a replay."""
        if len(exchange.messages) < 2 or SUMMARISED not in exchange.messages[1].content:
            return False
        return exchange.messages[:2] == messages(question, self.options, short=True)

    def _correction(self, question: Question, last: Exchange | None) -> tuple[Message, ...]:
        """The unusable answer and what was wrong with it; nothing where no words came."""
        if last is None or not last.raw or not (said := echo(last.raw, 600)):
            return ()
        form = described(question, self.options)
        text = f"That answer could not be used: {quoted(last.problem or '', 400)} Please answer again. {form}"
        return Message(role="assistant", content=said), Message(role="user", content=text)

    def _complete(self, question: Question, asked: Exchange, deadline: float) -> Exchange:
        """Asks, reads and validates; whatever went wrong is recorded in the exchange."""
        view = question.view
        seed = view.rng(asked.key).getrandbits(31)
        began = time.perf_counter()
        try:
            completion = self.chat.complete(asked.messages, self._answer_format(question), seed, deadline)
        except ChatFailed as error:
            seconds = time.perf_counter() - began
            return asked.model_copy(update={"problem": f"no answer: {error}", "seconds": seconds})
        facts = {
            "raw": completion.text[:LONGEST],
            "finish": completion.finish,
            "prompt_tokens": completion.prompt_tokens,
            "completion_tokens": completion.completion_tokens,
            "seconds": time.perf_counter() - began,
        }
        try:
            if completion.finish == "length":
                raise Refused("The answer was cut off before its end; answer in fewer words.")
            parsed = question.form.parse(completion.text, view.previous, view.bounds)
        except Refused as error:
            return asked.model_copy(update={**facts, "problem": str(error)})
        return asked.model_copy(update={**facts, "weights": parsed.weights, "thoughts": parsed.thoughts})

    def _answer_format(self, question: Question) -> AnswerFormat:
        view = question.view
        wanted = question.form.answer_format(view.previous, view.bounds, self.options.max_tokens)
        if self.options.constrain:
            return wanted
        return AnswerFormat(wanted.name, None, None, wanted.max_tokens)


def _central(usable: Sequence[Exchange], weights: Weights) -> str:
    """The thoughts of the answer nearest to the mean, in log-magnitudes; the first of equals."""

    def distance(exchange: Exchange) -> float:
        answer = exchange.weights
        assert answer is not None
        return math.fsum(abs(math.log(answer.magnitudes[n] / weights.magnitudes[n])) for n in weights.names)

    return min(usable, key=distance).thoughts if usable else ""
