"""The outcome of a finished run, from its run folder."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lossagent import evaluation
from lossagent.events import Answered, AnyEvent, Resumed
from lossagent.experiment import Experiment
from lossagent.feedback import Feedback, MetricFacts
from lossagent.records import Exchange, State
from lossagent.runs import read_events, read_exchanges
from lossagent.session.fixed import read_selection
from lossagent.study.jobs import Job
from lossagent.study.outcome import Cost, Outcome
from lossagent.trajectory import Trajectory

DIGITS = 6
"""Significant digits of scores in an outcome."""
REFERENCE = {"ground truth": "reference"}
"""Rows of ``evaluation.json`` that are called otherwise in an outcome."""


def outcome_of(run: Path, job: Job, experiment: Experiment) -> Outcome:
    """What a finished run leaves behind.

    Args:
        run: its folder.
        job: which run of the study.
        experiment: what was run.

    Raises:
        Damaged: a file of the run is not what was written.
    """
    events = read_events(run)
    trajectory = Trajectory.fold(events)
    assert trajectory.finished is not None, "a finished run has a last word"
    sets: dict[str, Any] = json.loads((run / evaluation.FILE).read_text(encoding="utf-8"))["sets"]
    facts = {
        name: MetricFacts.model_validate(value) for table in sets.values() for name, value in table["metrics"].items()
    }
    return Outcome(
        arm=job.arm,
        objective=job.objective,
        seed=job.seed,
        initial=trajectory.initial,
        states=tuple(_rounded_state(state, run) for state in trajectory.states),
        selected=trajectory.finished.selected,
        rule=trajectory.finished.rule,
        selection={state: rounded(feedback, run) for state, feedback in read_selection(run).items()},
        tests={name: _rows(sets[name], run) for name in experiment.data.test},
        facts=facts,
        goal=experiment.goal,
        guards=experiment.guards,
        cost=cost_of(events, trajectory, run),
    )


def cost_of(events: list[AnyEvent], trajectory: Trajectory, run: Path) -> Cost:
    """What a run cost, from its records."""
    reports = [s.report for s in trajectory.states if s.report is not None]
    answered = [e for e in events if isinstance(e, Answered)]
    exchanges: list[Exchange] = []
    for state in range(len(trajectory.states) + 1):
        exchanges += read_exchanges(run, state)
    return Cost(
        iterations=sum(r.iterations for r in reports),
        train_seconds=math.fsum(r.seconds for r in reports),
        score_seconds=math.fsum(s.score_seconds for s in trajectory.states),
        llm_seconds=math.fsum(e.seconds for e in answered),
        wall_seconds=_sittings(events),
        questions=len(answered),
        prompt_tokens=sum(e.prompt_tokens for e in exchanges),
        completion_tokens=sum(e.completion_tokens for e in exchanges),
    )


def _sittings(events: list[AnyEvent]) -> float:
    """Seconds from the first event to the last, without the time between an interruption and the resume."""
    total, begin, last = 0.0, events[0].time, events[0].time
    for event in events:
        if isinstance(event, Resumed):
            total += last - begin
            begin = event.time
        last = event.time
    return total + last - begin


def _rows(table: Mapping[str, Any], run: Path) -> dict[str, Feedback]:
    conditions: dict[str, str] = table.get("conditions", {})
    rows: dict[str, Any] = table["rows"]
    return {
        REFERENCE.get(label, label): rounded(Feedback(scores=row["scores"], conditions=conditions), run)
        for label, row in rows.items()
    }


def rounded(feedback: Feedback, run: Path) -> Feedback:
    """Feedback with six significant digits, and without the run's place on this machine."""
    scores = {
        metric: {image: None if value is None else short(value) for image, value in images.items()}
        for metric, images in feedback.scores.items()
    }
    problems = {name: text.replace(str(run.absolute()), run.name) for name, text in feedback.problems.items()}
    return feedback.model_copy(update={"scores": scores, "problems": problems})


def short(value: float) -> float:
    """A number with six significant digits."""
    return float(f"{value:.{DIGITS}g}")


def _rounded_state(state: State, run: Path) -> State:
    return state if state.feedback is None else state.model_copy(update={"feedback": rounded(state.feedback, run)})
