"""What a finished run of a study leaves behind: enough for every table, and to fit a response model to."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, ValidationError

from lossagent.errors import Damaged
from lossagent.feedback import Feedback, MetricFacts
from lossagent.goal import Goal
from lossagent.records import Record, State
from lossagent.runs import write_atomically
from lossagent.weights import Weights

RESULTS = "results"
"""Folder of a study that the outcomes are in."""
ROWS = ("start", "selected", "last", "reference", "correlated-noise control")
"""Rows that a test set may have: S_0, the state kept, the last one, the ground truth, and S_0's output with blurred
noise on it."""


class Cost(Record):
    """What a run cost.

    Attributes:
        iterations: optimizer steps that count in the budget, discriminator warm-up and undone stages included.
        train_seconds, score_seconds, llm_seconds: wall-clock seconds of the parts.
        wall_seconds: of the whole run, over all the sittings that it took.
        questions: exchanges with a language model.
        prompt_tokens, completion_tokens: as counted by the model, 0 where unknown.
    """

    iterations: int = 0
    train_seconds: float = 0.0
    score_seconds: float = 0.0
    llm_seconds: float = 0.0
    wall_seconds: float = 0.0
    questions: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0


class Outcome(Record):
    """One finished run of a study. Scores have six significant digits.

    Attributes:
        arm, objective, seed: which run.
        initial: the weights of the first stage.
        states: every state, whole.
        selected: id of the state that was kept.
        rule: how it was chosen, in words.
        selection: state id -> scores on the selection set.
        tests: test set -> row (see :data:`ROWS`) -> scores.
        facts: of every metric scored.
        goal: what was wanted.
        guards: metrics that were watched, not steered by.
        cost: what it took.
    """

    arm: str
    objective: str
    seed: int
    initial: Weights
    states: tuple[State, ...]
    selected: int
    rule: str
    selection: dict[int, Feedback] = Field(default={})
    tests: dict[str, dict[str, Feedback]] = Field(default={})
    facts: dict[str, MetricFacts] = Field(default={})
    goal: Goal
    guards: tuple[str, ...] = ()
    cost: Cost = Cost()

    @property
    def path(self) -> tuple[State, ...]:
        """S_0 .. the selected state, through its ancestors."""
        found = [self.states[self.selected]]
        while (parent := found[-1].parent) is not None:
            found.append(self.states[parent])
        return tuple(reversed(found))

    def test(self, set: str, row: str, metric: str) -> float | None:  # noqa: A002  (the word of the tables)
        """Mean of a metric on a test set; ``None`` where there is no such row or score."""
        feedback = self.tests.get(set, {}).get(row)
        return feedback.mean(metric) if feedback is not None else None


def place(study: Path, objective: str, arm: str, seed: int) -> Path:
    """Where the outcome of a run is: ``STUDY/results/OBJECTIVE/ARM/seed-0003.json``."""
    return study / RESULTS / objective / arm / f"seed-{seed:04d}.json"


def write_outcome(study: Path, outcome: Outcome) -> Path:
    """Writes an outcome whole or not at all; returns its file."""
    file = place(study, outcome.objective, outcome.arm, outcome.seed)
    file.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(file, outcome.model_dump_json(exclude_defaults=True) + "\n")
    return file


def read_outcome(file: Path) -> Outcome:
    """Reads one outcome.

    Raises:
        Damaged: the file is not what was written.
    """
    try:
        return Outcome.model_validate_json(file.read_text(encoding="utf-8"))
    except (OSError, ValidationError, ValueError) as error:
        raise Damaged(
            f"{file} is no outcome of a run: {str(error).splitlines()[0]}. Delete it, and the run is made again."
        ) from error


def read_outcomes(study: Path) -> tuple[Outcome, ...]:
    """Every outcome of a study so far, by objective, arm and seed in the order of their file names."""
    return tuple(read_outcome(file) for file in sorted((study / RESULTS).glob("*/*/seed-*.json")))
