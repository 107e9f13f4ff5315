"""Image files as 8-bit RGB arrays, found in a stable order, and kept in memory within a limit."""

from __future__ import annotations

import re
import struct
import threading
from collections import Counter, OrderedDict
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from numpy import ndarray
from PIL import Image, ImageOps

from lossagent.errors import Refused

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp", ".ppm", ".pgm")
ORIENTATION = 0x0112
# What Pillow raises on damaged files of the formats above, by trial with flipped and missing bytes.
UNDECODABLE = (OSError, SyntaxError, ValueError, TypeError, EOFError, struct.error, Image.DecompressionBombError)


class CorruptImage(Refused):
    """A file that is there and can be read, but whose content is not an image or is damaged."""


@dataclass(frozen=True)
class NamedImage:
    """An image file and the name by which records and reports call it.

    Attributes:
        name: unique within a set.
        path: the file; it is read when its pixels are asked for.
    """

    name: str
    path: Path

    def pixels(self) -> UInt8[ndarray, "height width 3"]:
        """RGB, decoded anew at each call; see :func:`read`."""
        return read(self.path)


def pixel_type(path: Path) -> str:
    """The file's pixel type as Pillow names it (``RGB``, ``L``, ``RGBA``, ``P``, ``I;16``); only its head is read.

    Raises:
        Refused: no such file.
        CorruptImage: not an image.
    """
    try:
        with Image.open(path) as opened:
            return opened.mode
    except UNDECODABLE as error:
        raise _refusal(path, error) from error


def read(path: Path, notes: list[str] | None = None) -> UInt8[ndarray, "height width 3"]:
    """Decodes a file to 8-bit RGB, turned upright as its EXIF orientation says.

    Gray becomes three equal channels, 16 bit is rounded to 8 (65535 -> 255), a palette is looked up, alpha is
    dropped (not composited: colours stay what they are).

    Args:
        path: the file.
        notes: where a sentence is added for each such conversion.

    Raises:
        Refused: no such file, or one that the system does not let us read.
        CorruptImage: not an image, truncated, or of a pixel type that has no 8-bit meaning.
    """
    said: list[str] = []
    try:
        with Image.open(path) as opened:
            turned = opened.getexif().get(ORIENTATION, 1) != 1
            image = ImageOps.exif_transpose(opened) if turned else opened
            pixels = _rgb(image, said)
    except UNDECODABLE as error:
        raise _refusal(path, error) from error
    if turned:
        said.insert(0, "turned upright by its EXIF orientation")
    if notes is not None:
        notes.extend(f"{path.name}: {text}" for text in said)
    return pixels


def _rgb(image: Image.Image, said: list[str]) -> UInt8[ndarray, "height width 3"]:
    if image.mode.startswith("I") or image.mode == "F":
        deep = np.asarray(image)
        if image.mode == "F" or deep.min() < 0 or deep.max() > 65535:
            raise ValueError(f"pixel type {image.mode} is neither 8 nor 16 bit")
        said.append("16-bit gray, rounded to 8 bit and repeated in three channels")
        gray = np.floor(deep.astype(np.float64) / 257 + 0.5).astype(np.uint8)
        return np.repeat(gray[..., None], 3, axis=2)
    if "A" in image.getbands() or "transparency" in image.info:
        said.append("alpha dropped")
        image = image.convert("RGBA")
    elif image.mode in ("1", "L"):
        said.append("gray, repeated in three channels")
    elif image.mode != "RGB":
        said.append(f"converted from {image.mode} to RGB")
    return np.array(image.convert("RGB"))


def _refusal(path: Path, error: Exception) -> Refused:
    """A failure of the system (no such file, no permission, a lost disk) says nothing about the image."""
    if isinstance(error, FileNotFoundError):
        return Refused(f"{path}: there is no such image file.")
    if isinstance(error, OSError) and error.errno is not None:
        return Refused(f"{path}: cannot be opened ({error.strerror}). Check the disk and the permissions.")
    return CorruptImage(f"{path}: cannot be read as an image ({error}). Replace or remove the file.")


