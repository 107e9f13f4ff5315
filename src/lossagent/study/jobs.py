"""One run of a study, by name."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Job:
    """One run of a study.

    Attributes:
        arm, objective, seed: which.
    """

    arm: str
    objective: str
    seed: int

    @property
    def key(self) -> str:
        """``OBJECTIVE/ARM/seed-0003``: its name in the queue, and its place under ``runs`` and ``results``."""
        return f"{self.objective}/{self.arm}/seed-{self.seed:04d}"

    def __str__(self) -> str:
        return f"{self.arm} {self.objective} seed {self.seed}"
