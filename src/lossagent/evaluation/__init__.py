"""Scores of chosen states of a run, the choice of the checkpoint, and benchmark tables by published protocols."""

from __future__ import annotations

from lossagent.evaluation.choosing import Choice, best_state, choose, chosen_by_metrics
from lossagent.evaluation.protocols import PROTOCOLS, EvaluationProtocol, protocol
from lossagent.evaluation.states import FILE, Row, SetTable, add_row, has_row, write_evaluation

__all__ = [
    "FILE",
    "PROTOCOLS",
    "Choice",
    "EvaluationProtocol",
    "Row",
    "SetTable",
    "add_row",
    "best_state",
    "choose",
    "chosen_by_metrics",
    "has_row",
    "protocol",
    "write_evaluation",
]