def size(path: Path) -> tuple[int, int]:
    """(height, width) as :func:`read` gives them, from the header only.

    Raises:
        Refused: no such file, or one that the system does not let us read.
        CorruptImage: not an image.
    """
    try:
        with Image.open(path) as image:
            width, height = image.size
            # For PNG Pillow's own getexif decodes all pixels, in case that metadata come after them.
            early = image.format == "PNG" and not _late_metadata(path)
            exif = Image.Image.getexif(image) if early else image.getexif()
            sideways = exif.get(ORIENTATION, 1) >= 5
    except UNDECODABLE as error:
        raise _refusal(path, error) from error
    return (width, height) if sideways else (height, width)


def _late_metadata(path: Path) -> bool:
    """Whether a PNG file has something that may hold an orientation after the beginning of its pixels."""
    seen = False
    with path.open("rb") as file:
        file.seek(8)
        while len(head := file.read(8)) == 8:
            length, kind = struct.unpack(">I4s", head)
            seen = seen or kind == b"IDAT"
            taken = 0
            if seen and kind in (b"eXIf", b"tEXt", b"zTXt", b"iTXt"):
                text = file.read(min(length, 24))
                taken = len(text)
                if kind == b"eXIf" or text.startswith((b"Raw profile type exif", b"XML:com.adobe.xmp")):
                    return True
            file.seek(length + 4 - taken, 1)
    return False


def list_images(folder: Path) -> tuple[NamedImage, ...]:
    """The image files directly in a folder, named by their stem, in natural order (``img2`` before ``img10``).

    Hidden files are left out. Where two files share a stem, both keep their suffix in the name.

    Raises:
        Refused: no such folder, no image in it, or a name that is no UTF-8.
    """
    if not folder.is_dir():
        raise Refused(f"{folder}: there is no such folder of images.")
    files = [f for f in folder.iterdir() if f.suffix.lower() in SUFFIXES and f.is_file() and not f.name.startswith(".")]
    if not files:
        raise Refused(f"{folder}: holds no image; wanted files ending in {', '.join(SUFFIXES)}.")
    for file in files:
        if not file.name.isascii() and file.name != file.name.encode("utf-8", "replace").decode():
            shown = file.name.encode("utf-8", "replace").decode()
            raise Refused(f"{folder}: the file name {shown!r} is no UTF-8, so no record could name it; rename it.")
    stems = Counter(f.stem for f in files)
    images = [NamedImage(f.name if stems[f.stem] > 1 else f.stem, f) for f in files]
    return tuple(sorted(images, key=lambda image: natural(image.path.name)))


def natural(name: str) -> tuple[list[tuple[int, int, str]], str]:
    """A sort key in which numbers count as numbers; equal keys only for equal names."""
    parts = re.findall(r"[0-9]+|[^0-9]+", name)
    return [(0, int(p), "") if p[0] in "0123456789" else (1, 0, p.casefold()) for p in parts], name


class ImageCache:
    """Decoded images, the least recently used ones dropped beyond a limit. Safe to share between threads.

    Args:
        limit_bytes: memory for pixels. An image larger than that is decoded at each call.
    """

    def __init__(self, limit_bytes: int) -> None:
        if limit_bytes < 0:
            raise Refused(f"limit_bytes must be 0 or more; found {limit_bytes}.")
        self.limit_bytes = limit_bytes
        self.used_bytes = 0
        self._held: OrderedDict[Path, UInt8[ndarray, "height width 3"]] = OrderedDict()
        self._lock = threading.Lock()

    def pixels(self, image: NamedImage) -> UInt8[ndarray, "height width 3"]:
        """Read-only RGB pixels; see :func:`read` for what is refused."""
        with self._lock:
            if (found := self._held.get(image.path)) is not None:
                self._held.move_to_end(image.path)
                return found
        decoded = image.pixels()
        decoded.flags.writeable = False
        with self._lock:
            if image.path not in self._held and decoded.nbytes <= self.limit_bytes:
                self._held[image.path] = decoded
                self.used_bytes += decoded.nbytes
            while self.used_bytes > self.limit_bytes:
                self.used_bytes -= self._held.popitem(last=False)[1].nbytes
        return decoded
