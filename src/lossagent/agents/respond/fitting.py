"""The response model of a view: which prior, which observations, which posterior."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from lossagent.agents.base import View
from lossagent.agents.respond.features import Features
from lossagent.agents.respond.model import Array, Posterior
from lossagent.agents.respond.responses import Levels, Quantity, Response, fixed_responses, responses
from lossagent.records import State
from lossagent.weights import Weights

FORGET = 0.9
"""Count of a stage against that of the one after it."""
SAFETY = 0.8
"""Probability with which the constraints together must be kept."""
FIXED = 0.25
"""Count of a stage of the fixed run: it tells of the drift, but its noise is another run's."""


@dataclass(frozen=True)
class Prior:
    """Prior standard deviations, in units of the stage's noise, and means. Chosen in a simulation, see the docs.

    Attributes:
        intercept: of the change under the initial weights.
        pull, pull_sd: share of the way to its equilibrium that a score goes in one stage (no unit).
        early, early_sd: what comes on top in the first stage and fades: training under new losses begins with a fall.
        linear, quadratic: of the change for a factor of four.
        share, share_squared: of the change for a whole gradient share.
        images: the noise variance is so many times that of the paired change over images, which leaves out the
            variation between two trainings.
        weight: shape of the inverse-gamma distribution of the noise variance: as many observations as twice this.
    """

    intercept: float = 4.0
    pull: float = 0.5
    pull_sd: float = 0.2
    early: float = -2.0
    early_sd: float = 2.0
    linear: float = 1.5
    quadratic: float = 0.5
    share: float = 6.0
    share_squared: float = 6.0
    images: float = 4.0
    weight: float = 1.0

    def over(self, features: Features) -> Posterior:
        """The distribution before any stage, for quantities in units of a stage's noise."""
        d, m = len(features.names), len(features.on)
        mean = np.concatenate([[0.0, -self.pull, self.early], np.zeros(2 * d + 2 * m)])
        sds = [[self.intercept, self.pull_sd, self.early_sd], [self.linear] * d, [self.quadratic] * d]
        sds += [[self.share] * m, [self.share_squared] * m]
        return Posterior(mean, np.diag(1 / np.concatenate(sds) ** 2), self.weight, self.weight)


@dataclass(frozen=True)
class Fit:
    """The posterior over a stage's change of one quantity.

    Attributes:
        features: how stages become rows.
        posterior: over the coefficients, of quantities divided by ``noise``.
        noise: the prior's guess of a stage's noise, in points.
        responses: the stages of this run behind it.
        quantity: what is modelled.
        levels: of the quantity.
    """

    features: Features
    posterior: Posterior
    noise: float
    responses: tuple[Response, ...]
    quantity: Quantity
    levels: Levels

    def base(self, state: State, view: View) -> float:
        """The quantity at a state, over S_0, in units of noise."""
        return self.levels.at(state, view) / self.noise

    def rows(self, ratios: Array, view: View, start: State) -> Array:
        """Rows of stages from a state under (n, d) log-ratios."""
        return self.features.rows(ratios, self.base(start, view), start.depth + 1.0)

    def ratios(self, weights: Weights) -> Array:
        """(d,) log-ratios."""
        return self.features.ratios(weights)


def fitted(view: View, quantity: Quantity, forget: float = FORGET, prior: Prior | None = None) -> Fit:
    """The posterior after all stages of a view.

    Args:
        view: what is known.
        quantity: what is modelled.
        forget: each stage counts so many times the next, in (0, 1].
        prior: what is assumed before the first stage.
    """
    prior = prior or Prior()
    features = Features.of(view)
    levels = Levels.of(view, quantity)
    found, fixed = responses(view, quantity, levels), fixed_responses(view, quantity)
    noise = _noise(view, quantity, found, prior)
    posterior = prior.over(features)
    if both := (*found, *fixed):
        ratios = np.array([r.ratios for r in both], dtype=np.float64).reshape(len(both), -1)
        base = np.array([r.base for r in both]) / noise
        rows = features.rows(ratios, base, np.array([r.depth for r in both], dtype=np.float64))
        counts = [forget ** (view.next_id - 1 - r.state) for r in found] + [FIXED] * len(fixed)
        posterior = posterior.updated(rows, np.array([r.change for r in both]) / noise, np.array(counts))
    return Fit(features, posterior, noise, found, quantity, levels)


def _noise(view: View, quantity: Quantity, found: tuple[Response, ...], prior: Prior) -> float:
    """Standard deviation of a stage's change, in points: from image to image, made larger for what that leaves out."""
    tolerance = quantity.tolerance(view)
    variances = [r.variance for r in found if r.variance is not None]
    if not variances:
        return tolerance or 1.0
    return max(math.sqrt(prior.images * float(np.mean(variances))), tolerance / 2, 1e-6)
