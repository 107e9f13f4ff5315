"""What a person sees while a run goes on: bars on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Generator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from lossagent.agents.lookouts import lookout_of
from lossagent.alarm import Lookout, alarm_of
from lossagent.records import Stage, State
from lossagent.session import Watch
from lossagent.steering import Steering
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
        self._lookout: Lookout | None = None
        self._scored = -1
        self._bar: Progress | None = None
        self._task: TaskID | None = None
        self._spoke = time.monotonic()

    @property
    def watch(self) -> Watch:
        """What a session calls."""
        return Watch(iteration=self.iteration, event=self.event, phase=self.phase)

    def heed(self, steering: Steering) -> None:
        """Takes from a run's steering what the reward-hacking alarm judges by; until then it is silent."""
        self._lookout = lookout_of(steering.view(steering.trajectory.head))

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
        """A line for each state that was scored, and one for an alarm about it."""
        newest = trajectory.scored[-1] if trajectory.scored else None
        if newest is None or newest.id <= self._scored:
            return
        self._scored = newest.id
        self.phase(sentence(newest, self.stages))
        if self._lookout is not None and (found := alarm_of(newest, trajectory.start, self._lookout)):
            self.phase(f"ALARM: since S_0, {'; '.join(found)}.")

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
