"""Images of an experiment: training photographs and the sets kept apart."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from lossagent.build.collecting import Part, collect
from lossagent.build.naming import about
from lossagent.data import (
    ImageCache,
    ImageSet,
    MixedSampler,
    NamedImage,
    PatchSampler,
    check_disjoint,
    demo_credits,
    pixel_type,
)
from lossagent.data.degradations import RealESRGANBatch, Untouched
from lossagent.data.images import CorruptImage
from lossagent.data.on_device import CONTEXT, OnDeviceSampler
from lossagent.data.origins import origins, photographs
from lossagent.errors import Refused
from lossagent.experiment import DegradationSettings, Experiment, RealESRGANSettings
from lossagent.objectives.base import Pixels
from lossagent.training.pictures import write_images
from lossagent.training.sampler import Sampler

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
        notes: sentences on pairs that were guessed, and on degradations that stand in for published data sets.
    """

    train: tuple[Part, ...]
    feedback: ImageSet
    selection: ImageSet | None
    test: dict[str, ImageSet]
    overlaps: tuple[str, ...]
    notes: tuple[str, ...] = ()

    @property
    def scored(self) -> dict[str, ImageSet]:
        """Role, or name of a test set, -> set; without training images."""
        own = {"feedback": self.feedback, **self.test}
        return own if self.selection is None else own | {"selection": self.selection}

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
        return {
            name: text
            for name, image in zip(images.names, images.images, strict=True)
            for text in self.overlaps
            if f" image {image.path} " in f"{text} "
        }

    def conversions(self) -> list[str]:
        """A sentence for each kind of conversion to 8-bit RGB, with the images that needed it."""
        sets = [_images(self.train), self.feedback.images, *(i.images for i in self.test.values())]
        sets += [self.selection.images] if self.selection is not None else []
        kinds: dict[str, list[str]] = {}
        for image in (image for images in sets for image in images):
            try:
                kind = pixel_type(image.path)
            except CorruptImage:  # of training images alone: the sampler leaves it out, and says so
                continue
            if kind != "RGB":
                kinds.setdefault(kind, []).append(image.name)
        return [
            f"pixel type {kind} ({len(names)} image(s)) is read as 8-bit RGB (gray is repeated, alpha dropped): "
            f"{', '.join(names[:5])}{', ...' if len(names) > 5 else ''}."
            for kind, names in kinds.items()
        ]

    def record(self) -> dict[str, list[dict[str, str]]]:
        """Names, hashes of files, and sources, for ``environment.json``; a resumed run is held to them."""
        owed = demo_credits()
        roles = {"train": [(image.name, image) for image in _images(self.train)]}
        for part in self.train:
            roles["train"] += [(f"{low.path.parent.name}/{low.name} (input)", low) for low in part.photographs.lq or ()]
        for role, images in self.scored.items():
            roles[role] = [(entry.name, entry.image) for entry in images.entries]
            roles[role] += [(f"{entry.name} (input)", entry.low) for entry in images.entries if entry.low is not None]
        return {
            role: [
                {"name": name, "sha256": _sha256(i.path, i.path.stat().st_mtime_ns), "source": owed.get(i.name, "")}
                for name, i in images
            ]
            for role, images in roles.items()
        }


@functools.cache
def _sha256(path: Path, changed: int) -> str:
    """Of a file as it was changed last: sets share files, and tiles are many."""
    del changed
    return hashlib.sha256(path.read_bytes()).hexdigest()


def synthetic_notices(parts: Mapping[str, Sequence[Part]]) -> list[str]:
    """A sentence for each kind of made-up degradation, so that nobody takes it for a published data set."""
    where: dict[str, list[str]] = {}
    for name, own in parts.items():
        for part in own:
            if part.degradation is not None and (label := getattr(part.degradation, "label", "")).startswith(
                "synthetic"
            ):
                where.setdefault(label, []).append(name)
    return [
        f"{label} is made by lossagent from clean photographs, no published data set, in: "
        f"{', '.join(dict.fromkeys(names))}."
        for label, names in where.items()
    ]


def build_sets(experiment: Experiment, overlaps: Sequence[str] | None = None) -> Sets:
    """Reads the folders and checks that no photograph stands in two sets.

    Args:
        experiment: names the folders.
        overlaps: what the check found when the run began; it is not repeated then.

    Raises:
        Refused: an empty or missing folder, unreadable images, pairs that do not fit, an overlap.
    """
    data = experiment.data
    for name in data.test:
        if name in RESERVED or name.startswith("state-"):
            raise Refused(f"data.test: a test set may not be called {name!r}; rename it.")
    parts = collect(experiment)
    sets: dict[str, ImageSet] = {}
    for name in parts:
        if name != "train":
            with about(data.place(name)):
                sets[name] = _image_set(name, parts[name], experiment.scale)
    test = {name: sets[name] for name in data.test}
    damaged: list[CorruptImage] = []
    trained = _images(parts["train"])
    if overlaps is None:
        selection = parts.get("selection", ())
        overlaps = check_disjoint(
            photographs(trained, origins(trained)),
            _images(parts["feedback"]),
            _images(selection),
            [image for name in data.test for image in _images(parts[name])],
            allow=data.allow,
            declared=data.overlap == "declared",
            workers=2,
            corrupt=damaged.append,
        )
        _check_damage(damaged, len(trained), data.max_damaged)
        _check_inputs(sets)
    said = [f"data.{name}: {note}" for name, own in parts.items() for part in own for note in part.photographs.notes]
    notes = (*said, *synthetic_notices(parts))
    return Sets(parts["train"], sets["feedback"], sets.get("selection"), test, tuple(overlaps), notes)


