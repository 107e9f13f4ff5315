"""External experts: metrics as objectives."""

from lossagent.objectives.base import Objective, Pictures, Pixels, Situation
from lossagent.objectives.given import GivenImage, GivenImages, pixels_of
from lossagent.objectives.scores import Scored, Scores
from lossagent.objectives.several import Several

__all__ = [
    "GivenImage",
    "GivenImages",
    "Objective",
    "Pictures",
    "Pixels",
    "Scored",
    "Scores",
    "Several",
    "Situation",
    "pixels_of",
]
