"""A fast stand-in for runs: a response model fitted to recorded ones. Whatever comes from it is simulated."""

from __future__ import annotations

from lossagent.simulator.fidelity import Fidelity, check
from lossagent.simulator.fitting import fit
from lossagent.simulator.model import Model, read_model, write_model
from lossagent.simulator.problem import Problem
from lossagent.simulator.recorded import Recorded, Setting, read_recorded

__all__ = [
    "Fidelity",
    "Model",
    "Problem",
    "Recorded",
    "Setting",
    "check",
    "fit",
    "read_model",
    "read_recorded",
    "write_model",
]
