"""From weights to the features of the response model: log-ratios and, where gradients were measured, their shares."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lossagent.agents.anchor import anchor_of
from lossagent.agents.base import View
from lossagent.agents.respond.model import Array
from lossagent.agents.respond.responses import moved
from lossagent.weights import Weights

UNIT = math.log(4.0)
"""Length of one unit of log-ratio: a factor of four."""
EARLY = 2.5
"""Stages after which what is peculiar to the first stages has faded to 1 / e."""


@dataclass(frozen=True)
class Features:
    """Stages as rows: 1, the parent's quantity, exp(-(depth - 1) / 2.5), then x, x^2 and, where known, s, s^2.

    x are the log-ratios of the losses that can be moved, in factors of four from the initial ones. s are the gradient
    shares of all losses that are on, less those under the initial weights: s_m = w_m n_m / sum w n, with n the
    image-side gradient norms (geometric mean over the states). A weight whose loss hardly moves the network, or
    is nearly all that moves it, changes x as any other does, and s hardly.

    Attributes:
        names: the losses that can be moved.
        anchor: the loss that they are measured against.
        on: all losses that are on; empty where a norm is not known.
        norms: their log gradient norms, (len(on),).
        initial: the weights that count as zero.
    """

    names: tuple[str, ...]
    anchor: str
    on: tuple[str, ...]
    norms: Array
    initial: Weights

    @classmethod
    def of(cls, view: View) -> Features:
        """The features of a view: losses that are off, frozen or the anchor are not moved."""
        previous = view.previous
        names = moved(view)
        on = tuple(n for n in previous.names if n not in previous.off)
        norms = _log_norms(view, on)
        if norms is None or not names:
            on, norms = (), np.zeros(0)
        return cls(names, anchor_of(previous, view.bounds), on, norms, view.trajectory.initial)

    @functools.cached_property
    def centre(self) -> Array:
        """(d,) log-ratios of the initial weights."""
        return self.ratios(self.initial)

    @functools.cached_property
    def _logits(self) -> Array:
        """(len(on),) log of weight times norm, against the anchor's weight, under the initial weights."""
        logs = self.initial.log_ratios(self.anchor)
        return np.array([logs[n] for n in self.on], dtype=np.float64) + self.norms

    @functools.cached_property
    def _columns(self) -> list[int]:
        """Where in ``on`` the losses that can be moved stand."""
        return [self.on.index(name) for name in self.names]

    @functools.cached_property
    def _zero(self) -> Array:
        """(1, len(on)) gradient shares under the initial weights."""
        return self._shares(self.centre[None])

    def ratios(self, weights: Weights) -> Array:
        """(d,) log-ratios of weights to the anchor's."""
        logs = weights.log_ratios(self.anchor)
        return np.array([logs[n] for n in self.names], dtype=np.float64)

    def stack(self, weights: Sequence[Weights]) -> Array:
        """(n, d) log-ratios of several weights."""
        return np.array([self.ratios(w) for w in weights], dtype=np.float64).reshape(len(weights), len(self.names))

    def rows(self, ratios: Array, base: Array | float, depth: Array | float) -> Array:
        """(n, d) log-ratios, (n,) quantities at the parents and (n,) depths of the children -> (n, p)."""
        n = len(ratios)
        x = (ratios - self.centre) / UNIT
        early = np.exp(-(np.broadcast_to(depth, n) - 1.0) / EARLY)
        parts = [np.ones(n), np.broadcast_to(base, n), early, x, x**2]
        if self.on:
            s = self._shares(ratios) - self._zero
            parts += [s, s**2]
        return np.column_stack(parts)

    def _shares(self, ratios: Array) -> Array:
        """(n, d) log-ratios -> (n, len(on)) gradient shares."""
        logits = np.tile(self._logits, (len(ratios), 1))
        logits[:, self._columns] = ratios + self.norms[self._columns]
        powers = np.exp(logits - logits.max(axis=1, keepdims=True))
        return powers / powers.sum(axis=1, keepdims=True)


def _log_norms(view: View, on: Sequence[str]) -> Array | None:
    """Mean log gradient norm of each loss over the states; ``None`` where a loss has none that is finite and > 0."""
    found: list[float] = []
    for name in on:
        norms = [s.report.evidence.image_norms.get(name, 0.0) for s in view.trajectory.states if s.report is not None]
        logs = [math.log(n) for n in norms if math.isfinite(n) and n > 0]
        if not logs:
            return None
        found.append(sum(logs) / len(logs))
    return np.array(found, dtype=np.float64)
