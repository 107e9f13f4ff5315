"""What an image file is recognised by: exact pixels, a spectrum of the whole, and keypoints of its parts."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Float32, UInt8
from numpy import ndarray
from PIL import Image
from scipy import fft

from lossagent.data.images import NamedImage
from lossagent.data.keypoints import Keypoints, keypoints

LONGER_SIDE = 512
"""Keypoints are sought on an image reduced to this."""
THUMBNAIL = 256
GRID, KEPT = 32, 16


@dataclass(frozen=True, eq=False)
class Fingerprint:
    """One image.

    Attributes:
        image: the file.
        digest: sha256 of the decoded RGB pixels and their shape.
        shape: (height, width) of the reduced gray image, to which the keypoints refer.
        spectrum: unit vector from the cosine transform of the image squeezed to a square, weighted by frequency: a
            perceptual hash [as pHash: Zauner, 2010] that is compared by its inner product.
        thumbnail: the gray image reduced to :data:`THUMBNAIL`.
        points: see :func:`~lossagent.data.keypoints.keypoints`.
    """

    image: NamedImage
    digest: str
    shape: tuple[int, int]
    spectrum: Float32[ndarray, "16 16"]
    thumbnail: UInt8[ndarray, "rows columns"]
    points: Keypoints


def fingerprint(image: NamedImage) -> Fingerprint:
    """Reads an image and takes its fingerprint, about 0.05 s for 512 x 512.

    Raises:
        Refused: the file cannot be read.
    """
    pixels = image.pixels()
    digest = hashlib.sha256(repr(pixels.shape).encode() + pixels.tobytes()).hexdigest()
    gray = Image.fromarray(pixels).convert("L")
    square = np.asarray(gray.resize((GRID, GRID), Image.Resampling.BOX), np.float32)
    small = np.asarray(_reduced(gray, LONGER_SIDE), np.float32) / 255
    thumbnail = np.asarray(_reduced(gray, THUMBNAIL))
    shape = small.shape[0], small.shape[1]
    return Fingerprint(image, digest, shape, _spectrum(square), thumbnail, keypoints(small))


def likeness(a: Float32[ndarray, "16 16"], b: Float32[ndarray, "16 16"]) -> float:
    """Inner product of two spectra under the best of the 8 flips and quarter turns, -1 to 1; 1 for twins."""
    sign = np.where(np.arange(KEPT) % 2, np.float32(-1), np.float32(1))
    best = -1.0
    for other in (b, b.T):
        product = a * other
        # Mirroring an axis changes the sign of its odd frequencies.
        for row in (1.0, sign[:, None]):
            for column in (1.0, sign[None, :]):
                best = max(best, float((product * row * column).sum()))
    return best


def _reduced(gray: Image.Image, longer: int) -> Image.Image:
    factor = min(1.0, longer / max(gray.size))
    wanted = max(1, round(gray.width * factor)), max(1, round(gray.height * factor))
    return gray.resize(wanted, Image.Resampling.BOX)


@lru_cache(maxsize=1)
def _weights() -> Float32[ndarray, "16 16"]:
    row, column = np.mgrid[:KEPT, :KEPT]
    return np.hypot(row, column).astype(np.float32)


def _spectrum(square: Float32[ndarray, "32 32"]) -> Float32[ndarray, "16 16"]:
    # Photographs fall off as 1/f; the weight makes all frequencies speak, which is what tells photographs apart.
    weighted = np.asarray(fft.dctn(square, norm="ortho"), np.float32)[:KEPT, :KEPT] * _weights()
    return weighted / max(float(np.linalg.norm(weighted)), 1e-6)
