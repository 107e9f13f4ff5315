"""Where the next stage starts and under which weights: the best expected outcome that keeps the constraints."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtr

from lossagent.agents.base import View
from lossagent.agents.respond.fitting import Fit, fitted
from lossagent.agents.respond.model import Array
from lossagent.agents.respond.reachable import Reachable
from lossagent.agents.respond.responses import Quantity
from lossagent.goal import Constraint
from lossagent.records import State
from lossagent.utility import limit_of
from lossagent.weights import Weights

Value = Callable[[Array], Array]
"""(n, p) rows -> (n,) how good a stage's change is thought to be, in units of noise."""


@dataclass(frozen=True)
class Limit:
    """A constraint and the model of its score.

    Attributes:
        constraint: what must be kept.
        fit: the model of its score; higher is better.
    """

    constraint: Constraint
    fit: Fit

    def at(self, view: View, depth: int) -> float:
        """The limit at a depth, in the model's units over S_0, higher is better; -inf where it is not known."""
        beside = [view.fixed[d] for d in sorted(view.fixed) if d <= depth]
        first = view.trajectory.start.feedback
        limit = limit_of(self.constraint, first, beside[-1] if beside else None)
        zero = first.mean(self.constraint.metric) if first is not None else None
        if limit is None or zero is None:
            return -np.inf
        target = self.fit.quantity.goal.targets[0]
        return target.sign * (limit - zero) / target.unit / self.fit.noise


@dataclass(frozen=True)
class Outlook:
    """What may come of a stage from one state.

    Attributes:
        start: the state.
        space: the weights within reach.
        fit: the model of the utility.
        now: utility of the start, in units of noise.
        limits: each constraint's model, its score at the start, and its limit in the next state.
    """

    start: State
    space: Reachable
    fit: Fit
    now: float
    limits: tuple[tuple[Fit, float, float], ...]

    @classmethod
    def of(cls, start: State, view: View, fit: Fit, limits: Sequence[Limit]) -> Outlook:
        """The outlook from a state."""
        space = Reachable.around(view.trajectory.weights_at(start.id), view, fit.features)
        known = tuple((c.fit, c.fit.base(start, view), c.at(view, start.depth + 1)) for c in limits)
        return cls(start, space, fit, fit.base(start, view), known)

    def rows(self, ratios: Array) -> Array:
        """(n, d) log-ratios -> (n, p) rows of the utility's model."""
        return self.fit.features.rows(ratios, self.now, self.start.depth + 1.0)

    def kept(self, ratios: Array) -> Array:
        """(n, d) log-ratios -> (n,) probability that the state to come keeps all constraints."""
        kept = np.ones(len(ratios))
        for fit, now, limit in self.limits:
            rows = fit.features.rows(ratios, now, self.start.depth + 1.0)
            spread = np.sqrt(fit.posterior.noise**2 + fit.posterior.doubt(rows) ** 2)
            missing = (limit - now - fit.posterior.expected(rows)) / spread
            kept = kept * (1 - np.asarray(stdtr(2 * fit.posterior.shape, missing), dtype=np.float64))
        return kept

    def best(self, value: Value, safety: float, generator: np.random.Generator) -> tuple[tuple[bool, float], Array]:
        """The best safe weights, else the safest: (safe, value or probability), and (d,) log-ratios."""

        def judged(ratios: Array) -> Array:
            values = self.now + value(self.rows(ratios))
            if not self.limits:
                return values
            kept = self.kept(ratios)
            # One number in which every safe stage is above every other.
            return np.where(kept >= safety, 2 + np.arctan(values) / np.pi, kept)

        x = self.space.best(judged, generator)
        kept = float(self.kept(x[None])[0])
        if kept < safety:
            return (False, kept), x
        return (True, self.now + float(value(self.rows(x[None]))[0])), x


@dataclass(frozen=True)
class Choice:
    """A stage.

    Attributes:
        start: the state it starts from.
        weights: what it is trained under.
        mean, sd: expected change of utility against ``start`` in points, and the standard deviation of that.
        kept: probability that all constraints are kept after it; 1 without constraints.
    """

    start: State
    weights: Weights
    mean: float
    sd: float
    kept: float


@dataclass(frozen=True)
class Chooser:
    """The models of a view, and what may be risked.

    Attributes:
        view: what is known.
        fit: the model of the utility.
        limits: models of the constraints' scores.
        safety: probability with which the constraints together must be kept.
    """

    view: View
    fit: Fit
    limits: tuple[Limit, ...]
    safety: float

    @classmethod
    def of(cls, view: View, safety: float, forget: float) -> Chooser:
        """The models after all stages of a view.

        Raises:
            Refused: the goal has no utility.
        """
        view.goal.require_utility("the response model")
        limits = tuple(Limit(c, fitted(view, Quantity.constrained(c), forget)) for c in view.goal.constraints)
        return cls(view, fitted(view, Quantity(view.goal), forget), limits, safety)

    def choose(self, value: Value, starts: Sequence[State], generator: np.random.Generator) -> Choice:
        """The stage with the highest value that is safe; where none is, the safest.

        Args:
            value: of a stage's change; the utility at its start is added.
            starts: states that it may start from, at least one.
            generator: draws among equals.
        """
        looks = [Outlook.of(start, self.view, self.fit, self.limits) for start in starts]
        found = [(*look.best(value, self.safety, generator), look) for look in looks]
        _, x, look = max(found, key=lambda item: item[0])
        rows, posterior, unit = look.rows(x[None]), self.fit.posterior, self.fit.noise
        return Choice(
            start=look.start,
            weights=look.space.weights(x),
            mean=float(posterior.expected(rows)[0]) * unit,
            sd=float(posterior.doubt(rows)[0]) * unit,
            kept=float(look.kept(x[None])[0]),
        )
