"""What a choice is made from: keeping the weights, and moves of one loss or of two."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from lossagent.agents.base import View
from lossagent.agents.llm.moves import made
from lossagent.agents.llm.scores import images_of, shown
from lossagent.agents.repeats import same
from lossagent.agents.respond.estimates import Prediction, predicted
from lossagent.errors import Refused
from lossagent.weights import Weights

PAIRS = 2
"""With more losses than these that can move, pairs of moves are not listed."""
MOST = 26
"""Options: one for each letter."""


@dataclass(frozen=True)
class Option:
    """One weight vector to choose.

    Attributes:
        weights: what the next stage would be trained under, bounds applied.
        words: how it differs from the weights that the stage starts from.
        prediction: what it is expected to do, where that is estimated and may be told.
    """

    weights: Weights
    words: str
    prediction: Prediction | None = None


def moves(view: View, offered: Mapping[str, Sequence[str]], step: float) -> tuple[Option, ...]:
    """Keeping the weights, each move of one loss and, where at most two can move, each pair of moves.

    Options that the bounds make equal to an earlier one are left out, and so are those that were tried from this
    state already, unless fewer than two would remain. Beyond 26 a drawn part of the moves is listed.

    Args:
        view: what the agent sees.
        offered: loss -> the moves it may make, ``"keep"`` among them.
        step: factor of a move.
    """
    single = [{name: move} for name, may in offered.items() for move in may if move != "keep"]
    pairs = [a | b for a, b in itertools.combinations(single, 2) if not a.keys() & b.keys()]
    found: list[Option] = []
    for moved in ({}, *single, *(pairs if len(offered) <= PAIRS else ())):
        option = _option(view, moved, step)
        if option is not None and not _among(option.weights, (o.weights for o in found)):
            found.append(option)
    tried = [c.weights for c in view.trajectory.children(view.head.id) if c.weights is not None]
    new = [o for o in found if not _among(o.weights, tried)]
    listed = new if len(new) > 1 else found
    if len(listed) > MOST:
        drawn = view.rng("choice/part").sample(range(1, len(listed)), MOST - 1)
        listed = [listed[i] for i in (0, *sorted(drawn))]
    return tuple(listed)


def with_predictions(view: View, options: Sequence[Option]) -> tuple[Option, ...]:
    """The options with what :func:`lossagent.agents.respond.estimates.predicted` says of each; as they are without
    a utility."""
    if not view.goal.has_utility:
        return tuple(options)
    found = predicted(view, [o.weights for o in options])
    return tuple(replace(o, prediction=p) for o, p in zip(options, found, strict=True))


def permuted(view: View, options: Sequence[Option], image: str | None) -> tuple[Option, ...]:
    """The options in the order of one question.

    Drawn for each state, and turned by one place from image to image: over as many images as there are options each
    stands once in each place, so that a model which likes a letter votes for all of them alike.
    """
    drawn = list(options)
    view.rng("choice").shuffle(drawn)
    images = images_of(view, shown(view, None).metrics)
    turn = images.index(image) % len(drawn) if image in images else 0
    return (*drawn[turn:], *drawn[:turn])


def _option(view: View, moved: Mapping[str, str], step: float) -> Option | None:
    """The weights after moves, within bounds; nothing where every loss would be off."""
    try:
        wanted = made(moved, view.previous, step)
    except Refused:
        return None
    words = ", ".join(
        f"{move} {name}" if move in ("raise", "lower") else f"{name} {move}" for name, move in moved.items()
    )
    return Option(view.bounds.project(wanted, view.previous), words or "keep all")


def _among(weights: Weights, others: Iterable[Weights]) -> bool:
    return any(same(weights, other) for other in others)
