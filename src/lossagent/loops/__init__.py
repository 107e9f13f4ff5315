"""Steering in anybody's training loop: one call that opens a run, a sum that follows it, and stages that end by
themselves.
"""

from lossagent.loops.course import Course
from lossagent.loops.every import Every
from lossagent.loops.opening import read_settings, steer
from lossagent.loops.settings import LoopLoss, LoopSettings
from lossagent.loops.shared import Shared
from lossagent.loops.snapshots import Snapshots, Stateful
from lossagent.loops.weighted import Weighs, WeightedSum

__all__ = [
    "Course",
    "Every",
    "LoopLoss",
    "LoopSettings",
    "Shared",
    "Snapshots",
    "Stateful",
    "Weighs",
    "WeightedSum",
    "read_settings",
    "steer",
]
