"""The response model of a view: which features, which prior, which posterior."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from lossagent.agents.anchor import anchor_of
from lossagent.agents.base import View
from lossagent.agents.respond.model import Array, Posterior
from lossagent.agents.respond.responses import Response, moved, responses
from lossagent.weights import Weights


@dataclass(frozen=True)
class Fit:
    """The posterior over a stage's change of utility, and how weights become features.

    Attributes:
        names: the losses that can be moved.
        anchor: the loss that they are measured against.
        centre: (d,) log-ratios that count as zero: the initial ones.
        scale: length of one unit of log-ratio, in natural logarithms.
        posterior: over the coefficients of 1, x, x^2, x_m x_n and the parent's utility.
        base: utility of the head.
        responses: the stages behind it.
    """

    names: tuple[str, ...]
    anchor: str
    centre: Array
    scale: float
    posterior: Posterior
    base: float
    responses: tuple[Response, ...]

    def ratios(self, weights: Weights) -> Array:
        """(d,) log-ratios of weights."""
        logs = weights.log_ratios(self.anchor)
        return np.array([logs[n] for n in self.names], dtype=np.float64)

    def features(self, ratios: Array) -> Array:
        """(n, d) log-ratios of stages from the head -> (n, p)."""
        return features((ratios - self.centre) / self.scale, np.full(len(ratios), self.base))


def features(x: Array, base: Array) -> Array:
    """(n, d) scaled log-ratios and (n,) utilities of the parents -> (n, p) features 1, u, x, x^2."""
    return np.column_stack([np.ones(len(x)), base, x, x**2])


def fitted(view: View) -> Fit:
    """The posterior after all stages of a view, recent ones counted most.

    Raises:
        Refused: the goal has no utility.
    """
    view.goal.require_utility("the response model")
    previous = view.previous
    anchor, names = anchor_of(previous, view.bounds), moved(view)
    logs = view.trajectory.initial.log_ratios(anchor)
    centre = np.array([logs[n] for n in names], dtype=np.float64)
    scale = math.log(view.bounds.trust or 10.0)
    found = responses(view)
    d = len(names)
    prior = Posterior(
        mean=np.concatenate([[0.0, -0.2], np.zeros(2 * d)]),
        precision=np.diag(1 / np.concatenate([[4.0, 0.04], np.full(d, 2.0), np.full(d, 0.5)]) ** 2),
        shape=1.0,
        rate=_rate(found),
    )
    fit = Fit(names, anchor, centre, scale, prior, _base(view), found)
    if not found:
        return fit
    x = (np.array([r.ratios for r in found], dtype=np.float64).reshape(len(found), d) - centre) / scale
    base = np.array([r.base for r in found])
    change = np.array([r.change for r in found])
    newest = view.next_id - 1
    weights = 0.9 ** np.array([newest - r.state for r in found], dtype=np.float64)
    posterior = prior.updated(features(x, base), change, weights)
    return Fit(names, anchor, centre, scale, posterior, fit.base, found)


def _rate(found: tuple[Response, ...]) -> float:
    variances = [r.variance for r in found if r.variance is not None]
    return max(float(np.mean(variances)) if variances else 1.0, 1e-6)


def _base(view: View) -> float:
    """Utility of the head over S_0; 0 where it is not known."""
    head, start = view.head.feedback, view.trajectory.start.feedback
    if head is None or start is None:
        return 0.0
    utility = view.goal.utility(head, start)
    return 0.0 if utility is None else utility
