"""The forms of answers that experiments know, each made for one question."""

from __future__ import annotations

from collections.abc import Callable

from lossagent.agents.base import View
from lossagent.agents.llm.candidates import moves, permuted, with_predictions
from lossagent.agents.llm.choice import Choice
from lossagent.agents.llm.formats import Format
from lossagent.agents.llm.moves import Moves
from lossagent.agents.llm.numbers import Numbers
from lossagent.agents.llm.options import LLMOptions
from lossagent.agents.llm.pattern import Pattern
from lossagent.agents.llm.scores import point

Maker = Callable[[LLMOptions, View], Callable[[str | None], Format]]
"""(options, view) -> (feedback image or ``None``) -> the form of the answer to that question."""


def pattern(options: LLMOptions, view: View) -> Callable[[str | None], Format]:
    """The paper's line, the same for every question."""
    del view
    form = Pattern(options.thoughts_limit, options.thoughts or "last")
    return lambda image: form


def numbers(options: LLMOptions, view: View) -> Callable[[str | None], Format]:
    """JSON numbers, the same for every question."""
    del view
    form = Numbers(options.thoughts_limit, options.thoughts or "first")
    return lambda image: form


def offered_moves(options: LLMOptions, view: View) -> Callable[[str | None], Format]:
    """JSON moves, the same for every question."""
    del view
    form = Moves(options.step, options.switch, options.thoughts_limit, options.thoughts or "first")
    return lambda image: form


def choice(options: LLMOptions, view: View) -> Callable[[str | None], Format]:
    """Moves as options; with predictions where they are switched on and may be told (they give the direction away)."""
    offered = Moves(options.step, options.switch).offered(view.previous, view.bounds)
    found = moves(view, offered, options.step)
    if options.evidence.response and options.direction != "all_off":
        found = with_predictions(view, found)

    def form(image: str | None) -> Format:
        order = permuted(view, found, image)
        return Choice(order, options.thoughts_limit, options.thoughts or "first", point(view))

    return form


FORMS: dict[str, Maker] = {"pattern": pattern, "json": numbers, "moves": offered_moves, "choice": choice}
"""``answer`` -> how the form is made."""
