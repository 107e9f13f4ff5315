"""Test sets from folders, as the command line names them: ``NAME=FOLDER`` or ``NAME:KIND=FOLDER``."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lossagent.data import ImageSet, Photographs, dataset, list_images, pairs
from lossagent.data.degradations import BSRGAN, Bicubic, Degradation, RealESRGAN
from lossagent.data.degradations.added_noise import AddedNoise
from lossagent.data.degradations.haze import SyntheticHaze
from lossagent.data.degradations.rain import SyntheticRain
from lossagent.data.sources import RESTORATION
from lossagent.errors import Refused, UnknownName
from lossagent.evaluation.protocols import EvaluationProtocol

KINDS: Mapping[str, str] = {
    "bicubic": "clean images, reduced by MATLAB's bicubic where no inputs lie beside them",
    "bsrgan": "clean images through BSRGAN's random degradation, drawn from the file's name",
    "real-esrgan": "clean images through Real-ESRGAN's random degradation, drawn from the file's name",
    "noise15": "clean images with Gaussian noise of sigma 15, drawn from the file's name",
    "real": "real images without ground truth",
    "pairs": "ground truths and degraded inputs",
    "rain": "ground truths and rainy inputs, of equal names or norain-1 with rain-1",
    "haze": "ground truths and hazy inputs, of equal names or 0001 with 0001_0.8_0.2",
    "synthetic-rain": "clean images with drawn rain streaks; it is none of the published rain sets",
    "synthetic-haze": "clean images with haze by an invented depth; it is none of the published haze sets",
}
"""Kind -> what a set of it is."""

PAIRED = frozenset({"pairs", "rain", "haze"})
"""Kinds with ready-made inputs; how names pair is found out."""


@dataclass(frozen=True)
class SetSpec:
    """A test set, or a part of one.

    Attributes:
        name: the column it makes; parts of one name are joined, each a condition of its own.
        kind: an entry of :data:`KINDS`, ``noise15`` standing for any sigma; "" for the protocol's.
        folders: one folder, or the clean and the degraded one of pairs.
    """

    name: str
    kind: str
    folders: tuple[Path, ...]

    @classmethod
    def parse(cls, text: str) -> SetSpec:
        """Reads ``NAME=FOLDER``, ``NAME:KIND=FOLDER`` or ``NAME:KIND=CLEAN,DEGRADED``.

        Raises:
            Refused: another form, or no such folder.
            UnknownName: another kind.
        """
        head, equals, places = text.partition("=")
        name, _, kind = head.partition(":")
        if not equals or not places or not re.fullmatch(r"[^/\\:=,|]+", name):
            raise Refused(f"a set must be written NAME=FOLDER or NAME:KIND=FOLDER; found {text!r}.")
        if kind and kind not in KINDS and not re.fullmatch(r"noise\d{1,2}", kind):
            raise UnknownName("kind of image set", kind, KINDS)
        folders = (Path(places),) if Path(places).exists() else tuple(Path(p) for p in places.split(","))
        for folder in folders:
            if not folder.is_dir():
                raise Refused(f"set {name!r}: there is no folder {folder}.")
        if len(folders) > 2:
            raise Refused(f"set {name!r}: give one folder, or CLEAN,DEGRADED; found {len(folders)} folders.")
        return cls(name, kind, folders)


@dataclass(frozen=True)
class BenchmarkSet:
    """An image set and where it comes from, in words."""

    images: ImageSet
    about: str


def open_sets(specs: Sequence[SetSpec], rules: EvaluationProtocol, scale: int) -> list[BenchmarkSet]:
    """The sets of a command line, in order; parts of one name are joined.

    Raises:
        Refused: an empty folder, pairs that do not fit, a kind of another scale.
    """
    names = list(dict.fromkeys(spec.name for spec in specs))
    found: list[BenchmarkSet] = []
    for name in names:
        parts = [spec for spec in specs if spec.name == name]
        made = [_part(spec, rules, scale, len(parts) > 1) for spec in parts]
        images = made[0].images if len(made) == 1 else ImageSet.join(name, [part.images for part in made])
        found.append(BenchmarkSet(images, "; ".join(part.about for part in made)))
    return found


def _part(spec: SetSpec, rules: EvaluationProtocol, scale: int, joined: bool) -> BenchmarkSet:
    kind = spec.kind or ("pairs" if len(spec.folders) == 2 else rules.source)
    condition = kind if joined else None
    if kind == "real":
        folder = _only(spec, kind)
        images = list_images(folder)
        return BenchmarkSet(ImageSet.real(spec.name, scale, images, condition), KINDS["real"])
    if kind in PAIRED:
        photographs, made = _paired(spec, scale), None
        about = KINDS[kind]
    else:
        photographs, made = dataset(_only(spec, kind), scale, spec.name), degradation_of(kind, scale)
        about = _words(kind)
        if kind == "bicubic" and photographs.lq is not None:
            about = "ready-made inputs beside the ground truths"
        elif photographs.lq is not None:  # a kind that makes inputs takes the clean images alone
            photographs = Photographs(photographs.name, photographs.images)
    named = Photographs(spec.name, photographs.images, photographs.lq, photographs.scale)
    images = ImageSet.of(named, scale, made, condition, rules.crop)
    return BenchmarkSet(images, ". ".join([about, *(n.rstrip(".") for n in photographs.notes)]))


def _only(spec: SetSpec, kind: str) -> Path:
    if len(spec.folders) != 1:
        raise Refused(f"set {spec.name!r}: a set of kind {kind} takes one folder; found {len(spec.folders)}.")
    return spec.folders[0]


def _words(kind: str) -> str:
    return KINDS[kind] if kind in KINDS else KINDS["noise15"].replace("15", kind.removeprefix("noise"))


def degradation_of(kind: str, scale: int) -> Degradation:
    """What makes the inputs of a kind.

    Raises:
        Refused: a kind of one size at a larger scale, or one that enlarges at scale 1.
        UnknownName: a kind that makes none.
    """
    one_size = kind.startswith(("noise", "synthetic-"))
    if one_size and scale != 1:
        raise Refused(f"kind {kind!r} leaves images at their size; this evaluation is of scale {scale}.")

    match kind:
        case "bicubic":
            return Bicubic(scale)
        case "bsrgan":
            return BSRGAN(scale)
        case "real-esrgan":
            return RealESRGAN(scale)
        case "synthetic-rain":
            return SyntheticRain()
        case "synthetic-haze":
            return SyntheticHaze()
        case _ if kind.startswith("noise"):
            return AddedNoise(float(kind.removeprefix("noise")))
        case _:
            raise UnknownName("kind of image set that is made from clean images", kind, KINDS)


def _paired(spec: SetSpec, scale: int) -> Photographs:
    """Two folders given, or found in one by the layouts of the field."""
    if len(spec.folders) == 2:
        return pairs(spec.folders[0], spec.folders[1], scale, spec.name)
    (folder,) = spec.folders
    found = dataset(folder, scale, spec.name)
    if found.lq is None:
        known = ", ".join(f"{low} with {clean}" for clean, low in RESTORATION)
        raise Refused(
            f"set {spec.name!r}: {folder} holds no pairs; wanted folders {known}, or CLEAN,DEGRADED written out. For "
            f"clean images alone say what is made of them, e.g. {spec.name}:noise25={folder}."
        )
    return found
