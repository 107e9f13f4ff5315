"""What the response model says of weights, for others to show or choose from."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lossagent.agents.base import View
from lossagent.agents.respond.fitting import Fit, fitted
from lossagent.agents.respond.reachable import Reachable
from lossagent.weights import Weights

DRAWS = 32
"""Largest number of posterior draws looked at for distinct proposals."""


@dataclass(frozen=True)
class Effect:
    """What doubling one weight does to the change of a stage, from the head's weights.

    Attributes:
        loss: whose weight.
        mean, sd: expected effect and its standard deviation, in points of utility.
        stages: stages that tell it apart: those under another weight of it than its most frequent one.
    """

    loss: str
    mean: float
    sd: float
    stages: int


@dataclass(frozen=True)
class Prediction:
    """The expected change of utility over the next stage, in points, and how sure the model is of it.

    Attributes:
        mean: expected change against the head.
        sd: its standard deviation; the noise of a single stage comes on top.
    """

    mean: float
    sd: float


def estimates(view: View) -> tuple[Effect, ...]:
    """The effect of each loss that can be moved; empty where the goal has no utility."""
    if not view.goal.has_utility:
        return ()
    fit = fitted(view)
    here = fit.ratios(view.previous)[None]
    found: list[Effect] = []
    for i, name in enumerate(fit.names):
        doubled = here.copy()
        doubled[:, i] += math.log(2.0)
        row = fit.features(doubled) - fit.features(here)
        mean, sd = fit.posterior.expected(row)[0], fit.posterior.doubt(row)[0]
        found.append(Effect(name, float(mean), float(sd), _telling(fit, i)))
    return tuple(found)


def predicted(view: View, candidates: Sequence[Weights]) -> tuple[Prediction, ...]:
    """The expected change of utility if the next stage is trained from the head under each candidate.

    Args:
        view: a goal with a utility.
        candidates: weights of the run's losses; the bounds are applied first.

    Raises:
        Refused: the goal has no utility.
    """
    fit = fitted(view)
    if not candidates:
        return ()
    allowed = [view.bounds.project(w, view.previous) for w in candidates]
    rows = fit.features(np.array([fit.ratios(w) for w in allowed]).reshape(len(allowed), len(fit.names)))
    means, sds = fit.posterior.expected(rows), fit.posterior.doubt(rows)
    return tuple(Prediction(float(m), float(s)) for m, s in zip(means, sds, strict=True))


def proposals(view: View, count: int) -> tuple[Weights, ...]:
    """Distinct reachable weights worth a stage, best first: the posterior mean's optimum, "keep", then draws' optima.

    Args:
        view: a goal with a utility.
        count: at most so many; fewer where no more differ.

    Raises:
        Refused: the goal has no utility.
    """
    fit = fitted(view)
    space = Reachable.of(view, fit)
    generator = np.random.default_rng(view.rng("respond/proposals").getrandbits(64))
    found: list[Weights] = []

    def add(weights: Weights) -> None:
        if not any(_alike(weights, other) for other in found):
            found.append(weights)

    add(space.best(lambda rows: fit.posterior.expected(rows), generator))
    add(view.bounds.project(view.previous, view.previous))
    for _ in range(DRAWS):
        if len(found) >= count or not fit.names:
            break
        coefficients = fit.posterior.drawn(generator)
        add(space.best(lambda rows, c=coefficients: rows @ c, generator))
    return tuple(found[:count])


def _telling(fit: Fit, index: int) -> int:
    values = [round(r.ratios[index], 6) for r in fit.responses]
    return len(values) - max((values.count(v) for v in values), default=0)


def _alike(a: Weights, b: Weights) -> bool:
    """Whether no weight differs by more than a twentieth."""
    return a.off == b.off and all(abs(math.log(a.magnitudes[n] / b.magnitudes[n])) < 0.05 for n in a.names)
