"""What adapters share: a course that begins when a framework's processes are known, and ends as the framework ends."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from typing import Any

from torch import nn

from lossagent.errors import Interrupted, Refused, Waiting
from lossagent.loops import Course, Every, Shared, Snapshots, WeightedSum
from lossagent.loops.course import Scores
from lossagent.objectives.given import GivenImages
from lossagent.steering import Steering
from lossagent.training.ranks import Ranks
from lossagent.weights import Weights

Given = Steering | Shared | Callable[[], Steering]
"""A steering, one among processes, or what makes it on process 0."""


class Stages:
    """The stages of a framework's training.

    Args:
        given: the steering. A function is called when training begins; what it made is closed at the end.
        every: how long a stage lasts.
        resume: how to go on from a checkpoint of the framework, for messages.
    """

    def __init__(self, given: Given, every: Every, resume: str) -> None:
        self._given, self._every, self._resume = given, every, resume
        self._shared = given if isinstance(given, Shared) else None
        self._course: Course | None = None
        self._state: dict[str, Any] = {}
        self.ended_by: Waiting | Interrupted | None = None

    @property
    def weights(self) -> Weights:
        """The weights to train with now.

        Raises:
            Refused: the steering is made when training begins, and that is not yet.
        """
        if isinstance(self._given, Steering):
            return self._given.weights
        if self._shared is None:
            raise Refused("the weights are not known before training begins: make what follows them later.")
        return self._shared.weights

    @property
    def steering(self) -> Shared:
        """The steering of all processes, once it is open."""
        assert self._shared is not None, "opened before"
        return self._shared

    @property
    def finished(self) -> bool:
        """Whether nothing is left to train, or not now."""
        return self.ended_by is not None or (self._course is not None and self._course.over)

    def open(self, ranks: Ranks) -> None:
        """Makes the steering.

        Args:
            ranks: the framework's processes.

        Raises:
            Refused: a steering object that several processes would have.
        """
        if isinstance(self._given, Shared):
            return
        if isinstance(self._given, Steering):
            if ranks.size > 1:
                raise Refused(
                    f"{ranks.size} processes would each have a steering of their own: give a function that makes it "
                    "(steering=lambda: lossagent.steer(...)); process 0 alone calls it."
                )
            self._shared = Shared.alone(self._given)
        else:
            self._shared = Shared(self._given, ranks)

    def begin(
        self,
        *,
        restore: Callable[[], GivenImages] | None,
        score: Callable[[], Scores] | None,
        criterion: WeightedSum | None,
        snapshots: Snapshots | None,
    ) -> None:
        """Scores the network before training, unless that was told, and begins or goes on with a stage.

        Raises:
            Refused: the run folder is ahead of the network, and nothing brings the network there.
        """
        self.ended_by = None
        course = Course(
            self.steering, self._every, restore=restore, score=score, criterion=criterion, snapshots=snapshots
        )
        if self._state:
            course.load_state_dict(self._state)
        self._course = course
        self._attempt(lambda: course.begin(self._resume))
        self._attempt(lambda: course.step(0))  # a checkpoint may lie at the end of a stage that is not told yet

    def step(self, count: int) -> bool:
        """Optimizer steps were made; whether a stage ended with them."""
        course = self._course
        return course is not None and self._attempt(lambda: course.step(count))

    def epoch(self) -> bool:
        """A pass over the training data is over; whether a stage ended with it."""
        course = self._course
        return course is not None and self._attempt(course.epoch)

    def state(self) -> dict[str, Any]:
        """Where training is, as plain data; empty before it has begun."""
        return self._course.state_dict() if self._course is not None else self._state

    def load(self, state: Mapping[str, Any]) -> None:
        """Where training is to go on, before it begins."""
        self._state = dict(state)

    def close(self) -> None:
        """Ends; what :meth:`open` made is closed. Training may begin again where it is now."""
        self._state, self._course = self.state(), None
        if self._shared is not None and self._shared is not self._given and not isinstance(self._given, Steering):
            self._shared.close()

    def _attempt(self, act: Callable[[], bool | None]) -> bool:
        """Whether it did what it was to do; frameworks end by a flag, not by an error."""
        if self.ended_by is not None:
            return False
        try:
            return bool(act())
        except (Waiting, Interrupted) as error:
            self.ended_by = error
            return False


def exactly_one(restore: object, score: object) -> None:
    """Refuses neither or both of the ways to score.

    Raises:
        Refused: so it is.
    """
    if (restore is None) == (score is None):
        raise Refused("give exactly one of restore and score.")


def criterion_in(module: nn.Module) -> WeightedSum | None:
    """The weighted sum of a module, ``None`` where it has none.

    Raises:
        Refused: it has several.
    """
    found = [part for part in module.modules() if isinstance(part, WeightedSum)]
    if len(found) > 1:
        raise Refused(f"the module has {len(found)} WeightedSums: say whose values are told (criterion=...).")
    return found[0] if found else None


@contextmanager
def evaluating(module: nn.Module) -> Generator[None]:
    """Evaluation mode for a while; every part goes back to the mode that it had."""
    modes = {part: part.training for part in module.modules()}
    module.eval()
    try:
        yield
    finally:
        for part, training in modes.items():
            part.training = training
