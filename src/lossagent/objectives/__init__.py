"""External experts: metrics as objectives."""

from lossagent.objectives.base import Objective, Pixels
from lossagent.objectives.scores import Scored, Scores

__all__ = ["Objective", "Pixels", "Scored", "Scores"]
