"""The loop of the method, Figure 1."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

from lossagent.objectives.base import Pixels
from lossagent.records import Stage, StageReport
from lossagent.steering import Steering


@runtime_checkable
class Training(Protocol):
    """What the loop needs of a trainer."""

    def start_from(self, state: int | None) -> None:
        """Restores everything of a state: networks, buffers, optimizers, EMA. ``None`` means before S_0."""
        ...

    def run(self, stage: Stage) -> StageReport:
        """Trains a stage (for S_0: the warm-up); checkpoint and restored images are on disk on return."""
        ...

    def restored(self, stage: Stage) -> Mapping[str, Pixels]:
        """The restored feedback images of a trained stage, from disk."""
        ...


def optimise(training: Training, steering: Steering) -> None:
    """Trains stage after stage, each under the weights that the agent answers with.

    Everything that is finished is recorded; called again after an interruption it goes on at the next undone moment.
    """
    while stage := steering.next():  # decides w^i from {S_0 .. S_i-1}                           (6)
        if stage.report is None:
            training.start_from(stage.parent)
            steering.trained(stage, training.run(stage))  # S_i-1 -> S_i under L_i                (1)-(3)
        steering.scored(stage, training.restored(stage))  # F_i = O(I_Si)                         (4), (5)
