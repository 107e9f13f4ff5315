"""What became of one run of a probe, stage by stage."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from lossagent.agents.rollback import damaged
from lossagent.feedback import Feedback
from lossagent.runs import read_trajectory
from lossagent.weights import Weights


@dataclass(frozen=True)
class Course:
    """One run.

    Attributes:
        weights: it was trained under.
        feedback: depth -> scores of the feedback images, S_0's at 0.
        problem: why it did not get to its end, or what training itself shows to be wrong; "" otherwise.
    """

    weights: Weights
    feedback: Mapping[int, Feedback] = field(default_factory=dict[int, Feedback])
    problem: str = ""


def read_course(run: Path, weights: Weights, failure: str = "") -> Course:
    """Reads a run folder.

    Args:
        run: the folder; nothing is read of one that was not begun.
        weights: of the run.
        failure: why it ended early, "" where it did not.
    """
    if not (run / "events.jsonl").exists():
        return Course(weights, {}, failure or "not run")
    states = read_trajectory(run).scored
    broken = [s.depth for s in states if damaged(s)]
    problem = failure or (f"a loss that is no number, or every step skipped, in stage {broken[0]}" if broken else "")
    return Course(weights, {s.depth: s.feedback for s in states if s.feedback is not None}, problem)
