"""What every process of a run has: its trainer, its gallery, and the duties that they can be called to."""

from __future__ import annotations

from pathlib import Path

from lossagent.build import Parts
from lossagent.training.crew import Crew
from lossagent.training.gallery import Gallery
from lossagent.training.interrupts import Stop
from lossagent.training.pictures import Pictures
from lossagent.training.trainer import Trainer


class Workers:
    """A process at work.

    Args:
        parts: the objects of the run.
        run: the run folder; process 0 alone touches it.
        stop: a request to stop.
    """

    def __init__(self, parts: Parts, run: Path, stop: Stop) -> None:
        experiment, sets, device = parts.experiment, parts.sets, parts.device
        self.ranks = parts.networks.ranks
        self.trainer = Trainer(
            networks=parts.networks,
            repository=parts.repository,
            sampler=parts.sampler,
            pictures=Pictures(sets.feedback_inputs(), parts.application, device, self.ranks),
            settings=experiment.training,
            run=run,
            seed=experiment.seed,
            device=device,
            stop=stop,
        )
        kept_apart = {"selection": sets.selection} if sets.selection is not None else {}
        self.gallery = Gallery(
            sets={"feedback": sets.feedback, **kept_apart, **sets.test},
            objective_of=parts.objective,
            application=parts.application,
            device=device,
            network=parts.networks.scored,
            ranks=self.ranks,
        )
        trainer = self.trainer
        duties = {
            "start_from": trainer.start_from,
            "run": trainer.run,
            "read": trainer.read,
            "rest": trainer.rest,
            "wake": trainer.wake,
        }
        self.crew = Crew(self.ranks, duties | self.gallery.duties(), stop)
        if self.ranks.size > 1:
            self.gallery.crew = self.crew
