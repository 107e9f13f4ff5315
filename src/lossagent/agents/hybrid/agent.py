"""The hybrid agent: candidates from a response model, chosen among with a language model's preference."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

from lossagent.agents.base import Recall, View
from lossagent.agents.hybrid.options import HybridOptions
from lossagent.agents.hybrid.pairs import Compared, Questions
from lossagent.agents.hybrid.preference import from_choice, from_pairs
from lossagent.agents.hybrid.slate import Slate, slate
from lossagent.agents.hybrid.wording import change, forecast
from lossagent.agents.llm.agent import LLM
from lossagent.agents.llm.candidates import Option, permuted
from lossagent.agents.llm.choice import Choice
from lossagent.agents.llm.formats import Format
from lossagent.agents.llm.options import LLMOptions
from lossagent.agents.llm.scores import point
from lossagent.agents.respond.estimates import Prediction
from lossagent.chat.base import ChatModel
from lossagent.records import Decision
from lossagent.weights import Weights


@dataclass(frozen=True)
class Verdict:
    """What the language model said of the candidates.

    Attributes:
        preference: of each over keeping the weights, in [-1, 1]; ``None`` where no answer was usable.
        account: how it was found, in words.
        thoughts: the model's own reasons.
        marks: ``"sampled"``, ``"summary"``.
        exchanges: keys of the questions, in order.
        failed: how many of them gave nothing usable.
    """

    preference: tuple[float, ...] | None
    account: str
    thoughts: str = ""
    marks: tuple[str, ...] = ()
    exchanges: tuple[str, ...] = ()
    failed: int = 0


class Hybrid:
    """Takes the candidate with the highest promise + trust x preference x doubt.

    *Promise*: what the response model's own agent goes by, the expected change of utility and one standard deviation.
    *Preference*: the language model's, 2 P - 1 with P how likely it holds the candidate for better than keeping the
    weights. *Doubt*: the standard deviation of what the candidate gains over keeping them. So the language model
    decides where the response model does not know, and cannot overrule it where it does: what it puts before the
    response model's own choice promises less than that by no more than trust x the sum of both doubts. A model that
    likes a letter and not an option prefers nothing (``ask: pairs``), and the choice is the response model's.

    Where pairs get no log-probabilities one sampled choice is asked for instead (mark ``"sampled"``); where no
    answer is usable the response model decides alone (mark ``"fallback"``). It never restarts by itself: put a
    rollback around it.

    Args:
        chat: the language model; ``ask: pairs`` wants one that ranks options (:class:`lossagent.chat.RanksOptions`).
        options: candidates, questions, trust.
    """

    def __init__(self, chat: ChatModel, options: HybridOptions | None = None) -> None:
        self.chat = chat
        self.options = options or HybridOptions()

    @property
    def name(self) -> str:
        """``hybrid``."""
        return "hybrid"

    @property
    def needs_restart(self) -> bool:
        """Never: it goes on from the head."""
        return False

    @property
    def needs_utility(self) -> bool:
        """Always: predictions are of the utility."""
        return True

    def decide(self, view: View, recall: Recall) -> Decision:
        """The candidate that response model and language model together like best.

        Raises:
            Refused: the goal has no utility.
        """
        view.goal.require_utility(self.name)
        found = slate(view, self.options)
        if len(found.candidates) < 2:
            said = Verdict(None, "There was nothing to choose from.")
            return self._decision(view, found, 0, said)
        questions = Questions(self.chat, self.options, view, recall, found)
        said = self._asked(view, recall, found, questions)
        chosen = self._best(found, said)
        if self.options.ask == "pairs" and self.options.reasons == "last" and said.preference is not None:
            thoughts = questions.why(chosen)
            last = questions.exchanges[-1]
            failed = said.failed + (last.problem is not None)
            said = replace(said, thoughts=thoughts, exchanges=(*said.exchanges, last.key), failed=failed)
        return self._decision(view, found, chosen, said)

    def _asked(self, view: View, recall: Recall, found: Slate, questions: Questions) -> Verdict:
        if self.options.ask == "choice":
            return self._choice(view, recall, found, self.options.prompting)
        compared = questions.compare()
        keys = tuple(e.key for e in questions.exchanges)
        failed = sum(e.problem is not None for e in questions.exchanges)
        marks = ("summary",) if questions.summarised else ()
        if compared.odds:
            preference = from_pairs(compared.odds, len(found.candidates), found.kept)
            return Verdict(preference, _account(compared), marks=marks, exchanges=keys, failed=failed)
        other = self._choice(view, recall, found, self.options.prompting.model_copy(update={"thoughts": "off"}))
        marks = tuple(dict.fromkeys((*marks, *other.marks)))
        return replace(
            other,
            marks=marks if other.preference is None else ("sampled", *marks),
            exchanges=(*keys, *other.exchanges),
            failed=failed + other.failed,
        )

    def _choice(self, view: View, recall: Recall, found: Slate, prompting: LLMOptions) -> Verdict:
        """One question that lists all candidates, in a drawn order; the language-model agent asks and reads it."""
        listed = tuple(
            Option(
                c.weights,
                change(c.weights, view.previous),
                Prediction(c.gain, c.doubt) if found.informed else None,
            )
            for c in found.candidates
        )
        worth = f"{point(view)} against keeping the weights"

        def maker(options: LLMOptions, seen: View) -> Callable[[str | None], Format]:
            reasons = options.thoughts or "first"
            return lambda image: Choice(permuted(seen, listed, image), options.thoughts_limit, reasons, worth)

        made = LLM(self.chat, prompting, maker).decide(view, recall)
        usable = "fallback" not in made.adjusted_by
        asked = Verdict(
            preference=None,
            account="No answer of the language model was usable.",
            marks=tuple(m for m in made.adjusted_by if m != "fallback"),
            exchanges=made.exchanges,
            failed=made.failed,
        )
        if not usable:
            return asked
        chosen = min(range(len(listed)), key=lambda i: _distance(listed[i].weights, made.weights))
        preference = from_choice(chosen, len(listed), found.kept)
        account = f"The language model chose: {listed[chosen].words}."
        return replace(asked, preference=preference, account=account, thoughts=made.thoughts)

    def _best(self, found: Slate, said: Verdict) -> int:
        trust = self.options.trust_llm
        if said.preference is None:
            return found.favourite
        if trust == "all":
            order = [(p, c.promise) for p, c in zip(said.preference, found.candidates, strict=True)]
        else:
            order = [
                (c.promise + trust * p * c.doubt, 0.0) for p, c in zip(said.preference, found.candidates, strict=True)
            ]
        return max(range(len(order)), key=order.__getitem__)

    def _decision(self, view: View, found: Slate, chosen: int, said: Verdict) -> Decision:
        candidate = found.candidates[chosen]
        parts = [f"Candidate {chosen + 1} of {len(found.candidates)}: {change(candidate.weights, view.previous)}."]
        if found.informed:
            parts.append(f"Prediction: {forecast(candidate)}.")
        parts.append(said.account)
        if said.preference is not None and chosen != found.favourite:
            parts.append("The response model alone would have chosen another.")
        if said.thoughts:
            parts.append(f"The language model's reasons: {said.thoughts}")
        failed_all = said.preference is None and bool(said.exchanges)
        return Decision(
            author=self.name,
            proposed=candidate.weights,
            weights=candidate.weights,
            restart_from=view.head.id,
            thoughts=" ".join(parts),
            adjusted_by=(*said.marks, "fallback") if failed_all else said.marks,
            exchanges=said.exchanges,
            asked=len(said.exchanges),
            failed=said.failed,
        )


def _account(compared: Compared) -> str:
    """How sure the pairs were, and how much of it was a liking for a place."""
    size = sum(abs(x) for x in compared.odds.values()) / len(compared.odds)
    return (
        f"The language model compared {len(compared.odds)} pairs in both orders: mean log-odds {size:.2f} between "
        f"candidates, {compared.bias:+.2f} for whichever stood first."
    )


def _distance(a: Weights, b: Weights) -> float:
    """Sum of absolute log-ratios; 0 for the same weights."""
    return math.fsum(abs(math.log(a.magnitudes[n] / b.magnitudes[n])) for n in a.names)
