"""The paper's three prompts (section 3.4, Figure 5), in words of our own, as pure functions of what an agent sees."""

from __future__ import annotations

from dataclasses import dataclass

from lossagent.agents.base import View
from lossagent.agents.llm.evidence import losses
from lossagent.agents.llm.formats import Described, Example, Format
from lossagent.agents.llm.history import full, summary
from lossagent.agents.llm.options import LLMOptions
from lossagent.agents.llm.scores import Shown, aims, directions, metrics_of, shown
from lossagent.agents.llm.shared import own, skeleton
from lossagent.agents.llm.text import number, quoted, score
from lossagent.agents.llm.trends import trends
from lossagent.goal import Constraint
from lossagent.records import Message


@dataclass(frozen=True)
class Question:
    """One question of a decision.

    Attributes:
        view: what the agent sees.
        image: the feedback image that it is about, ``None`` for means over all.
        form: form of its answer.
        evidence: the lines that the questions of a decision have in common.
    """

    view: View
    image: str | None
    form: Format
    evidence: tuple[str, ...]

    @property
    def subject(self) -> str:
        """Beginning of the keys of its exchanges."""
        return "pooled" if self.image is None else f"image:{self.image}"


def messages(asked: Question, options: LLMOptions, short: bool = False) -> tuple[Message, ...]:
    """The system and the user message of a question.

    Args:
        asked: the question.
        options: how it is asked.
        short: with the history summarised.
    """
    user = shared if options.share and asked.image is not None else paper
    return (
        Message(role="system", content=system(asked.view, options)),
        Message(role="user", content=user(asked, options, short)),
    )


def paper(asked: Question, options: LLMOptions, short: bool) -> str:
    """The paper's order: the history with its scores, then the needs."""
    return f"{historical(asked, options, short)}\n\n{needs(asked, options, str(described(asked, options)))}"


def shared(asked: Question, options: LLMOptions, short: bool) -> str:
    """What the questions about all images have in common, then the image's own lines."""
    view, pooled, named = asked.view, shown(asked.view, None), options.direction != "all_off"
    last = None if options.history == "all" else options.history
    form = described(asked, options)
    parts = (
        (skeleton(view, pooled, last, short, named), *asked.evidence, *_trends(view, pooled, options)),
        (needs(asked, options, form.rules),),
        (own(view, shown(view, asked.image), pooled, last, short, named), form.own),
    )
    return "\n\n".join("\n".join(line for line in part if line) for part in parts)


def system(view: View, options: LLMOptions) -> str:
    """Role, what the model receives, how training goes, what the score means, and the goal.

    Args:
        view: what the agent sees.
        options: ``direction`` decides whether it says which way of the score is better (Table 7).
    """
    clear = options.direction == "on"
    span = (
        "The list goes back to the beginning of training."
        if options.history == "all"
        else "Only the latest part of training is listed."
    )
    parts = [
        "You help people to choose the loss weights of an image restoration model.",
        "You will be given the loss weights that were used so far, and the feedback of experts on them.",
        f"The model is trained with one set of weights after the other, each for {view.stage_iterations} parameter "
        f"updates. {span}",
        "The feedback shows how the restored images changed with each of them.",
        "The score stands for the overall quality of the restored images." if metrics_of(view) else "",
        directions(view) if clear else "",
        f"Your ultimate goal is to help the model {aims(view, clear)}.",
        _wish(view),
        losses(view, options.evidence),
    ]
    return " ".join(p for p in parts if p)


def historical(asked: Question, options: LLMOptions, short: bool = False) -> str:
    """Weights and scores from the beginning of training, and the evidence that is switched on.

    Args:
        asked, options: as for :func:`messages`.
        short: the summary in place of the whole history.
    """
    view, sees, named = asked.view, shown(asked.view, asked.image), options.direction != "all_off"
    last = None if options.history == "all" else options.history
    told = summary(view, sees, named) if short else full(view, sees, last)
    return "\n".join((told, *asked.evidence, *_trends(view, sees, options)))


def needs(asked: Question, options: LLMOptions, rule: str) -> str:
    """What is asked for now: the form of the answer, the goal again, and how free it is.

    Args:
        asked, options: as for :func:`messages`.
        rule: the form in words.
    """
    view = asked.view
    previous, bounds = view.previous, view.bounds
    goal = f"Your ultimate goal is to help the model {aims(view, options.direction != 'all_off')}"
    if len(metrics_of(view)) == 1 and view.goal.targets:
        goal += " (which means better images)"
    rules = [
        rule,
        f"{goal}.",
        "Where the history is not enough to decide, you may change the weights at random by a small amount, "
        "up or down.",
    ]
    rules += [_limit(view, c) for c in view.goal.constraints]
    if wish := _wish(view):
        rules.append(wish)
    if bounds.trust is not None and asked.form.free:
        rules.append(f"Each weight may change by a factor of {number(bounds.trust, 4)} at most; more is cut off.")
    if bounds.frozen and asked.form.free:
        rules.append(f"These weights stay as they are: {', '.join(n for n in previous.names if n in bounds.frozen)}.")
    opening = (
        "From all weights and feedback above, and from what you know about these losses, choose new loss weights for "
        f"the next {view.stage_iterations} steps. Follow these rules:"
    )
    return "\n".join([opening, *(f"{i}. {rule}" for i, rule in enumerate(rules, 1))])


def described(asked: Question, options: LLMOptions) -> Described:
    """The form in words; the example has the initial weights, as in the paper, or moves drawn for this question."""
    view = asked.view
    example = Example(view.trajectory.initial, view.rng(f"example/{asked.image}")) if options.example else None
    return asked.form.describe(view.previous, view.bounds, example)


def _trends(view: View, sees: Shown, options: LLMOptions) -> list[str]:
    return trends(sees, view.trajectory.path(view.head.id)) if options.evidence.trends else []


def _wish(view: View) -> str:
    return f"The wish of the person who trains it: {quoted(view.goal.wish, 1000)}." if view.goal.wish else ""


def _limit(view: View, constraint: Constraint) -> str:
    """A constraint in words; relative to S_0 as a number where its score is known."""
    least = constraint.at_least is not None
    value = constraint.at_least if constraint.at_least is not None else constraint.at_most
    assert value is not None
    side = "at least" if least else "at most"
    start = view.trajectory.start.feedback
    base = start.mean(constraint.metric) if start is not None else None
    if constraint.relative_to == "start" and base is not None:
        return f"{constraint.metric} must stay {side} {score(base + value)} over all images."
    origin = {
        "absolute": "",
        "start": " of its value before training",
        "fixed": " of the run with fixed weights",
    }
    word = "" if constraint.relative_to == "absolute" else f"{value:+g} relative to that"
    if constraint.relative_to == "absolute":
        return f"{constraint.metric} must stay {side} {score(value)} over all images."
    return f"{constraint.metric} must stay {side} {word}{origin[constraint.relative_to]}."
