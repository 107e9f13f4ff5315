"""Learning rates as pure functions of the iteration."""

from __future__ import annotations

import math
from bisect import bisect_right
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator


class Schedule(BaseModel):
    """How a learning rate changes with the iteration, counted from S_0 along the path to the state.

    Nothing is remembered: a rollback takes the rate back with it, and a resume needs no state. Iterations in which
    discriminators train alone do not count.

    Attributes:
        kind: ``constant``, ``cosine`` (half a cosine from the rate down to ``minimum``) or ``steps``.
        warmup_iterations: the rate rises linearly from rate / n to the rate over the first n iterations.
        iterations: the iteration at which a cosine arrives at ``minimum``, where it stays; ``null`` for stages x
            iterations.
        minimum: the rate that a cosine ends at.
        milestones: iterations from which on ``steps`` multiplies the rate by ``gamma`` once more.
        gamma: factor by which ``steps`` multiplies the rate at each milestone.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["constant", "cosine", "steps"] = "constant"
    warmup_iterations: int = Field(default=0, ge=0)
    iterations: int | None = Field(default=None, ge=1)
    minimum: float = Field(default=0.0, ge=0)
    milestones: tuple[int, ...] = ()
    gamma: float = Field(default=0.5, gt=0, le=1)

    @model_validator(mode="after")
    def _valid(self) -> Schedule:
        if (self.kind == "steps") != bool(self.milestones):
            raise ValueError(
                f"milestones belong to kind: steps, which needs at least one; found kind {self.kind} and "
                f"{len(self.milestones)} milestone(s)"
            )
        if list(self.milestones) != sorted(set(self.milestones)) or any(m < 1 for m in self.milestones):
            raise ValueError(f"milestones must rise, from 1 on; found {list(self.milestones)}")
        if self.kind != "cosine" and (self.iterations is not None or self.minimum > 0):
            raise ValueError(f"iterations and minimum belong to kind: cosine; found kind {self.kind}")
        if self.iterations is not None and self.iterations <= self.warmup_iterations:
            raise ValueError(f"iterations must exceed warmup_iterations; found {self.iterations}")
        return self

    def rate(self, highest: float, iteration: int, total: int) -> float:
        """The rate of an iteration.

        Args:
            highest: the rate after warm-up.
            iteration: counted from S_0, from 0.
            total: iterations from S_0 to the end where no stage is undone.
        """
        if iteration < self.warmup_iterations:
            return highest * (iteration + 1) / self.warmup_iterations
        if self.kind == "steps":
            return highest * self.gamma ** bisect_right(self.milestones, iteration)
        if self.kind == "cosine":
            # [Loshchilov & Hutter, ICLR 2017, arXiv 1608.03983], eq. (5), without restarts.
            length = max((self.iterations or total) - self.warmup_iterations, 1)
            part = min((iteration - self.warmup_iterations) / length, 1.0)
            return self.minimum + (highest - self.minimum) * (1 + math.cos(math.pi * part)) / 2
        return highest