def _check_damage(damaged: Sequence[CorruptImage], total: int, limit: float) -> None:
    """Refuses a training set of which more than a share cannot be decoded; the sampler leaves out fewer."""
    if len(damaged) > limit * total:
        first = " ".join(str(error) for error in damaged[:3])
        raise Refused(
            f"data.train: {len(damaged)} of {total} training images cannot be used, {len(damaged) / total:.1%}; "
            f"at most {limit:.1%} may be damaged (data.max_damaged). Take them out, or replace them. The first: {first}"
        )


def _check_inputs(sets: Mapping[str, ImageSet]) -> None:
    """Reads ready-made inputs once: the overlap check has read the references only."""
    for images in sets.values():
        for entry in images.entries:
            if entry.low is not None:
                entry.low.pixels()


def _image_set(name: str, parts: Sequence[Part], scale: int) -> ImageSet:
    made: list[ImageSet] = []
    for part in parts:
        settings, photographs = part.settings, part.photographs
        if not settings.reference:
            made.append(ImageSet.real(name, scale, photographs.images, settings.condition, settings.crop))
        else:
            made.append(ImageSet.of(photographs, scale, part.degradation, settings.condition, settings.crop))
    return made[0] if len(made) == 1 else ImageSet.join(name, made)


def _images(parts: Sequence[Part]) -> tuple[NamedImage, ...]:
    """Every file once: a photograph may stand in several parts of one set."""
    return tuple({image.path: image for part in parts for image in part.photographs.images}.values())


def build_sampler(experiment: Experiment, train: Sequence[Part], device: torch.device) -> Sampler:
    """Training patches as a pure function of (seed, index).

    Raises:
        Refused: an image too small for the patch, a pool that the batch does not divide.
    """
    with about("data.train"):
        return _sampler(experiment, train, device)


def _sampler(experiment: Experiment, train: Sequence[Part], device: torch.device) -> Sampler:
    data = experiment.data
    cache = ImageCache(data.cache << 20)
    made = [part.settings.degradation or data.degradation for part in train]
    if any(isinstance(m, RealESRGANSettings) and m.on_device for m in made):
        return _on_device(experiment, train, made, cache, device)
    samplers = [
        PatchSampler(
            part.photographs.images,
            experiment.scale,
            data.patch,
            part.degradation,
            experiment.seed,
            data.jitter,
            part.photographs.lq,
            cache,
            sharpen=part.degradation is not None and isinstance(settings, RealESRGANSettings) and settings.sharpen,
            max_damaged=data.max_damaged,
        )
        for part, settings in zip(train, made, strict=True)
    ]
    if len(samplers) == 1:
        return samplers[0]
    weights = [part.settings.weight for part in train]
    return MixedSampler(list(zip(samplers, weights, strict=True)), experiment.seed)


def _on_device(
    experiment: Experiment,
    train: Sequence[Part],
    made: Sequence[DegradationSettings],
    cache: ImageCache,
    device: torch.device,
) -> OnDeviceSampler:
    """Crops from the CPU, degraded batch by batch where training happens."""
    data, settings = experiment.data, made[0]
    if len(train) > 1 or not isinstance(settings, RealESRGANSettings) or train[0].photographs.lq is not None:
        raise Refused(
            "data.train: degradation on the device takes one set of clean photographs; found "
            f"{'ready-made inputs' if len(train) == 1 else f'{len(train)} parts'}. Set on_device: false."
        )
    if settings.pool % (batch := experiment.training.batch):
        raise Refused(
            f"data.degradation.pool must be a multiple of training.batch ({batch}); found {settings.pool}. Nearest: "
            f"{max(settings.pool // batch, 1) * batch}."
        )
    side = (data.patch + 2 * CONTEXT // experiment.scale) * experiment.scale
    with about(f"data.patch {data.patch} at scale {experiment.scale}, with {CONTEXT} pixels around it for on_device"):
        crops = PatchSampler(
            train[0].photographs.images,
            1,
            side,
            Untouched(),
            experiment.seed,
            True,
            None,
            cache,
            max_damaged=data.max_damaged,
        )
    degrade = RealESRGANBatch(experiment.scale, sharpen=settings.sharpen)
    return OnDeviceSampler(crops, degrade, device, settings.pool)
