"""Scores of chosen states of a run, the choice of the checkpoint, and benchmark tables by published protocols."""

from __future__ import annotations

from lossagent.evaluation.choosing import Choice, choose
from lossagent.evaluation.protocols import PROTOCOLS, EvaluationProtocol, protocol
from lossagent.evaluation.states import Row, SetTable, restored_rows, write_evaluation

__all__ = [
    "PROTOCOLS",
    "Choice",
    "EvaluationProtocol",
    "Row",
    "SetTable",
    "choose",
    "protocol",
    "restored_rows",
    "write_evaluation",
]
