"""Everything that is not training: objective + agent + trajectory + log (Figure 1, parts II and III)."""

from __future__ import annotations

from lossagent.steering.core import Steering, Surroundings
from lossagent.steering.overrides import HUMAN

__all__ = ["HUMAN", "Steering", "Surroundings"]
