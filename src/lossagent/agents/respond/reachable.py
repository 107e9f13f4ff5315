"""The weights that a stage can be trained under: the box and the trust region around the head's weights."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from lossagent.agents.anchor import reach
from lossagent.agents.base import View
from lossagent.agents.respond.fitting import Fit
from lossagent.agents.respond.model import Array
from lossagent.weights import Weights

WIDE = 10.0
"""Factor around the head's weights where there is no trust region."""
LEVELS, ROUNDS, STARTS = 9, 3, 6


@dataclass(frozen=True)
class Reachable:
    """A box in log-ratios.

    Attributes:
        previous: the weights it lies around.
        fit: what its points are judged by.
        here: (d,) log-ratios of ``previous``, moved into the box.
        low, high: (d,) its ends.
    """

    previous: Weights
    fit: Fit
    here: Array
    low: Array
    high: Array

    @classmethod
    def of(cls, view: View, fit: Fit) -> Reachable:
        """The weights reachable in one stage from the head of a view."""
        previous = view.previous
        anchor = math.log(previous.magnitudes[fit.anchor])
        ends = [reach(n, previous.magnitudes[n], WIDE, view.bounds) for n in fit.names]
        low = np.array([math.log(a) - anchor for a, _ in ends], dtype=np.float64)
        high = np.array([math.log(b) - anchor for _, b in ends], dtype=np.float64)
        return cls(previous, fit, np.clip(fit.ratios(previous), low, high), low, high)

    def weights(self, ratios: Array) -> Weights:
        """Weights with these (d,) log-ratios; the anchor, and what is off or frozen, as before."""
        magnitudes = dict(self.previous.magnitudes)
        for name, ratio in zip(self.fit.names, ratios, strict=True):
            magnitudes[name] = math.exp(float(ratio)) * magnitudes[self.fit.anchor]
        return Weights(magnitudes=magnitudes, off=self.previous.off)

    def best(self, value: Callable[[Array], Array], generator: np.random.Generator) -> Weights:
        """The weights whose features have the highest value, by coordinate ascent on a grid from several starts.

        Args:
            value: (n, p) features -> (n,) values.
            generator: draws the starts.
        """
        d = len(self.here)
        if d == 0:
            return self.previous
        width = self.high - self.low
        x = np.vstack([self.here, self.low + width * generator.random((STARTS - 1, d))])
        steps = np.linspace(0.0, 1.0, LEVELS)
        for round_ in range(ROUNDS):
            reach_ = width / 3**round_
            for i in generator.permutation(d):
                tried = np.repeat(x[:, None], LEVELS + 1, axis=1)
                tried[:, 1:, i] = np.clip(x[:, None, i] + reach_[i] * (steps - 0.5) * 2, self.low[i], self.high[i])
                values = value(self.fit.features(tried.reshape(-1, d))).reshape(len(x), -1)
                x = tried[np.arange(len(x)), np.argmax(values, axis=1)]
        return self.weights(x[int(np.argmax(value(self.fit.features(x))))])
