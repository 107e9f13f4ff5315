"""One steering for all processes of a distributed job."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from lossagent.objectives.given import GivenImages
from lossagent.records import Stage, StageReport, State
from lossagent.steering import Steering
from lossagent.training.ranks import Ranks
from lossagent.trajectory import Trajectory
from lossagent.weights import Weights


class Shared:
    """The steering of process 0; every process calls the same methods at the same places and hears the same answers.

    What process 0 raises is raised on all of them. ::

        steering = Shared(lambda: lossagent.steer("runs/mine", {"l1": 1.0, "gan": 0.01}, metric="niqe"))

    Args:
        make: makes the steering; called on process 0.
        ranks: the processes; by default those that ``torchrun`` or ``accelerate launch`` started, or that a framework
            has joined already.
    """

    def __init__(self, make: Callable[[], Steering], ranks: Ranks | None = None) -> None:
        self.ranks = ranks or Ranks.join()
        self._steering: Steering = (  # elsewhere there is none: only process 0 looks at it
            self.ranks.from_main_alone(make) if self.ranks.main else self.ranks.broadcast_outcome()
        )
        self.can_restart, self._newest, self._weights = self.ranks.from_main(self._look)

    @classmethod
    def alone(cls, steering: Steering) -> Shared:
        """A steering of this process alone."""
        return cls(lambda: steering, Ranks())

    @property
    def main(self) -> bool:
        """Whether this process has the steering."""
        return self.ranks.main

    @property
    def weights(self) -> Weights:
        """The weights to train with now."""
        return self._weights

    @property
    def newest(self) -> int | None:
        """See :attr:`lossagent.Steering.newest`."""
        return self._newest

    @property
    def trajectory(self) -> Trajectory:
        """Every state so far, on every process."""
        return self.ranks.from_main(lambda: self._steering.trajectory)

    def told(self, state: int) -> bool:
        """Whether a state has its feedback."""
        return self.ranks.from_main(lambda: any(s.id == state for s in self._steering.trajectory.scored))

    def best(self) -> State:
        """See :meth:`lossagent.Steering.best`."""
        return self.ranks.from_main(lambda: self._steering.best())

    def finish(self, selected: int, rule: str) -> None:
        """See :meth:`lossagent.Steering.finish`."""
        self.ranks.from_main(lambda: self._steering.finish(selected, rule))

    def ask(self, at: int | None = None) -> Stage | None:
        """See :meth:`lossagent.Steering.ask`."""
        stage = self.ranks.from_main(lambda: self._steering.ask(at))
        _, self._newest, self._weights = self.ranks.from_main(self._look)
        return stage

    def tell(
        self,
        state: int | Stage,
        images: GivenImages | None = None,
        *,
        scores: Mapping[str, Mapping[str, float | None] | float | int | None] | None = None,
        losses: Mapping[str, float | int] | None = None,
        report: StageReport | None = None,
    ) -> State:
        """See :meth:`lossagent.Steering.tell`; what the other processes give is not looked at."""
        told = self.ranks.from_main(
            lambda: self._steering.tell(state, images, scores=scores, losses=losses, report=report)
        )
        _, self._newest, self._weights = self.ranks.from_main(self._look)
        return told

    def agreed(self, flag: bool) -> bool:
        """Process 0's answer, on every process."""
        return self.ranks.broadcast(flag)

    def __deepcopy__(self, memo: Mapping[int, object]) -> Shared:
        """Itself, as with :class:`lossagent.Steering`."""
        return self

    def close(self) -> None:
        """Lets go of the run folder."""
        if self.main:
            self._steering.close()

    def _look(self) -> tuple[bool, int | None, Weights]:
        return self._steering.can_restart, self._steering.newest, self._steering.weights
