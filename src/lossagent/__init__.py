"""Steer the training of an image restoration network towards an objective that cannot be differentiated."""

from lossagent.agents.base import Agent, View
from lossagent.chat.base import ChatModel
from lossagent.feedback import Feedback, MetricFacts, Remark
from lossagent.goal import Constraint, Goal, Target
from lossagent.loop import Training, optimise
from lossagent.loops import Course, Every, Shared, Snapshots, WeightedSum, steer
from lossagent.losses.base import Loss
from lossagent.metrics.base import Metric
from lossagent.objectives.base import Objective
from lossagent.records import Decision, Evidence, Stage, StageReport, State
from lossagent.runs import MemoryLog, RunFolder
from lossagent.steering import Steering, Surroundings
from lossagent.trajectory import Trajectory
from lossagent.weights import Bounds, Weights

__all__ = [
    "Agent",
    "Bounds",
    "ChatModel",
    "Constraint",
    "Course",
    "Decision",
    "Every",
    "Evidence",
    "Feedback",
    "Goal",
    "Loss",
    "MemoryLog",
    "Metric",
    "MetricFacts",
    "Objective",
    "Remark",
    "RunFolder",
    "Shared",
    "Snapshots",
    "Stage",
    "StageReport",
    "State",
    "Steering",
    "Surroundings",
    "Target",
    "Training",
    "Trajectory",
    "View",
    "WeightedSum",
    "Weights",
    "optimise",
    "steer",
]
