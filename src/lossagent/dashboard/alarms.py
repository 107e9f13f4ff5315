"""The seam to the reward-hacking alarm."""

from __future__ import annotations

from collections.abc import Mapping

from lossagent.dashboard.settings import RunSettings
from lossagent.trajectory import Trajectory


def alarms_of(trajectory: Trajectory, settings: RunSettings) -> Mapping[int, tuple[str, ...]]:
    """state -> what speaks for a metric being played, one sentence each."""
    del trajectory, settings
    return {}
