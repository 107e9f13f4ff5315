"""What a caller hears of a run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from lossagent.training.trainer import Progress
from lossagent.trajectory import Trajectory


@dataclass(frozen=True)
class Watch:
    """What a caller wants to hear of a run; every part may be left as it is.

    Attributes:
        iteration: stage, iterations done, iterations in all.
        event: the trajectory after each recorded event.
        phase: a sentence on what begins now.
    """

    iteration: Progress = field(default=lambda stage, done, total: None)
    event: Callable[[Trajectory], None] = field(default=lambda trajectory: None)
    phase: Callable[[str], None] = field(default=lambda text: None)
