"""Free photographs that ship inside installed packages, split by photograph. Read in place; nothing is copied."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path

from lossagent.data.images import NamedImage
from lossagent.errors import MissingPackage, Refused

SPLITS = ("train", "feedback", "selection", "test")


@dataclass(frozen=True)
class Photo:
    """Where a photograph lies, what it may be used for, and whom it is owed to.

    Attributes:
        name: how reports call it.
        split: one of :data:`SPLITS`.
        package, file: import name of the package that carries it, and the path within.
        credit: source and licence, as the package states them.
    """

    name: str
    split: str
    package: str
    file: str
    credit: str


def _skimage(name: str, split: str, file: str, credit: str) -> Photo:
    return Photo(name, split, "skimage", f"data/{file}", f"{credit} (from scikit-image)")


def _sklearn(name: str, split: str, credit: str) -> Photo:
    return Photo(name, split, "sklearn", f"datasets/images/{name}.jpg", f"{credit} (from scikit-learn)")


_CC0_TEXTURES = "CC0Textures.com, CC0; gray"

PHOTOS: tuple[Photo, ...] = (
    _skimage(
        "motorcycle",
        "train",
        "motorcycle_left.png",
        "Middlebury Stereo 2014, Scharstein et al., GCPR 2014; left view",
    ),
    _skimage("hubble_deep_field", "train", "hubble_deep_field.jpg", "NASA, Hubble Space Telescope, public domain"),
    _skimage("brick", "train", "brick.png", _CC0_TEXTURES),
    _skimage("gravel", "train", "gravel.png", _CC0_TEXTURES),
    _skimage("grass", "train", "grass.png", "linolafett at DeviantArt, CC0; gray"),
    _skimage("coins", "train", "coins.png", "Brooklyn Museum, no known copyright restrictions; gray"),
    _skimage("astronaut", "feedback", "astronaut.png", "NASA, Great Images, public domain"),
    _sklearn("flower", "feedback", "vultilion at Flickr, CC BY 2.0"),
    _skimage("rocket", "feedback", "rocket.jpg", "SpaceX, public domain"),
    _skimage("camera", "selection", "camera.png", "Lav Varshney, CC0; gray"),
    Photo(
        "grace_hopper",
        "selection",
        "matplotlib",
        "mpl-data/sample_data/grace_hopper.jpg",
        "US Navy portrait, public domain (from matplotlib)",
    ),
    _skimage("chelsea", "test", "chelsea.png", "Stefan van der Walt, CC0"),
    _sklearn("china", "test", "danielbuechele at Flickr, CC BY 2.0"),
    _skimage("coffee", "test", "coffee.png", "Rachel Michetti, Pikolo Espresso Bar, CC0"),
)
"""Detail and texture to train on; people, plants and things to look at for the rest."""


def demo_split() -> dict[str, list[NamedImage]]:
    """Split name -> photographs; no photograph stands in two splits.

    Raises:
        MissingPackage: scikit-image, scikit-learn or matplotlib is not installed.
        Refused: an installed package lacks a file.
    """
    split: dict[str, list[NamedImage]] = {name: [] for name in SPLITS}
    for photo in PHOTOS:
        split[photo.split].append(NamedImage(photo.name, _locate(photo)))
    return split


def demo_credits() -> dict[str, str]:
    """Name of each demo photograph -> its source and licence, for reports."""
    return {photo.name: photo.credit for photo in PHOTOS}


def _locate(photo: Photo) -> Path:
    # The package is found, not imported: its import is slow and only a file is wanted.
    spec = importlib.util.find_spec(photo.package)
    if spec is None or not spec.submodule_search_locations:
        raise MissingPackage(photo.package, "demo", f"the demo photograph {photo.name!r}")
    file = Path(spec.submodule_search_locations[0]) / photo.file
    if not file.is_file():
        raise Refused(
            f"{file}: the installed {photo.package} does not carry this photograph. Install the release that "
            "'lossagent[demo]' asks for."
        )
    return file
