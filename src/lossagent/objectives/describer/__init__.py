"""The built-in describer: measures what restored images look like and says it in plain sentences with numbers."""

from lossagent.objectives.describer.describing import AUTHOR, Describer
from lossagent.objectives.describer.looking import Ground, apart, input_ground, reference_ground, see
from lossagent.objectives.describer.seeing import Look, Seen
from lossagent.objectives.describer.tint import Tint

__all__ = ["AUTHOR", "Describer", "Ground", "Look", "Seen", "Tint", "apart", "input_ground", "reference_ground", "see"]
