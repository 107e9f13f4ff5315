"""When a stage of somebody else's loop is over."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import cast

from lossagent.errors import Refused


@dataclass(frozen=True)
class Every:
    """The length of a stage: exactly one of these.

    Stages of equal steps are what agents and comparisons expect; stages of equal time hold as many steps as the machine
    did, so that two runs are not the same.

    Attributes:
        steps: optimizer steps.
        epochs: passes over the training data.
        seconds: wall-clock time since the stage began.

    Raises:
        Refused: none or several given, or one that is no number above 0, whole for steps and epochs.
    """

    steps: int | None = None
    epochs: int | None = None
    seconds: float | int | None = None

    def __post_init__(self) -> None:
        given = {
            k: v
            for k, v in (("steps", self.steps), ("epochs", self.epochs), ("seconds", self.seconds))
            if v is not None
        }
        if len(given) != 1:
            raise Refused(f"a stage lasts exactly one of steps, epochs and seconds; found {given or 'none'}.")
        for name, value in cast("dict[str, object]", given).items():
            kind, wanted = ((int, float), "a finite number") if name == "seconds" else ((int,), "a whole number")
            if isinstance(value, bool) or not isinstance(value, kind) or not 0 < value < math.inf:
                raise Refused(f"{name} of a stage must be {wanted} above 0; found {value!r}.")

    def over(self, steps: int, epochs: int, seconds: float) -> bool:
        """Whether a stage that has come so far is over."""
        if self.steps is not None:
            return steps >= self.steps
        return epochs >= self.epochs if self.epochs is not None else seconds >= (self.seconds or 0)
