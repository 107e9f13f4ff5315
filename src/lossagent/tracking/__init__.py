"""Mirrors of a run in other people's tools: TensorBoard, Weights & Biases, MLflow. The run folder stays the truth."""

from __future__ import annotations

from lossagent.tracking.base import Moment, Row, Tracker
from lossagent.tracking.table import TRACKERS, check_names
from lossagent.tracking.watching import tracked

__all__ = ["TRACKERS", "Moment", "Row", "Tracker", "check_names", "tracked"]
