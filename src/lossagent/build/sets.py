"""Images of an experiment: training photographs and the sets kept apart."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lossagent.data import (
    ImageCache,
    ImageSet,
    NamedImage,
    PatchSampler,
    Photographs,
    check_disjoint,
    dataset,
    demo_credits,
    demo_split,
    list_images,
    pairs,
    pixel_type,
)
from lossagent.data.degradations import Bicubic, Degradation
from lossagent.errors import Refused
from lossagent.experiment import Experiment, ImagesSettings
from lossagent.objectives.base import Pixels
from lossagent.training.pictures import write_images

RESERVED = frozenset({"feedback", "selection", "train", "input", "reference"})
"""Names that test sets may not have: folders and tables of a run are called so."""


@dataclass(frozen=True)
class Sets:
    """Every image set of an experiment, checked.

    Attributes:
        train: what is trained on.
        feedback: the agent sees their scores.
        selection: they choose the checkpoint.
        test: name -> set, never used for a choice.
        overlaps: sentences on photographs that stand in two sets, declared or only partly alike.
    """

    train: Photographs
    feedback: ImageSet
    selection: ImageSet | None
    test: dict[str, ImageSet]
    overlaps: tuple[str, ...]

    @staticmethod
    def inputs(images: ImageSet) -> dict[str, Pixels]:
        """name -> low-quality image."""
        return {item.name: item.lq for item in images}

    @staticmethod
    def references(images: ImageSet) -> dict[str, Pixels]:
        """name -> ground truth, of the images that have one."""
        return {item.name: item.hq for item in images if item.hq is not None}

    def feedback_inputs(self) -> dict[str, Pixels]:
        """Inputs of the feedback images."""
        return self.inputs(self.feedback)

    def write_feedback(self, folder: Path) -> None:
        """Writes the feedback images' inputs and ground truths for the report."""
        if references := self.references(self.feedback):
            write_images(references, folder / "reference")
        write_images(self.feedback_inputs(), folder / "input")

    def also_in(self, name: str) -> dict[str, str]:
        """Image of a set -> the overlap that was declared for it."""
        images = {"feedback": self.feedback, "selection": self.selection, **self.test}[name]
        if images is None:
            return {}
        return {i.name: text for i in images.images for text in self.overlaps if f" image {i.path} " in f"{text} "}

    def conversions(self) -> list[str]:
        """A sentence for each kind of conversion to 8-bit RGB, with the images that needed it."""
        sets = [self.train.images, self.feedback.images, *(i.images for i in self.test.values())]
        sets += [self.selection.images] if self.selection is not None else []
        kinds: dict[str, list[str]] = {}
        for image in (image for images in sets for image in images):
            if (kind := pixel_type(image.path)) != "RGB":
                kinds.setdefault(kind, []).append(image.name)
        return [
            f"pixel type {kind} ({len(names)} image(s)) is read as 8-bit RGB (gray is repeated, alpha dropped): "
            f"{', '.join(names[:5])}{', ...' if len(names) > 5 else ''}."
            for kind, names in kinds.items()
        ]

    def record(self) -> dict[str, list[dict[str, str]]]:
        """Names, hashes of files, and sources, for ``environment.json``; a resumed run is held to them."""
        owed = demo_credits()
        roles = {"train": self.train.images, "feedback": self.feedback.images}
        if self.selection is not None:
            roles["selection"] = self.selection.images
        roles |= {name: images.images for name, images in self.test.items()}
        return {
            role: [
                {
                    "name": i.name,
                    "sha256": hashlib.sha256(i.path.read_bytes()).hexdigest(),
                    "source": owed.get(i.name, ""),
                }
                for i in images
            ]
            for role, images in roles.items()
        }


def degradation(experiment: Experiment) -> Degradation:
    """How low-quality images are made."""
    return Bicubic(experiment.scale)


