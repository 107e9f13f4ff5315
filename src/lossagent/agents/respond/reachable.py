"""The weights that a stage can be trained under: the box and the trust region around a state's weights."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from lossagent.agents.anchor import reach
from lossagent.agents.base import View
from lossagent.agents.respond.features import Features
from lossagent.agents.respond.model import Array
from lossagent.weights import Weights

WIDE = 10.0
"""Factor around the weights where there is no trust region."""
GRID, LEVELS = 2, 9
"""For so many losses every combination of so many weights is tried, the ends and the middle included."""
STARTS, ROUNDS, STEPS = 8, 2, 5
"""For more, coordinate ascent: from so many starts, so often through all losses, among so many weights of each."""


@dataclass(frozen=True)
class Reachable:
    """A box in log-ratios around the weights of a state.

    Attributes:
        features: which losses move, and against what.
        previous: the weights that it lies around.
        low, high: (d,) its ends.
    """

    features: Features
    previous: Weights
    low: Array
    high: Array

    @classmethod
    def around(cls, previous: Weights, view: View, features: Features) -> Reachable:
        """What is reachable in one stage from a state that was trained under ``previous``."""
        anchor = math.log(previous.magnitudes[features.anchor])
        ends = [reach(n, previous.magnitudes[n], WIDE, view.bounds) for n in features.names]
        low = np.array([math.log(a) - anchor for a, _ in ends], dtype=np.float64)
        high = np.array([math.log(b) - anchor for _, b in ends], dtype=np.float64)
        return cls(features, previous, low, high)

    @property
    def here(self) -> Array:
        """(d,) log-ratios of ``previous``, moved into the box."""
        return np.clip(self.features.ratios(self.previous), self.low, self.high)

    def weights(self, ratios: Array) -> Weights:
        """Weights with these (d,) log-ratios; the anchor, and what is off or frozen, as before."""
        magnitudes = dict(self.previous.magnitudes)
        for name, ratio in zip(self.features.names, ratios, strict=True):
            magnitudes[name] = math.exp(float(ratio)) * magnitudes[self.features.anchor]
        return Weights(magnitudes=magnitudes, off=self.previous.off)

    def best(self, value: Callable[[Array], Array], generator: np.random.Generator) -> Array:
        """The (d,) log-ratios of the highest value; of equals, one is drawn.

        Args:
            value: (n, d) log-ratios -> (n,) values.
            generator: draws starts and among equals.
        """
        d = len(self.low)
        if d <= GRID:
            steps = np.array(list(itertools.product(np.linspace(0, 1, LEVELS), repeat=d)), dtype=np.float64)
            x = self.low + steps.reshape(LEVELS**d, d) * (self.high - self.low)
        else:
            x = self._ascended(value, generator)
        x = x[generator.permutation(len(x))]
        return x[int(np.argmax(value(x)))]

    def _ascended(self, value: Callable[[Array], Array], generator: np.random.Generator) -> Array:
        """(STARTS, d) ends of coordinate ascents; half of the starts are corners, where far-off optima lie."""
        d, width = len(self.low), self.high - self.low
        corners = generator.integers(0, 2, (STARTS // 2, d)).astype(np.float64)
        inner = generator.random((STARTS - STARTS // 2 - 1, d))
        x = np.vstack([self.here[None], self.low + width * corners, self.low + width * inner])
        steps = np.linspace(0, 1, STEPS)
        for _ in range(ROUNDS):
            for i in generator.permutation(d):
                tried = np.repeat(x[:, None], STEPS + 1, axis=1)
                tried[:, 1:, i] = self.low[i] + width[i] * steps
                values = value(tried.reshape(-1, d)).reshape(len(x), -1)
                x = tried[np.arange(len(x)), np.argmax(values, axis=1)]
        return x
