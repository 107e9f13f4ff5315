"""The paper's three prompts (section 3.4, Figure 5), in words of our own, as pure functions of what an agent sees."""

from __future__ import annotations

from lossagent.agents.base import View
from lossagent.agents.llm.evidence import evidence, losses
from lossagent.agents.llm.formats import Example, Format
from lossagent.agents.llm.history import full, summary
from lossagent.agents.llm.options import LLMOptions
from lossagent.agents.llm.scores import aims, directions, shown
from lossagent.agents.llm.shared import own, skeleton
from lossagent.agents.llm.text import number, quoted, score
from lossagent.goal import Constraint
from lossagent.records import Message


def messages(
    view: View, options: LLMOptions, form: Format, image: str | None, short: bool = False
) -> tuple[Message, ...]:
    """The question: a system and a user message.

    Args:
        view, options, image: as for :func:`system`.
        form: form of the answer.
        short: with the history summarised.
    """
    user = shared if options.share and image is not None else paper
    return (
        Message(role="system", content=system(view, options, image)),
        Message(role="user", content=user(view, options, form, image, short)),
    )


def paper(view: View, options: LLMOptions, form: Format, image: str | None, short: bool) -> str:
    """The paper's order: the history with its scores, then the needs."""
    described = form.describe(view.previous, view.bounds, example_for(view, options, image))
    return f"{historical(view, options, image, short)}\n\n{needs(view, options, form, str(described), image)}"


def shared(view: View, options: LLMOptions, form: Format, image: str | None, short: bool) -> str:
    """What the questions about all images have in common, then the image's own lines."""
    pooled, named = shown(view, None), options.direction != "all_off"
    last = None if options.history == "all" else options.history
    described = form.describe(view.previous, view.bounds, example_for(view, options, image))
    history = (skeleton(view, pooled, last, short, named), evidence(view, pooled, options.evidence, named))
    mine = (own(view, shown(view, image), pooled, last, short, named), described.own)
    parts = (history, (needs(view, options, form, described.rules, image),), mine)
    return "\n\n".join("\n".join(line for line in part if line) for part in parts)


def system(view: View, options: LLMOptions, image: str | None) -> str:
    """Role, what the model receives, how training goes, what the score means, and the goal.

    Args:
        view: what the agent sees.
        options: ``direction`` decides whether it says which way of the score is better (Table 7).
        image: the feedback image that the question is about, ``None`` for means over all.
    """
    clear, sees = options.direction == "on", shown(view, image)
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
        "The score stands for the overall quality of the restored images." if sees.metrics else "",
        directions(view, sees) if clear else "",
        f"Your ultimate goal is to help the model {aims(view, clear)}.",
        _wish(view),
        losses(view, options.evidence),
    ]
    return " ".join(p for p in parts if p)


def historical(view: View, options: LLMOptions, image: str | None, short: bool = False) -> str:
    """Weights and scores from the beginning of training, and the evidence that is switched on.

    Args:
        view, options, image: as for :func:`system`.
        short: the summary in place of the whole history.
    """
    sees, named = shown(view, image), options.direction != "all_off"
    last = None if options.history == "all" else options.history
    told = summary(view, sees, named) if short else full(view, sees, last)
    return "\n".join(p for p in (told, evidence(view, sees, options.evidence, named)) if p)


def needs(view: View, options: LLMOptions, form: Format, rule: str, image: str | None) -> str:
    """What is asked for now: the form of the answer, the goal again, and how free it is.

    Args:
        view, options, image: as for :func:`system`.
        form: form of the answer.
        rule: the form in words.
    """
    clear, sees = options.direction != "all_off", shown(view, image)
    previous, bounds = view.previous, view.bounds
    goal = f"Your ultimate goal is to help the model {aims(view, clear)}"
    if len(sees.metrics) == 1 and view.goal.targets:
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
    if bounds.trust is not None and form.free:
        rules.append(f"Each weight may change by a factor of {number(bounds.trust, 4)} at most; more is cut off.")
    if bounds.frozen and form.free:
        rules.append(f"These weights stay as they are: {', '.join(n for n in previous.names if n in bounds.frozen)}.")
    opening = (
        "From all weights and feedback above, and from what you know about these losses, choose new loss weights for "
        f"the next {view.stage_iterations} steps. Follow these rules:"
    )
    return "\n".join([opening, *(f"{i}. {rule}" for i, rule in enumerate(rules, 1))])


def example_for(view: View, options: LLMOptions, image: str | None) -> Example | None:
    """The initial weights, as in the paper, and moves drawn for this question."""
    return Example(view.trajectory.initial, view.rng(f"example/{image}")) if options.example else None


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
