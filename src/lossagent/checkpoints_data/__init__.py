"""Small start checkpoints that ship with the package, each with its facts (JSON) and a model card."""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from lossagent.errors import Refused, UnknownName

__all__ = ["NAMES", "Network", "network", "path"]

NAMES: tuple[str, ...] = ("compact_x4", "compact_real_x4", "swinir_small_x4", "promptir_small")
"""Checkpoints that :func:`path` knows."""


@dataclass(frozen=True)
class Network:
    """The network that a checkpoint belongs to.

    Attributes:
        name: as experiments name it.
        arguments: its constructor arguments.
        scale: upscaling factor.
        multiple: inputs are padded to a multiple of it.
    """

    name: str
    arguments: dict[str, Any]
    scale: int
    multiple: int


def network(name: str) -> Network:
    """The network of a checkpoint.

    Raises:
        UnknownName, Refused: see :func:`path`.
    """
    facts = json.loads(path(name).with_suffix(".json").read_text(encoding="utf-8"))
    return Network(facts["network"], facts["network_arguments"], facts["scale"], facts["arguments"].get("multiple", 1))


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