def build_sets(experiment: Experiment, overlaps: Sequence[str] | None = None) -> Sets:
    """Reads the folders and checks that no photograph stands in two sets.

    Args:
        experiment: names the folders.
        overlaps: what the check found when the run began; it is not repeated then.

    Raises:
        Refused: an empty or missing folder, unreadable images, pairs that do not fit, an overlap.
    """
    data = experiment.data
    made = degradation(experiment)

    def image_set(name: str, settings: ImagesSettings) -> ImageSet:
        photographs = collect(name, settings, experiment.scale, experiment.seed)
        if not settings.reference:
            return ImageSet.real(name, experiment.scale, photographs.images)
        return ImageSet.of(photographs, experiment.scale, made)

    train = collect("train", data.train, experiment.scale, experiment.seed)
    feedback = image_set("feedback", data.feedback)
    selection = image_set("selection", data.selection) if data.selection is not None else None
    for name in data.test:
        if name in RESERVED or name.startswith("state-"):
            raise Refused(f"data.test: a test set may not be called {name!r}; rename it.")
    test = {name: image_set(name, settings) for name, settings in data.test.items()}
    if overlaps is None:
        overlaps = check_disjoint(
            train.images,
            feedback.images,
            selection.images if selection is not None else (),
            [image for images in test.values() for image in images.images],
            allow=data.allow,
            declared=data.overlap == "declared",
            workers=2,
        )
    return Sets(train, feedback, selection, test, tuple(overlaps))


def collect(name: str, settings: ImagesSettings, scale: int, seed: int) -> Photographs:
    """The photographs that settings mean, drawn by the seed where only some are wanted."""
    if settings.demo is not None:
        found = Photographs(name, tuple(demo_split()[settings.demo]))
    elif settings.low is not None:
        if len(settings.images) != 1:
            raise Refused(f"data.{name}: with low, images must be one folder; found {len(settings.images)}.")
        found = pairs(Path(settings.images[0]), Path(settings.low), scale, name)
    else:
        parts = [_one(Path(path), scale) for path in settings.images]
        found = parts[0] if len(parts) == 1 else Photographs(name, _merged(parts))
    if settings.count is not None:
        found = _drawn(found, settings.count, name, seed)
    return Photographs(name, found.images, found.lq, found.scale)


def _one(path: Path, scale: int) -> Photographs:
    if path.is_file():
        return Photographs(path.stem, (NamedImage(path.stem, path),))
    if path.is_dir() and not any((path / clean).is_dir() for clean in ("HR", "GTmod12")):
        return Photographs(path.name, list_images(path))
    return dataset(path, scale)


def _merged(parts: Sequence[Photographs]) -> tuple[NamedImage, ...]:
    """Images of several folders; a name that repeats gets its folder's in front."""
    names = [image.name for part in parts for image in part.images]
    return tuple(
        NamedImage(f"{part.name}-{image.name}" if names.count(image.name) > 1 else image.name, image.path)
        for part in parts
        for image in part.images
    )


def _drawn(found: Photographs, count: int, name: str, seed: int) -> Photographs:
    if count > len(found.images):
        raise Refused(f"data.{name}.count must be at most {len(found.images)}, the images there are; found {count}.")
    chosen = sorted(random.Random(f"{seed}/{name}").sample(range(len(found.images)), count))
    lq = None if found.lq is None else tuple(found.lq[i] for i in chosen)
    return Photographs(found.name, tuple(found.images[i] for i in chosen), lq, found.scale)


def build_sampler(experiment: Experiment, train: Photographs) -> PatchSampler:
    """Training patches as a pure function of (seed, index).

    Raises:
        Refused: an image too small for the patch.
    """
    data = experiment.data
    return PatchSampler(
        train.images,
        experiment.scale,
        data.patch,
        None if train.lq is not None else degradation(experiment),
        experiment.seed,
        data.jitter,
        train.lq,
        ImageCache(data.cache << 20),
    )
