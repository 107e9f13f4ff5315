"""A linear model with a normal-inverse-gamma prior: posterior, forecasts and draws in closed form.

Source: Bishop, "Pattern Recognition and Machine Learning" (2006), 3.3 and exercise 3.12; Gelman et al., "Bayesian Data
Analysis" (3rd ed.), chapter 14.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Posterior:
    """Coefficients b and noise variance s^2: b | s^2 ~ N(mean, s^2 inverse(precision)), s^2 ~ InvGamma(shape, rate).

    Attributes:
        mean: (p,).
        precision: (p, p), symmetric, positive definite, in units of 1 / s^2.
        shape, rate: > 0.
    """

    mean: Array
    precision: Array
    shape: float
    rate: float

    @property
    def noise(self) -> float:
        """The square root of the expected noise variance (of rate / shape where the expectation is infinite)."""
        return float(np.sqrt(self.rate / (self.shape - 1 if self.shape > 1.5 else self.shape)))

    @functools.cached_property
    def _covariance(self) -> Array:
        """(p, p), in units of s^2."""
        return np.asarray(np.linalg.inv(self.precision), dtype=np.float64)

    def updated(self, features: Array, values: Array, weights: Array) -> Posterior:
        """The posterior after observations, each counted ``weights`` times.

        Args:
            features: (n, p).
            values: (n,).
            weights: (n,), >= 0: 1 for a full observation, less for an older or noisier one.
        """
        weighted = features.T * weights
        precision = self.precision + weighted @ features
        right = self.precision @ self.mean + weighted @ values
        mean = np.asarray(np.linalg.solve(precision, right), dtype=np.float64)
        shape = self.shape + float(weights.sum()) / 2
        # Sums of squares about the posterior mean: no difference of large numbers.
        rest, moved = values - features @ mean, mean - self.mean
        rate = self.rate + float(weights @ rest**2 + moved @ self.precision @ moved) / 2
        return Posterior(mean, precision, shape, rate)

    def expected(self, features: Array) -> Array:
        """Expected value at each row, (n, p) -> (n,)."""
        return features @ self.mean

    def doubt(self, features: Array) -> Array:
        """Standard deviation of the expected value at each row, without a stage's own noise, (n, p) -> (n,)."""
        spread = ((features @ self._covariance) * features).sum(axis=1)
        return self.noise * np.sqrt(np.maximum(spread, 0.0))

    def hoped(self, features: Array, optimism: float) -> Array:
        """Expected value plus so many standard deviations of it, (n, p) -> (n,)."""
        return self.expected(features) + optimism * self.doubt(features)

    def drawn(self, generator: np.random.Generator) -> Array:
        """One draw of the coefficients, (p,)."""
        variance = self.rate / generator.gamma(self.shape)
        factor = np.linalg.cholesky(self.precision)
        free = np.linalg.solve(factor.T, generator.standard_normal(len(self.mean)))
        return self.mean + np.sqrt(variance) * free
