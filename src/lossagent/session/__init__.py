"""A run from start to end: the loop, the choice of the checkpoint, the evaluation."""

from __future__ import annotations

from lossagent.session.exceptions import exceptions
from lossagent.session.fixed import FixedRun, read_fixed
from lossagent.session.following import Follower, unasked
from lossagent.session.leading import Session
from lossagent.session.steered import steering_of
from lossagent.session.watch import Watch

__all__ = ["FixedRun", "Follower", "Session", "Watch", "exceptions", "read_fixed", "steering_of", "unasked"]
