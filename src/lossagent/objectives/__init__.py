"""External experts: metrics as objectives."""

from lossagent.objectives.base import Objective, Pictures, Pixels, Situation
from lossagent.objectives.scores import Scored, Scores
from lossagent.objectives.several import Several

__all__ = ["Objective", "Pictures", "Pixels", "Scored", "Scores", "Several", "Situation"]
