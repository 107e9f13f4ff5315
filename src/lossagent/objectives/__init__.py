"""External experts: metrics as objectives."""

from lossagent.objectives.base import Objective, Pictures, Pixels, Situation
from lossagent.objectives.scores import Scored, Scores

__all__ = ["Objective", "Pictures", "Pixels", "Scored", "Scores", "Situation"]
