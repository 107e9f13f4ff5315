"""What a person sees while a run goes on: bars on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Generator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from lossagent.records import Stage, State
from lossagent.session import Watch
from lossagent.trajectory import Trajectory

LINE_EVERY = 15.0
"""Seconds between progress lines where there is no terminal."""


class Narrator:
    """Tells of a run; :meth:`watch` is what a session takes.

    Args:
        console: where to write.
        label: put before every line, such as the name of the run.
        stages: how many stages the run has at most.
    """

    def __init__(self, console: Console, label: str, stages: int) -> None:
        self.console, self.label, self.stages = console, label, stages
        self._scored = -1
        self._bar: Progress | None = None
        self._task: TaskID | None = None
        self._spoke = time.monotonic()

    @property
    def watch(self) -> Watch:
        """What a session calls."""
        return Watch(iteration=self.iteration, event=self.event, phase=self.phase)

    @contextmanager
    def bars(self) -> Generator[None]:
        """Shows a bar while the block runs, on a terminal."""
        if not self.console.is_terminal:
            yield
            return
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.completed:.0f}/{task.total:.0f}"),
            TimeRemainingColumn(),
        )
        with Progress(*columns, console=self.console, transient=True) as bar:
            self._bar = bar
            yield
        self._bar = self._task = None

    def iteration(self, stage: Stage, done: int, total: int) -> None:
        """Progress inside a stage."""
        if self._bar is not None:
            if self._task is None:
                self._task = self._bar.add_task("", total=total)
            text = f"{self.label} stage {stage.state}/{self.stages}"
            self._bar.update(self._task, description=text, completed=done, total=total)
        elif time.monotonic() - self._spoke > LINE_EVERY:
            self.phase(f"stage {stage.state}/{self.stages}: iteration {done}/{total}")

    def event(self, trajectory: Trajectory) -> None:
        """A line for each state that was scored."""
        newest = trajectory.scored[-1] if trajectory.scored else None
        if newest is not None and newest.id > self._scored:
            self._scored = newest.id
            self.phase(sentence(newest, self.stages))

    def phase(self, text: str) -> None:
        """Says what begins."""
        self._spoke = time.monotonic()
        # Names and weights are data: brackets in them are no markup, and a line is not folded in a log.
        self.console.print(f"{self.label} {text}", highlight=False, markup=False, soft_wrap=True)


def sentence(state: State, stages: int) -> str:
    """One line on a scored state: weights, scores, how the decision came about."""
    feedback = state.feedback
    means = feedback.means() if feedback is not None else {}
    scores = ", ".join(f"{name} {value:.4g}" for name, value in means.items() if value is not None)
    if state.decision is None:
        return f"S_0 (before training): {scores}"
    decision = state.decision
    notes = f" [{', '.join(decision.adjusted_by)}]" if decision.adjusted_by else ""
    origin = f" from S_{state.parent}" if state.parent != state.id - 1 else ""
    failed = f", {decision.failed} of {decision.asked} answers unusable" if decision.failed else ""
    return f"stage {state.id}/{stages}{origin} {decision.weights}{notes}{failed}: {scores}"
