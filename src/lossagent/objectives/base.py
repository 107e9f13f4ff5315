"""What an objective is: the external expert O of eq. (5)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from lossagent.feedback import Feedback, MetricFacts
from lossagent.judgements import Task
from lossagent.records import Recall, State
from lossagent.trajectory import Trajectory

Pixels = NDArray[np.uint8]
"""A restored image as written to disk: uint8, height x width x 3, RGB."""

Pictures = Callable[[int, str], Pixels | None]
"""(state id, image name) -> the restored image of a state, ``None`` where there is none."""


@dataclass(frozen=True)
class Situation:
    """Where an expert is asked.

    Attributes:
        state: the state that is to be scored.
        trajectory: every state so far, and what people said.
        recall: makes an exchange with a model once; a recorded one of that key is returned without asking again.
        ask: puts tasks to people, with a deadline in seconds since the epoch or ``None``; once a state.
        now: seconds since the epoch.
    """

    state: State
    trajectory: Trajectory
    recall: Recall
    ask: Callable[[Sequence[Task], float | None], None]
    now: float


@runtime_checkable
class Objective(Protocol):
    """Restored images -> Feedback. It may be a metric, several, a model's words or a person."""

    @property
    def facts(self) -> Mapping[str, MetricFacts]:
        """Facts of every metric it gives a score of."""
        ...

    def __call__(self, restored: Mapping[str, Pixels], situation: Situation | None = None) -> Feedback:
        """F = O(I_S).

        Args:
            restored: image name -> restored image.
            situation: the state they are of; ``None`` outside a run.

        Raises:
            Waiting: people have not answered yet.
        """
        ...
