"""Process 0 leads, the others follow: each order is carried out by all of them together."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from typing import Any

from lossagent.objectives.base import Pixels
from lossagent.records import Stage, StageReport
from lossagent.training.interrupts import Stop
from lossagent.training.ranks import Ranks, Verdict
from lossagent.training.trainer import Trainer

Duty = Callable[..., Any]
"""Something that every process does at the same moment with the same arguments; process 0 uses what it returns."""


class Crew:
    """The processes of a run at work.

    Inside a duty processes meet in the same order; between duties the others wait for the next one.

    Args:
        ranks: the processes.
        duties: name -> what to do; the same names on every process.
        stop: a request to stop; while an order is carried out it is only noted.
    """

    def __init__(self, ranks: Ranks, duties: Mapping[str, Duty], stop: Stop) -> None:
        self.ranks, self.duties, self.stop = ranks, dict(duties), stop
        self._busy = False

    def order(self, what: str, *arguments: object) -> Any:  # noqa: ANN401  (whatever the duty gives)
        """Has a duty done; process 0 only.

        Raises:
            Interrupted: a signal to stop came meanwhile.
            Failed: a process could not do it.
        """
        if self.ranks.size == 1:
            return self.duties[what](*arguments)
        with self.stop.held():
            self._busy = True
            self.ranks.broadcast((what, arguments))
            result = self.duties[what](*arguments)
            self._busy = False
        return result

    @contextmanager
    def leading(self) -> Generator[None]:
        """On process 0: the others are dismissed at the end of the block, however it ends."""
        try:
            yield
        except BaseException as error:
            # What fails inside a duty fails on all, or breaks the connections: nobody waits for a word then.
            if self.ranks.size > 1 and not self._busy:
                self.ranks.broadcast((None, (Verdict.of(error),)))
            raise
        if self.ranks.size > 1:
            self.ranks.broadcast((None, (None,)))

    def follow(self) -> None:
        """On the other processes: does what is ordered until dismissed.

        Raises:
            BaseException: of the same exit status as what ended process 0.
        """
        self.stop.hold()  # a signal is said before the next step, so that all stop at the same one
        while True:
            what, arguments = self.ranks.broadcast(None)
            if what is None:
                verdict: Verdict | None = arguments[0]
                if verdict is not None:
                    raise verdict.error(0)
                return
            self.duties[what](*arguments)


class Led:
    """The trainers of all processes as the loop sees them.

    Args:
        crew: has the duties ``start_from``, ``run`` and ``read``.
        trainer: process 0's.
    """

    def __init__(self, crew: Crew, trainer: Trainer) -> None:
        self.crew, self.trainer = crew, trainer

    def start_from(self, state: int | None) -> None:
        """Restores everything of a state, on every process."""
        self.crew.order("start_from", state)

    def run(self, stage: Stage) -> StageReport:
        """Trains a stage, see :meth:`lossagent.training.trainer.Trainer.run`."""
        self.trainer.stop.hold()  # until the stage is recorded
        try:
            return self.crew.order("run", stage)
        except BaseException:
            self.trainer.stop.release()
            raise

    def restored(self, stage: Stage) -> Mapping[str, Pixels]:
        """The restored feedback images of a trained stage, see :meth:`lossagent.training.trainer.Trainer.restored`."""
        self.trainer.settle(stage)
        return self.crew.order("read", stage)
