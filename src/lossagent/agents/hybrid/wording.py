"""Candidates, predictions and questions in plain words."""

from __future__ import annotations

import math

from lossagent.agents.base import View
from lossagent.agents.hybrid.slate import Candidate, Slate
from lossagent.agents.llm.evidence import evidence
from lossagent.agents.llm.history import full, summary
from lossagent.agents.llm.options import LLMOptions
from lossagent.agents.llm.prompts import system
from lossagent.agents.llm.scores import aims, point, shown
from lossagent.agents.llm.text import number, score
from lossagent.agents.llm.trends import trends
from lossagent.chat.neutral import quote
from lossagent.records import Message
from lossagent.utility import limit_of
from lossagent.weights import Weights

LETTERS = ("A", "B")
NAME = 60
"""Characters shown of a loss's name."""
STILL = 0.01
"""A log-ratio that changes by less is not worth a word."""


def change(weights: Weights, previous: Weights) -> str:
    """``raise gan from 0.01 to 0.02, lower perceptual from 0.1 to 0.05``; ``keep all weights`` where none moves."""
    parts: list[str] = []
    for name, before in previous.magnitudes.items():
        after = weights.magnitudes[name]
        if name not in previous.off and abs(math.log(after / before)) >= STILL:
            verb = "raise" if after > before else "lower"
            parts.append(f"{verb} {quote(name, NAME)} from {number(before, 5)} to {number(after, 5)}")
    return ", ".join(parts) or "keep all weights"


def forecast(candidate: Candidate) -> str:
    """``likely better than keeping, by 0.8 points, give or take 0.5``: mean and standard deviation in words."""
    if candidate.doubt == 0:
        return "what the others are compared with"
    chance = 0.5 * (1 + math.erf(candidate.gain / candidate.doubt / math.sqrt(2)))
    likely = next(word for limit, word in _LIKELY if chance >= limit)
    way = "more" if candidate.gain >= 0 else "less"
    return (
        f"{likely} than keeping, by {number(abs(candidate.gain), 2)} points {way}, give or take "
        f"{number(candidate.doubt, 2)}"
    )


_LIKELY = (
    (0.95, "almost surely better"),
    (0.75, "probably better"),
    (0.25, "as likely better as worse"),
    (0.05, "probably worse"),
    (0.0, "almost surely worse"),
)


def opening(view: View, prompting: LLMOptions, short: bool) -> tuple[Message, str]:
    """What all questions of a decision share: the system message, and the beginning of the user's.

    Args:
        view: what the agent sees.
        prompting: history and evidence.
        short: with the history summarised.
    """
    sees = shown(view, None)
    last = None if prompting.history == "all" else prompting.history
    parts = (
        summary(view, sees, True) if short else full(view, sees, last),
        *evidence(view, prompting),
        *(trends(sees, view.trajectory.path(view.head.id)) if prompting.evidence.trends else ()),
        *(_limit(view, i) for i in range(len(view.goal.constraints))),
        f"Now two ways to set the weights for the next {view.stage_iterations} steps are compared.",
    )
    return Message(role="system", content=system(view, prompting)), "\n".join(p for p in parts if p)


def comparison(view: View, found: Slate, first: int, second: int) -> str:
    """The end of a question about two candidates, in this order."""
    lines = [f"{letter}: {_told(view, found, i)}." for letter, i in zip(LETTERS, (first, second), strict=True)]
    if found.informed:
        lines.insert(0, f"The predictions are estimated from all stages so far, in {point(view)}.")
    question = f"Which of the two is better to {aims(view, True)}? Answer with one letter, A or B, and nothing else."
    return "\n".join((*lines, question))


def reasons(view: View, found: Slate, chosen: int) -> str:
    """The end of the question for reasons, once the choice is made."""
    return f"Chosen was: {_told(view, found, chosen)}.\nWhy can that be good? Answer in one short sentence."


def _told(view: View, found: Slate, index: int) -> str:
    candidate = found.candidates[index]
    words = change(candidate.weights, view.previous)
    return f"{words}. Prediction: {forecast(candidate)}" if found.informed else words


def _limit(view: View, index: int) -> str:
    """A constraint as a number over all images, with the score as it is now."""
    constraint = view.goal.constraints[index]
    limit = limit_of(constraint, view.trajectory.start.feedback, view.fixed.get(view.head.depth))
    if limit is None:
        return ""
    side = "at least" if constraint.at_least is not None else "at most"
    now = view.head.feedback.mean(constraint.metric) if view.head.feedback is not None else None
    known = f"; it is {score(now)} now" if now is not None else ""
    return f"{quote(constraint.metric, NAME)} must stay {side} {score(limit)} over all images{known}."
