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
from lossagent.weights import Weights

SAME = 1e-6
"""Relative difference below which two weights are the same."""


@dataclass(frozen=True)
class Candidate:
    """One weight vector that the next stage may be trained under.

    All three numbers are of the expected change of utility over the next stage less that under unchanged weights, in
    points: what all candidates share (drift, saturation, how sure the model is of either) cancels.

    Attributes:
        weights: bounds applied.
        gain: posterior mean.
        doubt: posterior standard deviation; 0 where the weights stay.
        drawn: one draw from the posterior, the same one for all candidates (Thompson sampling).
    """

    weights: Weights
    gain: float
    doubt: float
    drawn: float


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
        """The candidate that the posterior draw likes best: what Thompson sampling among them would take."""
        return max(range(len(self.candidates)), key=lambda i: self.candidates[i].drawn)


def slate(view: View, options: HybridOptions) -> Slate:
    """The candidates at the head of a view; the same view and options give the same.

    Weights that were tried from the head already are left out, unless nothing else is left.

    Raises:
        Refused: the goal has no utility.
    """
    fit = fitted(view)
    kept = view.bounds.project(view.previous, view.previous)
    found = _distinct(_named(view, options))
    tried = [s.weights for s in view.trajectory.children(view.head.id) if s.weights is not None]
    found = [w for w in found if not _among(w, tried)] or found or [kept]
    ratios = np.array([fit.ratios(w) for w in (*found, kept)], dtype=np.float64).reshape(len(found) + 1, len(fit.names))
    rows = fit.features(ratios)
    rows = rows[:-1] - rows[-1]
    generator = np.random.default_rng(view.rng("hybrid/draw").getrandbits(64))
    numbers = zip(
        found,
        fit.posterior.expected(rows).tolist(),
        fit.posterior.doubt(rows).tolist(),
        (rows @ fit.posterior.drawn(generator)).tolist(),
        strict=True,
    )
    return Slate(
        candidates=tuple(Candidate(w, gain, doubt, drawn) for w, gain, doubt, drawn in numbers),
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
