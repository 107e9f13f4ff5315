"""What all parts of an experiment share."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]*$"
"""Names that become file names."""
LOSS_NAME = r"^[A-Za-z0-9][A-Za-z0-9_-]*$"
"""Names that also stand in ``l1:perceptual:gan=1.0:0.1:0.01``."""


class Settings(BaseModel):
    """A frozen part of an experiment; unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")
