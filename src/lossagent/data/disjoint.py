"""Are training, feedback, selection and test images different photographs?

Two tests: the spectrum of the whole image for twins, and keypoints whose placement is then confirmed pixel by pixel for
crops. Thresholds from 349 benchmark and training photographs, 60,726 pairs: spectra of copies (recompressed, rescaled,
gray) agree by 0.99 and more, of different photographs by 0.43 at most; where crops are placed right the pixels
correlate by 0.76 and more, elsewhere by 0.63 at most. Of crops made from 30 photographs all were found at half the
side (29 when reduced to a quarter as well), 28 at a third and 26 at a quarter. These figures come from the images on
which the thresholds were set. On 398 others against 189 of the benchmark images one pair was reported, a true crop.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from itertools import combinations

from lossagent.data.alignment import agreement
from lossagent.data.fingerprint import Fingerprint, fingerprint, likeness
from lossagent.data.images import CorruptImage, NamedImage
from lossagent.data.keypoints import Placement, place
from lossagent.errors import Refused

TWIN = 0.75
VOTES = 4
AGREE = 0.7
SHARED = 0.8


@dataclass(frozen=True)
class Overlap:
    """Two files of different roles that show the same photograph.

    Attributes:
        kind: ``"pixels"`` (equal after decoding), ``"twin"`` (flipped, rescaled, recompressed, trimmed) or ``"part"``
            (a crop of the other, or a large part in common).
        roles, images: one of each side.
    """

    kind: str
    roles: tuple[str, str]
    images: tuple[NamedImage, NamedImage]

    def __str__(self) -> str:
        how = {
            "pixels": "have the same pixels",
            "twin": "are the same photograph (flipped, rescaled, trimmed or recompressed)",
            "part": "share a part of one photograph",
        }[self.kind]
        (role_a, role_b), (a, b) = self.roles, self.images
        return f"{role_a} image {a.path} and {role_b} image {b.path} {how}"


def compare(a: Fingerprint, b: Fingerprint) -> str | None:
    """``"pixels"``, ``"twin"``, ``"part"`` or ``None`` for two images.

    Twins are found under all flips and quarter turns; parts upright or mirrored, at scales of about 1/4 to 4. An image
    without texture has no keypoints, and its crops go unseen.
    """
    if a.digest == b.digest:
        return "pixels"
    if likeness(a.spectrum, b.spectrum) >= TWIN:
        return "twin"
    placement = place(a.points, b.points, b.shape[1])
    if placement.votes < VOTES or agreement(a.thumbnail, b.thumbnail, _on_thumbnails(a, b, placement)) < AGREE:
        return None
    return "twin" if _common(a.shape, b.shape, placement) >= SHARED else "part"


def overlaps(
    roles: Mapping[str, Sequence[NamedImage]],
    workers: int = 1,
    allow: Collection[tuple[str, str]] = (),
    corrupt: Callable[[CorruptImage], None] | None = None,
) -> list[Overlap]:
    """Every pair of images of different roles that shows the same photograph, in the order of the roles.

    About 0.06 s an image and 0.4 ms a pair on one core. A file that stands in two roles is a pair too.

    Args:
        roles: role, e.g. ``"train"``, -> its images.
        workers: threads; the result does not depend on them.
        allow: pairs of image names, in either order, that are not looked at.
        corrupt: takes what is wrong with a training image that cannot be decoded, and passes it over.

    Raises:
        Refused: a file that cannot be read.
    """

    def taken(role: str, image: NamedImage) -> Fingerprint | None:
        try:
            return fingerprint(image)
        except CorruptImage as error:
            if corrupt is None or role != "train":
                raise
            corrupt(error)
            return None

    passed = {frozenset(pair) for pair in allow}
    with ThreadPoolExecutor(workers) as threads:
        prints = {
            role: [p for p in threads.map(partial(taken, role), images) if p is not None]
            for role, images in roles.items()
        }
        pairs = [
            ((first, second), a, b)
            for first, second in combinations(prints, 2)
            for a in prints[first]
            for b in prints[second]
            if frozenset((a.image.name, b.image.name)) not in passed
        ]
        kinds = threads.map(compare, [a for _, a, _ in pairs], [b for _, _, b in pairs])
        return [
            Overlap(kind, names, (a.image, b.image))
            for kind, (names, a, b) in zip(kinds, pairs, strict=True)
            if kind is not None
        ]


def check_disjoint(
    train: Sequence[NamedImage],
    feedback: Sequence[NamedImage],
    selection: Sequence[NamedImage],
    test: Sequence[NamedImage],
    allow: Collection[tuple[str, str]] = (),
    declared: bool = False,
    workers: int = 1,
    corrupt: Callable[[CorruptImage], None] | None = None,
) -> list[str]:
    """Refuses equal pixels and near-twins between the four sets; warns of images that share a part.

    Args:
        train, feedback, selection, test: images of each role; any may be empty.
        allow: pairs of image names, in either order, that may show the same photograph.
        declared: nothing is refused: every overlap becomes a warning.
        workers: threads.
        corrupt: see :func:`overlaps`.

    Returns:
        Warnings, one for each pair.

    Raises:
        Refused: an overlap that is neither declared nor allowed, naming the files of up to five pairs.
    """
    roles = {"train": train, "feedback": feedback, "selection": selection, "test": test}
    found = overlaps(roles, workers, allow, corrupt)
    refused = [] if declared else [o for o in found if o.kind != "part"]
    if refused:
        listed = "; ".join(str(overlap) for overlap in refused[:5])
        more = f"; and {len(refused) - 5} more" if len(refused) > 5 else ""
        raise Refused(
            f"image sets must not overlap: {listed}{more}. Take one of each pair out, list the pair of names under "
            "the allowed overlaps, or state `overlap: declared`."
        )
    return [f"{overlap}." for overlap in found]


def _on_thumbnails(a: Fingerprint, b: Fingerprint, placement: Placement) -> Placement:
    """The same placement in the pixels of the thumbnails."""
    factor_a, factor_b = (max(f.thumbnail.shape) / max(f.shape) for f in (a, b))
    y, x = placement.offset
    # Pixel centres: reducing by f maps p to f (p + 1/2) - 1/2.
    scale = placement.scale * factor_b / factor_a
    shift = factor_b * 0.5 - 0.5 - scale * (0.5 * factor_a - 0.5)
    offset = factor_b * y + shift, factor_b * x + shift
    return replace(placement, scale=scale, offset=offset)


def _common(shape_a: tuple[int, int], shape_b: tuple[int, int], placement: Placement) -> float:
    """Intersection over union of A, placed in B, with B."""
    area_a, area_b, shared = 1.0, 1.0, 1.0
    for side_a, side_b, offset in zip(shape_a, shape_b, placement.offset, strict=True):
        length = side_a * placement.scale
        shared *= max(0.0, min(side_b, offset + length) - max(0.0, offset))
        area_a *= length
        area_b *= side_b
    return shared / (area_a + area_b - shared)
