"""What is wanted: targets, constraints and a wish in words."""

from __future__ import annotations

import math
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from lossagent.errors import Refused
from lossagent.feedback import POOLED, Direction, Feedback


class Target(BaseModel):
    """A metric to move.

    Attributes:
        metric: name of the metric.
        direction: whether ``lower`` or ``higher`` is better.
        importance: weight of this target in the utility, > 0.
        unit: a change worth one point of utility, in score units.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    metric: str
    direction: Direction
    importance: float = Field(default=1.0, gt=0, allow_inf_nan=False)
    unit: float = Field(gt=0, allow_inf_nan=False)

    @property
    def sign(self) -> float:
        """+1 where higher is better, -1 where lower is."""
        return 1.0 if self.direction == "higher" else -1.0


class Constraint(BaseModel):
    """A limit on a metric, absolute or relative to the score of another state.

    Attributes:
        metric: name of the metric.
        at_least: the score may be no lower than this. Exactly one of ``at_least`` and ``at_most`` is given.
        at_most: the score may be no higher than this.
        relative_to: what the limit is an offset to: nothing (``absolute``), the score of S_0 (``start``), or that of
            the run under fixed weights at the same depth (``fixed``).
        unit: the change that counts as one, in score units; misses of several constraints are added in it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    metric: str
    at_least: float | None = Field(default=None, allow_inf_nan=False)
    at_most: float | None = Field(default=None, allow_inf_nan=False)
    relative_to: Literal["absolute", "start", "fixed"] = "absolute"
    unit: float = Field(default=1.0, gt=0, allow_inf_nan=False)

    @model_validator(mode="after")
    def _valid(self) -> Constraint:
        if (self.at_least is None) == (self.at_most is None):
            raise ValueError("a constraint needs exactly one of at_least and at_most")
        return self

    def violation(self, score: float | None, base: float) -> float:
        """By how much the score misses the limit, 0 where it holds; a missing score violates it by inf."""
        if score is None:
            return float("inf")
        if self.at_least is not None:
            return max(0.0, base + self.at_least - score)
        assert self.at_most is not None
        return max(0.0, score - base - self.at_most)


class Goal(BaseModel):
    """What a run is steered towards.

    Attributes:
        targets: metrics to move; may be empty if there is a wish.
        constraints: limits that a state must keep; feasible comes before better.
        wish: free text ("no plastic skin") for prompts and reviewers; has no utility of its own.
        proxy: metrics that stand in where a number is needed and the targets give none: there are none, or the
            checkpoint is chosen on images that people have not judged. Prompts do not name them as aims.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    targets: tuple[Target, ...] = ()
    constraints: tuple[Constraint, ...] = ()
    wish: str | None = None
    proxy: tuple[Target, ...] = ()

    @model_validator(mode="after")
    def _valid(self) -> Goal:
        if self.wish is not None and not self.wish.strip():
            raise ValueError(f"a wish is made of words, or left out; found {self.wish!r}")
        if not self.targets and not self.wish:
            raise ValueError("a goal needs at least one target or a wish")
        for targets in (self.targets, self.proxy):
            names = [t.metric for t in targets]
            if len(set(names)) != len(names):
                raise ValueError(f"a metric may be a target once; found {names}")
        return self

    @property
    def scalar(self) -> tuple[Target, ...]:
        """What the utility is made of: the targets or, for a wish alone, the proxy."""
        return self.targets or self.proxy

    @property
    def kept_by(self) -> Goal:
        """The goal by which the checkpoint is chosen: by the proxy, where there is one."""
        return self.model_copy(update={"targets": self.proxy}) if self.proxy else self

    @property
    def metrics(self) -> tuple[str, ...]:
        """Every metric that it names."""
        parts = (*self.targets, *self.constraints, *self.proxy)
        return tuple(dict.fromkeys(part.metric for part in parts))

    @property
    def moved(self) -> tuple[str, ...]:
        """The metrics that states are compared by: those to move, and those that have a limit."""
        return tuple(dict.fromkeys(part.metric for part in (*self.targets, *self.constraints)))

    @property
    def has_utility(self) -> bool:
        """Whether states can be compared by a number."""
        return bool(self.scalar)

    def require_utility(self, who: str) -> None:
        """Raises Refused where a goal is a wish alone and ``who`` needs a number."""
        if not self.has_utility:
            raise Refused(
                f"{who} needs a number to compare states by, and the goal is a wish only: "
                "name a proxy metric (goal.proxy)."
            )

    def utility(self, feedback: Feedback, start: Feedback) -> float | None:
        """Sum over targets of importance x sign x (score - score at S_0) / unit; ``None`` if a score is missing.

        Both scores are means over the images that have one in both: a state is not better for the hard images that
        its metric failed on. With fewer than half of the images of S_0 the score counts as missing.
        """
        total = 0.0
        for target in self.scalar:
            means = _paired_means(feedback, start, target.metric)
            if means is None:
                return None
            now, before = means
            total += target.importance * target.sign * (now - before) / target.unit
        return total if self.scalar else None

    def violation(self, feedback: Feedback, start: Feedback, fixed: Feedback | None = None) -> float:
        """Sum of the constraints' misses, each in its unit; 0 where it is feasible, inf where that is not known.

        A score is the mean over the images that have one, and so is what it is relative to: unlike the utility it is
        not paired by image, since an absolute limit has nothing to be paired with.

        Args:
            feedback, start: on the state and on S_0.
            fixed: on the run under fixed weights, at the state's depth.

        Raises:
            Refused: a constraint is relative to a fixed run that is not known.
        """
        bases = {"absolute": None, "start": start, "fixed": fixed}
        total = 0.0
        for constraint in self.constraints:
            base = bases[constraint.relative_to]
            if constraint.relative_to == "fixed" and fixed is None:
                raise Refused(f"constraint on {constraint.metric!r} is relative to the fixed run, and there is none.")
            offset = 0.0 if base is None else base.mean(constraint.metric)
            if offset is None:  # nothing to be relative to: nobody can say that the limit is kept
                return math.inf
            total += constraint.violation(feedback.mean(constraint.metric), offset) / constraint.unit
        return total

    def rank(self, feedback: Feedback, start: Feedback, fixed: Feedback | None = None) -> tuple[float, float]:
        """Sort key, larger is better: feasible first, then utility; a missing utility is the worst."""
        utility = self.utility(feedback, start)
        return (-self.violation(feedback, start, fixed), float("-inf") if utility is None else utility)


def _paired_means(feedback: Feedback, start: Feedback, metric: str) -> tuple[float, float] | None:
    """A metric's mean in a state and at S_0, over the images that both have a score of.

    A score of the whole set is not paired. ``None`` where one has no score, or the state has scores of fewer than half
    of the images that S_0 has scores of.
    """
    has, had = _scored(feedback, metric), _scored(start, metric)
    if has == had or POOLED in has | had:
        now, before = feedback.mean(metric), start.mean(metric)
    else:
        common = [image for image in feedback.scores.get(metric, {}) if image in has and image in had]
        if not common or 2 * len(common) < len(had):
            return None
        now, before = (
            # One side's conditions for both, so that their groups are the same images.
            Feedback(
                scores={metric: {image: one.scores[metric][image] for image in common}}, conditions=feedback.conditions
            ).mean(metric)
            for one in (feedback, start)
        )
    return None if now is None or before is None else (now, before)


def _scored(feedback: Feedback, metric: str) -> set[str]:
    """The images with a score that is a number."""
    scores = feedback.scores.get(metric, {})
    return {image for image, score in scores.items() if score is not None and math.isfinite(score)}
