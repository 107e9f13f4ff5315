"""Small start checkpoints that ship with the package, each with its facts (JSON) and a model card."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from lossagent.errors import Refused, UnknownName

__all__ = ["NAMES", "path"]

NAMES: tuple[str, ...] = ("compact_x4", "compact_real_x4", "swinir_small_x4", "promptir_small")
"""Checkpoints that :func:`path` knows."""


def path(name: str) -> Path:
    """The safetensors file of a checkpoint; its facts lie beside it under the same name with ``.json``.

    Raises:
        UnknownName: not one of :data:`NAMES`.
        Refused: the package is not unpacked on a file system, or lacks the file.
    """
    if name not in NAMES:
        raise UnknownName("checkpoint", name, NAMES)
    file = files(__name__) / f"{name}.safetensors"
    if not isinstance(file, Path) or not file.is_file():
        raise Refused(f"checkpoint {name!r} is not a file of the installed package; install it unpacked, not zipped.")
    return file
