"""A run from start to end: the loop, the choice of the checkpoint, the evaluation."""

from __future__ import annotations

from lossagent.session.exceptions import exceptions
from lossagent.session.fixed import FixedRun, read_fixed
from lossagent.session.following import Follower, unasked
from lossagent.session.known import Known
from lossagent.session.leading import Session
from lossagent.session.memory import ScoreMemory
from lossagent.session.steered import steering_of
from lossagent.session.watch import Watch

__all__ = [
    "FixedRun",
    "Follower",
    "Known",
    "ScoreMemory",
    "Session",
    "Watch",
    "exceptions",
    "read_fixed",
    "steering_of",
    "unasked",
]
