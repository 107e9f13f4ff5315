"""Every decision of a recorded run once more, by its own agent or by another, without a language model."""

from __future__ import annotations

from lossagent.replay.chats import OnlyRecorded
from lossagent.replay.making import Remade, counterfactual, remake
from lossagent.replay.recording import Moment, Recording, read_recording

__all__ = ["Moment", "OnlyRecorded", "Recording", "Remade", "counterfactual", "read_recording", "remake"]
