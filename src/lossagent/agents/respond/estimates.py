"""What the response model says of weights, for others to show or to choose from."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lossagent.agents.base import View
from lossagent.agents.respond.choosing import Chooser
from lossagent.agents.respond.fitting import FORGET, SAFETY, Fit
from lossagent.weights import Weights

OPTIMISM = (0.0, 1.0)
"""Standard deviations added to the expected change, for the first proposals."""
DRAWS = 32
"""Largest number of draws from the posterior that further proposals are looked for in."""
ALIKE = math.log(1.05)
"""Two weights are the same where no loss's differs by more, in natural logarithms."""


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
    fit = _chooser(view).fit
    here = fit.ratios(view.previous)[None]
    before = fit.rows(here, view, view.head)
    found: list[Effect] = []
    for i, name in enumerate(fit.features.names):
        doubled = here.copy()
        doubled[:, i] += math.log(2.0)
        row = fit.rows(doubled, view, view.head) - before
        mean, sd = fit.posterior.expected(row)[0], fit.posterior.doubt(row)[0]
        found.append(Effect(name, float(mean) * fit.noise, float(sd) * fit.noise, _telling(fit, i)))
    return tuple(found)


def predicted(view: View, candidates: Sequence[Weights]) -> tuple[Prediction, ...]:
    """The expected change of utility if the next stage is trained from the head under each candidate.

    Args:
        view: a goal with a utility.
        candidates: weights of the run's losses; the bounds are applied first.

    Raises:
        Refused: the goal has no utility.
    """
    fit = _chooser(view).fit
    allowed = [view.bounds.project(w, view.previous) for w in candidates]
    rows = fit.rows(fit.features.stack(allowed), view, view.head)
    means, sds = fit.posterior.expected(rows) * fit.noise, fit.posterior.doubt(rows) * fit.noise
    return tuple(Prediction(float(m), float(s)) for m, s in zip(means, sds, strict=True))


def proposals(view: View, count: int) -> tuple[Weights, ...]:
    """Distinct weights that are reachable from the head and worth a stage.

    First what the posterior mean likes most, then the weights as they are, then an optimistic choice, then what draws
    from the posterior like most.

    Args:
        view: a goal with a utility.
        count: at most so many; fewer where no more differ.

    Raises:
        Refused: the goal has no utility.
    """
    chooser = _chooser(view)
    posterior, starts = chooser.fit.posterior, (view.head,)
    generator = np.random.default_rng(view.rng("respond/proposals").getrandbits(64))
    found: list[Weights] = []

    def add(weights: Weights) -> None:
        if not any(_alike(weights, other) for other in found):
            found.append(weights)

    for optimism in OPTIMISM:
        add(chooser.choose(lambda rows, o=optimism: posterior.hoped(rows, o), starts, generator).weights)
        add(view.bounds.project(view.previous, view.previous))
    for _ in range(DRAWS):
        if len(found) >= count or not chooser.fit.features.names:
            break
        coefficients = posterior.drawn(generator)
        add(chooser.choose(lambda rows, c=coefficients: rows @ c, starts, generator).weights)
    return tuple(found[: max(count, 0)])


def _chooser(view: View) -> Chooser:
    return Chooser.of(view, SAFETY, FORGET)


def _telling(fit: Fit, index: int) -> int:
    values = [round(r.ratios[index], 6) for r in fit.responses]
    return len(values) - max((values.count(v) for v in values), default=0)


def _alike(a: Weights, b: Weights) -> bool:
    return a.off == b.off and all(abs(math.log(a.magnitudes[n] / b.magnitudes[n])) < ALIKE for n in a.names)
