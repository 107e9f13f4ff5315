"""The candidates of one decision, and what the response model expects of each."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lossagent.agents.base import View
from lossagent.agents.hybrid.options import HybridOptions
from lossagent.agents.llm.candidates import moves
from lossagent.agents.llm.moves import Moves
from lossagent.agents.respond.estimates import proposals
from lossagent.agents.respond.fitting import fitted
from lossagent.agents.respond.responses import Quantity
from lossagent.weights import Weights

OPTIMISM, EXPLOIT = 1.0, 2
"""Standard deviations added to what is expected, and stages at the end without; the ``respond`` agent's defaults."""
SAME = 1e-6
"""Relative difference below which two weights are the same."""


@dataclass(frozen=True)
class Candidate:
    """One weight vector that the next stage may be trained under.

    Numbers are in points of utility over the next stage. Gain and doubt are of the expected change less that under
    unchanged weights: what all candidates share (drift, saturation, how sure the model is of either) cancels.

    Attributes:
        weights: bounds applied.
        gain: posterior mean.
        doubt: posterior standard deviation; 0 where the weights stay.
        promise: what the response model's own agent goes by: the expected change and one standard deviation of it; in
            the last two stages, where trying out pays no more, the expected change alone.
    """

    weights: Weights
    gain: float
    doubt: float
    promise: float


@dataclass(frozen=True)
class Slate:
    """What there is to choose from.

    Attributes:
        candidates: distinct; at least one.
        informed: whether any stage stands behind the predictions; if none does they are the prior's.
        kept: index of the candidate that keeps the weights, ``None`` where there is none.
    """

    candidates: tuple[Candidate, ...]
    informed: bool
    kept: int | None

    @property
    def favourite(self) -> int:
        """The candidate that promises most: what the response model would take by itself."""
        return max(range(len(self.candidates)), key=lambda i: self.candidates[i].promise)


def slate(view: View, options: HybridOptions) -> Slate:
    """The candidates at the head of a view; the same view and options give the same.

    Weights that were tried from the head already are left out, unless nothing else is left.

    Raises:
        Refused: the goal has no utility.
    """
    view.goal.require_utility("the response model")
    fit = fitted(view, Quantity(view.goal))
    kept = view.bounds.project(view.previous, view.previous)
    found = _distinct(_named(view, options))
    tried = [s.weights for s in view.trajectory.children(view.head.id) if s.weights is not None]
    found = [w for w in found if not _among(w, tried)] or found or [kept]
    rows = fit.rows(fit.features.stack((*found, kept)), view, view.head)
    apart, posterior = rows[:-1] - rows[-1], fit.posterior
    hope = 0.0 if view.stages_left <= EXPLOIT else OPTIMISM
    promises = posterior.expected(rows[:-1]) + hope * posterior.doubt(rows[:-1])
    numbers = np.stack([posterior.expected(apart), posterior.doubt(apart), promises], axis=1) * fit.noise
    return Slate(
        candidates=tuple(Candidate(w, *row) for w, row in zip(found, numbers.tolist(), strict=True)),
        informed=bool(fit.responses),
        kept=next((i for i, w in enumerate(found) if _among(w, [kept])), None),
    )


def _named(view: View, options: HybridOptions) -> Sequence[Weights]:
    """The source's candidates; of more moves than are wanted a part is drawn, beside keeping."""
    if options.source == "respond":
        return proposals(view, options.candidates)
    offered = Moves(options.step).offered(view.previous, view.bounds)
    found = [option.weights for option in moves(view, offered, options.step)]
    if len(found) <= options.candidates:
        return found
    part = view.rng("hybrid/moves").sample(range(1, len(found)), options.candidates - 1)
    return [found[i] for i in (0, *sorted(part))]


def _distinct(weights: Sequence[Weights]) -> list[Weights]:
    found: list[Weights] = []
    for w in weights:
        if not _among(w, found):
            found.append(w)
    return found


def _among(weights: Weights, others: Sequence[Weights]) -> bool:
    return any(
        weights.off == o.off and all(math.isclose(weights[n], o[n], rel_tol=SAME, abs_tol=0.0) for n in o.names)
        for o in others
    )
