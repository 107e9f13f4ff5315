"""Pictures of a run: only ``images/SIDE/NAME.png``, only what lies inside the run folder."""

from __future__ import annotations

import io
import os
import stat
from pathlib import Path

from PIL import Image

from lossagent.dashboard.errors import NoSuch
from lossagent.errors import Damaged

LARGEST = 256 * 1024 * 1024
"""Bytes of a picture beyond which it is not served."""
SIGNATURE = b"\x89PNG\r\n\x1a\n"


def picture(run: Path, side: str, image: str) -> tuple[bytes, str]:
    """A picture as it is on disk, and a mark that changes with it.

    Every folder on the way is opened from the one before, without following links.

    Args:
        run: the run folder.
        side: folder under ``images/``, at most two deep: ``state-0003``, ``Set14/selected``.
        image: name without ``.png``.

    Raises:
        NoSuch: there is none, or what is there is no picture of the run.
    """
    wrong = NoSuch(f"there is no picture {image[:80]!r} of {side[:80]!r}.")
    parts = ["images", *side.split("/"), f"{image}.png"]
    if len(parts) > 4 or not image or not all(_plain(part) for part in parts):
        raise wrong
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        folder = os.open(run, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        for part in parts[:-1]:
            folder = _inner(folder, part, flags | os.O_DIRECTORY)
        file = _inner(folder, parts[-1], flags | os.O_NONBLOCK)
    except OSError:
        raise wrong from None
    about = os.fstat(file)
    if not stat.S_ISREG(about.st_mode) or about.st_size > LARGEST:
        os.close(file)
        raise wrong
    with os.fdopen(file, "rb") as opened:
        content = opened.read()
    if not content.startswith(SIGNATURE):
        raise wrong
    return content, f"{about.st_ino:x}-{about.st_size:x}-{about.st_mtime_ns:x}"


def blind(content: bytes) -> bytes:
    """A picture written anew: the pixels alone, no text, dates or profiles of the file that it came from.

    Raises:
        Damaged: it cannot be decoded.
    """
    try:
        with Image.open(io.BytesIO(content), formats=("PNG",)) as opened:
            pixels = opened.convert("RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise Damaged(f"the picture cannot be decoded ({type(error).__name__}).") from error
    pixels.info.clear()
    out = io.BytesIO()
    pixels.save(out, "PNG", compress_level=4)
    return out.getvalue()


def names_in(run: Path, side: str) -> set[str]:
    """Names of the pictures of a side."""
    try:
        with os.scandir(run / "images" / side) as entries:
            return {e.name[:-4] for e in entries if e.name.endswith(".png") and e.is_file(follow_symlinks=False)}
    except OSError:
        return set()


def _plain(part: str) -> bool:
    return bool(part) and part not in (".", "..") and not part.startswith(".") and not set(part) & set("/\\\0")


def _inner(folder: int, name: str, flags: int) -> int:
    """Opens something in an open folder, and closes that."""
    try:
        return os.open(name, flags, dir_fd=folder)
    finally:
        os.close(folder)
