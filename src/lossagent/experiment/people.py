"""What people are asked in a run."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from lossagent.experiment.base import Settings
from lossagent.objectives.people import Inquiry


class PeopleSettings(Settings):
    """People judge the feedback images of each state, and the run waits for them.

    Attributes:
        ask: ``pairs``: which of two is better, the metric ``preference``; ``rating``: a mark from 1 to 5, the metric
            ``rating``; ``comments``: words alone.
        images: how many of the feedback images they see, ``null`` for all; the same ones at every state.
        against: what a state stands against in a pair: its ``parent``, or the ``best`` (most preferred) so far.
        repeats: share of pairs that come again with their sides swapped, to measure consistency; at least one where
            it is above 0 and there are four pairs.
        raters: how many people have to answer each task.
        deadline: seconds after which the run goes on without the answers, and the weights stay; ``null`` for never.
        patience: seconds that the process waits itself; then it ends, and ``lossagent resume`` waits again.
        final: pairs on unseen images for each last comparison (selected against start, and against fixed where it is
            known); 0 for none. Below 6 nothing can be claimed, and with 6 only if all answers are alike.
        question: your own words for what is asked.
    """

    ask: Literal["pairs", "rating", "comments"] = "pairs"
    images: int | None = Field(default=None, ge=1)
    against: Literal["parent", "best"] = "parent"
    repeats: float = Field(default=0.15, ge=0, le=1)
    raters: int = Field(default=1, ge=1)
    deadline: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    patience: float = Field(default=3600.0, ge=0, allow_inf_nan=False)
    final: int = Field(default=6, ge=0)
    question: str = Field(default="", max_length=500)

    @property
    def inquiry(self) -> Inquiry:
        """What the objective needs of it."""
        return Inquiry(self.ask, self.images, self.against, self.repeats, self.raters, self.deadline)
