"""Who scores the restored images of somebody else's loop."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch

from lossagent.build.reviewers import reviewers_of
from lossagent.build.scores import AGAINST_INPUT, AGAINST_START, metric_of
from lossagent.data.images import list_images, read
from lossagent.errors import Refused
from lossagent.experiment.metrics import PEOPLE
from lossagent.experiment.reviewers import DescriberSettings
from lossagent.feedback import Feedback, MetricFacts
from lossagent.loops.settings import LoopSettings
from lossagent.objectives import Objective, Pixels, Scored, Scores, Several, Situation
from lossagent.objectives.people import People
from lossagent.objectives.vision import Sources
from lossagent.training.pictures import read_image, write_images


@dataclass(frozen=True)
class Folder:
    """A folder of images that are looked up by the names of the restored ones.

    Attributes:
        files: name -> file.
    """

    files: Mapping[str, Path]

    @classmethod
    def at(cls, path: Path | None) -> Folder | None:
        """The images in a folder, ``None`` for none.

        Raises:
            Refused: no such folder, or one without images.
        """
        return cls({image.name: image.path for image in list_images(path)}) if path is not None else None

    def get(self, name: str) -> Pixels | None:
        """An image, decoded anew; ``None`` where there is none of that name."""
        return read(self.files[name]) if name in self.files else None


@dataclass(frozen=True)
class Kept:
    """Writes the restored images of each state into the run folder, for pages and people, and asks an objective.

    Attributes:
        inside: who is asked.
        folder: the run folder.
        beside: name of a folder under ``images`` -> images that pages show beside the restored ones.
    """

    inside: Objective
    folder: Path
    beside: Mapping[str, Folder]

    @property
    def facts(self) -> Mapping[str, MetricFacts]:
        """Facts of every metric it gives a score of."""
        return self.inside.facts

    def __call__(self, restored: Mapping[str, Pixels], situation: Situation | None = None) -> Feedback:
        """What the objective says; what was told is on disk first.

        Raises:
            Refused: an image that has none beside it.
        """
        for kind, found in self.beside.items():
            if lacking := [name for name in restored if name not in found.files]:
                raise Refused(
                    f"images must have the names of their {kind} images; {', '.join(lacking[:5])} "
                    f"{'is' if len(lacking) == 1 else 'are'} not among {', '.join(list(found.files)[:5])}."
                )
        if situation is not None and situation.state.feedback is None:
            write_images(restored, self.folder / "images" / situation.state.name)
            for kind, found in self.beside.items():
                if not (place := self.folder / "images" / kind).exists():
                    write_images({n: image for n in restored if (image := found.get(n)) is not None}, place)
        return self.inside(restored, situation)


def picture(folder: Path, state: int, name: str) -> Pixels | None:
    """A restored image of an earlier state; ``None`` where it was not kept."""
    file = folder / "images" / f"state-{state:04d}" / f"{name}.png"
    return read_image(file) if file.exists() else None


def scoring_device() -> torch.device:
    """Where metrics and reviewers compute."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def experts_of(settings: LoopSettings, folder: Path) -> Kept:
    """The metrics, then reviewers in words, then people.

    Args:
        settings: who is asked.
        folder: the run folder.

    Raises:
        Refused: a metric, reviewer or folder that cannot be used.
    """
    inputs, references = Folder.at(settings.inputs), Folder.at(settings.references)

    def previous(state: int, name: str) -> Pixels | None:
        return picture(folder, state, name)

    def start(name: str) -> Pixels | None:
        return picture(folder, 0, name)

    scored: dict[str, Scored] = {}
    for name in dict.fromkeys((*settings.goal.metrics, *settings.guards)):
        if name in PEOPLE:
            continue
        metric = metric_of(name, settings.scale, settings.metrics)
        if not metric.facts.needs_reference:
            scored[name] = Scored(metric)
        elif name in AGAINST_START:
            scored[name] = Scored(metric, start)
        else:
            found, key = (inputs, "inputs") if name in AGAINST_INPUT else (references, "references")
            if found is None:
                raise Refused(f"metric {name!r} compares with another image: name their folder ({key}).")
            scored[name] = Scored(metric, found.get)
    blind = inputs is None and references is None
    if blind and (name := next((n for n, r in settings.reviewers.items() if isinstance(r, DescriberSettings)), None)):
        raise Refused(f"reviewers.{name} describes images beside their inputs or references: name a folder of one.")
    device = scoring_device()
    experts: dict[str, Objective] = {"metrics": Scores(scored, device=device)}
    experts |= reviewers_of(
        settings.reviewers,
        Sources(inputs.get if inputs else None, references.get if references else None, previous),
        scale=settings.scale,
        wish=settings.goal.wish,
        seed=settings.seed,
        device=device,
    )
    if settings.people is not None:
        experts["people"] = People(settings.people.inquiry, settings.seed, str(folder))
    beside = {"input": inputs, "reference": references}
    return Kept(Several(experts), folder, {kind: found for kind, found in beside.items() if found is not None})
