"""The stages of somebody else's loop: one that is over is scored, and the next one's weights come into force."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import torch

from lossagent.errors import Refused
from lossagent.loops.every import Every
from lossagent.loops.shared import Shared
from lossagent.loops.snapshots import Snapshots
from lossagent.loops.weighted import WeightedSum
from lossagent.objectives.given import GivenImages
from lossagent.records import Stage, StageReport
from lossagent.steering import Steering

Scores = Mapping[str, Mapping[str, float | None] | float | int | None]


class Course:
    """Takes a loop through its stages.

    ::

        with Course(steering, Every(steps=500), restore=lambda: {n: net(x) for n, x in inputs.items()}) as course:
            for batch in batches:
                loss = criterion(net(batch.input), batch.target)
                ...                                            # backward, optimizer step
                course.step()
                if course.over:
                    break

    Entering it scores the network before training, unless that was told, and makes the weights of the next stage those
    in force. Started again in the same folder, with ``snapshots``, parts are what they were after the last whole
    stage, and that stage's successor begins; a loop with checkpoints of its own puts :meth:`state_dict` into them and
    calls :meth:`load_state_dict` before it enters.

    Args:
        steering: the steering, or one :class:`Shared` among processes.
        every: how long a stage lasts.
        restore: gives the restored feedback images; called without gradients, on process 0. Evaluation mode is its own
            affair.
        score: gives scores instead, for a steering with ``score="elsewhere"``.
        criterion: whose means and gradients are told, and which starts anew with each stage.
        snapshots: saves each state, and goes back where an agent starts from an earlier one.

    Raises:
        Refused: not exactly one of ``restore`` and ``score``; no :class:`Every`; a steering that restarts, without
            ``snapshots``.
    """

    def __init__(
        self,
        steering: Steering | Shared,
        every: Every,
        *,
        restore: Callable[[], GivenImages] | None = None,
        score: Callable[[], Scores] | None = None,
        criterion: WeightedSum | None = None,
        snapshots: Snapshots | None = None,
    ) -> None:
        if (restore is None) == (score is None):
            raise Refused("give exactly one of restore and score.")
        if not hasattr(every, "over"):
            raise Refused(f"every must be the length of a stage, e.g. Every(steps=500); found {every!r}.")
        if steering.can_restart and snapshots is None:
            raise Refused("the steering says can_restart=True: give snapshots, which go back to earlier states.")
        self.steering = steering if isinstance(steering, Shared) else Shared.alone(steering)
        self.every, self.criterion, self.snapshots = every, criterion, snapshots
        self._restore, self._score = restore, score
        self._stage: Stage | None = None
        self._at: int | None = None
        self._inside: int | None = None
        self._entered = self._over = False
        self._steps = self._epochs = 0
        self._seconds, self._began = 0.0, time.monotonic()

    @property
    def over(self) -> bool:
        """Whether all stages are told."""
        return self._over

    @property
    def stage(self) -> Stage | None:
        """The stage that is being trained; ``None`` before the first and after the last."""
        return self._stage

    @property
    def weights(self) -> dict[str, float]:
        """Loss name -> weight in force, 0 where it is off."""
        return self.steering.weights.values()

    def __enter__(self) -> Course:
        self.begin()
        return self

    def __exit__(self, *_: object) -> None:
        self.steering.close()

    def begin(self, resume: str = "Load the loop's own checkpoint, with load_state_dict()") -> None:
        """What entering does, for loops that have no place for a ``with``.

        Args:
            resume: how to go on from a checkpoint, for messages.

        Raises:
            Refused: the run folder is ahead of the network and nothing brings the network there; or a state of the
                loop's own checkpoint was loaded, and the run folder knows none.
            Waiting, Interrupted: for people, or stopped by one; begin again later.
        """
        if self._entered:
            self._go_on()
            return
        newest = self.steering.newest
        if self._at is None and newest is not None:
            if self.snapshots is not None:
                self.snapshots.load(newest)
            elif newest > 0:  # a network that begins anew is S_0
                raise Refused(
                    f"the run folder is at state {newest}, and this network was never there. {resume}, keep "
                    "snapshots, or take a new folder."
                )
            self._at = newest
        if newest is None:
            if self._at is not None:
                raise Refused(
                    f"the loop's checkpoint goes on from state {self._at}, and the run folder is a new one: bring the "
                    "old folder back, or begin without load_state_dict."
                )
            self._keep(0)
            self._tell(0, StageReport())
            self._at = 0
        self._entered = True
        self._next()

    def step(self, count: int = 1) -> bool:
        """Says that optimizer steps were made; whether a stage ended with them.

        Args:
            count: how many.

        Raises:
            Refused: a negative count; before :meth:`begin`; or whatever :meth:`lossagent.Steering.tell` and ``ask``
                refuse.
            Waiting, Interrupted: for people, or stopped by one. Train no further: ``step(0)`` tries again.
        """
        if count < 0:
            raise Refused(f"count must be 0 or more optimizer steps; found {count}.")
        self._steps += count
        return self._look()

    def epoch(self) -> bool:
        """Says that a pass over the training data is over; whether a stage ended with it."""
        self._epochs += 1
        return self._look()

    def state_dict(self) -> dict[str, Any]:
        """Where the loop is, for its own checkpoint."""
        return {
            "at": self._at,
            "inside": self._stage.state if self._stage is not None else None,
            "steps": self._steps,
            "epochs": self._epochs,
            "seconds": self._elapsed(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Goes on from the loop's own checkpoint: stages that came after it are given again, under the same weights.

        Raises:
            Refused: it was begun already, or this is no state of a course.
        """
        if self._entered:
            raise Refused("the course has begun: load its state before.")
        if missing := self.state_dict().keys() - state.keys():
            raise Refused(
                f"the state of a course must be what its state_dict() gave; missing: {', '.join(sorted(missing))}."
            )
        self._at, self._inside = state["at"], state["inside"]
        self._steps, self._epochs, self._seconds = state["steps"], state["epochs"], state["seconds"]

    # -- inside -------------------------------------------------------------------------------------------

    def _elapsed(self) -> float:
        return self._seconds + time.monotonic() - self._began

    def _look(self) -> bool:
        if not self._entered:
            raise Refused("the course has not begun: use it in a with statement, or call begin().")
        over = self.every.over(self._steps, self._epochs, self._elapsed())
        if self.every.seconds is not None:
            over = self.steering.agreed(over)  # clocks differ between processes
        if self._stage is None:
            self._go_on()
            return False
        if not over:
            return False
        state = self._stage.state
        report = StageReport(iterations=self._steps, seconds=self._elapsed())
        if self.criterion is not None:
            report = report.model_copy(update={"losses": self.criterion.means(), "evidence": self.criterion.evidence()})
        self._keep(state)
        self._tell(state, report)
        self._stage, self._at = None, state
        self._afresh()
        self._next()
        return True

    def _next(self) -> None:
        stage = self.steering.ask(None if self.steering.can_restart else self._at)
        if self.criterion is not None:
            self.criterion.reset()
        if stage is not None:
            # A checkpoint of the loop's own may lie inside another stage than the one that is due.
            elsewhere = stage.parent != self._at or self._inside not in (None, stage.state)
            if elsewhere and self.snapshots is not None:
                assert stage.parent is not None
                self.snapshots.load(stage.parent)
                self._afresh()
            self._at = stage.parent
        self._stage, self._over, self._inside = stage, stage is None, None
        self._began = time.monotonic()

    def _go_on(self) -> None:
        """Asks again, where that was refused for a while."""
        if self._stage is None and not self._over:
            self._next()

    def _afresh(self) -> None:
        self._steps = self._epochs = 0
        self._seconds, self._began = 0.0, time.monotonic()

    def _keep(self, state: int) -> None:
        """On disk before it is told: a state that was told can be gone back to. The first record of it stands."""
        if self.snapshots is None:
            return
        told = self.steering.told(state)
        if self.steering.main and not (told and self.snapshots.has(state)):
            self.snapshots.save(state)

    def _tell(self, state: int, report: StageReport) -> None:
        images, scores = None, None
        if self.steering.main:
            with torch.no_grad():
                images = self._restore() if self._restore is not None else None
                scores = self._score() if self._score is not None else None
        self.steering.tell(state, images=images, scores=scores, report=report)
