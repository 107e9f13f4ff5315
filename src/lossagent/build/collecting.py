"""The photographs that the settings of an experiment mean."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lossagent.build.naming import about
from lossagent.data import NamedImage, Photographs, dataset, demo_split, list_images, pairs
from lossagent.data.degradations import (
    BSRGAN,
    AddedNoise,
    Bicubic,
    Degradation,
    RealESRGAN,
    SyntheticHaze,
    SyntheticRain,
)
from lossagent.errors import Refused
from lossagent.experiment import (
    BicubicSettings,
    BSRGANSettings,
    DegradationSettings,
    Experiment,
    HazeSettings,
    ImagesSettings,
    NoiseSettings,
    RainSettings,
    RealESRGANSettings,
)


@dataclass(frozen=True)
class Part:
    """Photographs with what is made of them.

    Attributes:
        settings: what was asked for.
        photographs: the images, with ready-made inputs where there are any.
        degradation: makes the inputs where they are not ready-made, ``None`` where they are.
    """

    settings: ImagesSettings
    photographs: Photographs
    degradation: Degradation | None


def collect(experiment: Experiment) -> dict[str, tuple[Part, ...]]:
    """Role, or name of a test set, -> its parts; drawn by the seed where only some images are wanted.

    Raises:
        Refused: an empty or missing folder, pairs that do not fit, sets that leave out each other.
    """
    found: dict[str, tuple[Part, ...]] = {}
    begun: set[str] = set()

    def of(name: str) -> tuple[Part, ...]:
        if name not in found:
            if name in begun:
                place = experiment.data.place(name)
                raise Refused(f"{place}.without: sets leave out each other in a circle; take one of them away.")
            begun.add(name)
            made: list[Part] = []
            for number, settings in enumerate(experiment.data.sets[name]):
                taken = frozenset(i.path for other in settings.without for p in of(other) for i in p.photographs.images)
                made.append(_part(name, number, settings, taken, experiment))
            found[name] = tuple(made)
        return found[name]

    return {name: of(name) for name in experiment.data.sets}


def _part(name: str, number: int, settings: ImagesSettings, taken: frozenset[Path], experiment: Experiment) -> Part:
    place = experiment.data.place(name)
    with about(place):
        photographs = _photographs(name, settings, experiment.scale)
    if taken:
        rest = [n for n, image in enumerate(photographs.images) if image.path not in taken]
        if not rest:
            raise Refused(
                f"{place}.without: no image is left without those of {', '.join(settings.without)}; give those a "
                "count, or other images here."
            )
        photographs = _take(photographs, rest)
    if settings.count is not None:
        label = name if number == 0 else f"{name}/{number}"
        if settings.count > (there := len(photographs.images)):
            raise Refused(f"{place}.count must be at most {there}, the images there are; found {settings.count}.")
        photographs = _drawn(photographs, settings.count, label, experiment.seed)
    made = None
    if settings.reference and photographs.lq is None:
        made = degradation(settings.degradation or experiment.data.degradation, experiment.scale)
    return Part(settings, photographs, made)


def _photographs(name: str, settings: ImagesSettings, scale: int) -> Photographs:
    if settings.demo is not None:
        return Photographs(name, tuple(demo_split()[settings.demo]))
    if settings.low is not None:
        if len(settings.images) != 1:
            raise Refused(f"with low, images must be one folder; found {len(settings.images)}.")
        return pairs(Path(settings.images[0]), Path(settings.low), scale, name, settings.match)
    found = [_folder(Path(path), scale, settings) for path in settings.images]
    if len(found) == 1:
        return Photographs(name, found[0].images, found[0].lq, found[0].scale, found[0].notes)
    return Photographs(name, _merged(found))


def _folder(path: Path, scale: int, settings: ImagesSettings) -> Photographs:
    if path.is_file():
        return Photographs(path.stem, (NamedImage(path.stem, path),))
    if not settings.reference:
        return Photographs(path.name, list_images(path))
    found = dataset(path, scale)
    # Asked for a degradation of its own, a folder gives its clean images alone.
    return found if settings.degradation is None else Photographs(found.name, found.images)


def _merged(parts: Sequence[Photographs]) -> tuple[NamedImage, ...]:
    """Images of several folders; a name that repeats gets its folder's in front."""
    names = Counter(image.name for part in parts for image in part.images)
    return tuple(
        NamedImage(f"{part.name}-{image.name}" if names[image.name] > 1 else image.name, image.path)
        for part in parts
        for image in part.images
    )


def _take(found: Photographs, chosen: Sequence[int]) -> Photographs:
    lq = None if found.lq is None else tuple(found.lq[i] for i in chosen)
    return Photographs(found.name, tuple(found.images[i] for i in chosen), lq, found.scale, found.notes)


def _drawn(found: Photographs, count: int, name: str, seed: int) -> Photographs:
    return _take(found, sorted(random.Random(f"{seed}/{name}").sample(range(len(found.images)), count)))


def degradation(settings: DegradationSettings, scale: int) -> Degradation:
    """How low-quality images are made."""
    match settings:
        case BicubicSettings():
            return Bicubic(scale)
        case BSRGANSettings():
            return BSRGAN(scale)
        case RealESRGANSettings():
            return RealESRGAN(scale, sharpen=settings.sharpen)
        case NoiseSettings():
            return AddedNoise(settings.sigma)
        case RainSettings():
            return SyntheticRain()
        case HazeSettings():
            return SyntheticHaze(Path(settings.depth) if settings.depth is not None else None)
