"""Pictures that go with a chat's words: as data URLs when they are sent, as names with hashes when recorded."""

from __future__ import annotations

import base64
import binascii
import hashlib
import io
import re
import struct

import numpy as np
from jaxtyping import UInt8
from numpy import ndarray
from PIL import Image, UnidentifiedImageError

from lossagent.errors import Refused

_START = "data:image/png;base64,"
_REFERENCE = re.compile(r"\(([0-9a-f]{64})\)$")
_PATCH = 28
"""Side of the square that vision models commonly turn into one token."""


def data_url(pixels: UInt8[ndarray, "height width 3"]) -> str:
    """A picture as a PNG data URL: lossless, since a reviewer would see the defects of a JPEG as the restorer's."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="PNG")
    return _START + base64.b64encode(buffer.getvalue()).decode("ascii")


def pixels_of(url: str) -> UInt8[ndarray, "height width 3"]:
    """The picture in a PNG data URL.

    Raises:
        Refused: it is none.
    """
    if not is_data_url(url):
        raise Refused(f"a picture must be a PNG data URL; found {url[:40]!r}.")
    try:
        with Image.open(io.BytesIO(base64.b64decode(url[len(_START) :], validate=True)), formats=["PNG"]) as image:
            return np.asarray(image.convert("RGB"))
    except (binascii.Error, UnidentifiedImageError, OSError, ValueError) as error:
        raise Refused(f"a picture's data URL holds no PNG: {error}") from None


def is_data_url(image: str) -> bool:
    """Whether a picture of a message can be sent; a recorded one is only named."""
    return image.startswith(_START)


def fingerprint(image: str) -> str:
    """sha256 of a picture's pixels, of a data URL as of the reference that was recorded in its place.

    Of pixels, not of the file: the same picture is compressed to other bytes by another version of a library.
    """
    if recorded := _REFERENCE.search(image):
        return recorded[1]
    if is_data_url(image):
        return hashlib.sha256(pixels_of(image).tobytes()).hexdigest()
    return hashlib.sha256(image.encode("utf-8", "replace")).hexdigest()


def reference(name: str, url: str) -> str:
    """``NAME (sha256)``: what a record keeps of a picture that was sent."""
    return f"{name} ({fingerprint(url)})"


def size_of(url: str) -> tuple[int, int]:
    """(height, width) of a PNG data URL, from its header alone; (0, 0) where it has none."""
    try:
        header = base64.b64decode(url[len(_START) : len(_START) + 32])
        width, height = struct.unpack(">II", header[16:24])
    except (ValueError, struct.error):
        return 0, 0
    return height, width


def token_guess(url: str) -> int:
    """About how many tokens a picture is, on the high side: models differ by a factor of ten."""
    height, width = size_of(url)
    return 256 + (-(-height // _PATCH)) * (-(-width // _PATCH))
