"""Scores that several runs have in common: of S_0, of the ground truth, of S_0's output with noise on it.

A score is a function of the network's weights, the images, the metrics and the machine. All of them are in its key, so
a score from the memory is the one that would be taken.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import nn

from lossagent.data import ImageSet
from lossagent.errors import Damaged
from lossagent.feedback import Feedback
from lossagent.objectives.base import Pixels
from lossagent.runs import write_atomically
from lossagent.training.pictures import read_image, write_images

FILE = "feedback.json"


@dataclass(frozen=True)
class Seen:
    """Scores of a set, and the pictures that are kept of it.

    Attributes:
        feedback: the scores.
        pictures: image name -> restored image.
    """

    feedback: Feedback
    pictures: Mapping[str, Pixels] = field(default_factory=dict[str, "Pixels"])


class ScoreMemory:
    """A folder of scores.

    Args:
        folder: made when there is something to keep; several processes may share it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._digests: dict[tuple[str, ...], str] = {}

    def recall(self, key: Mapping[str, Any], make: Callable[[], Seen]) -> Seen:
        """Scores from the memory; where it has none they are made and kept.

        Args:
            key: plain data, all that the scores depend on.
            make: takes them.
        """
        name = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()
        place = self.folder / name[:32]
        if (place / FILE).is_file():
            return _read(place)
        seen = make()
        self._keep(place, seen)
        return seen

    def _keep(self, place: Path, seen: Seen) -> None:
        temporary = place.with_name(f".{place.name}-{secrets.token_hex(4)}")
        temporary.mkdir(parents=True)
        try:
            write_images(seen.pictures, temporary / "pictures")
            write_atomically(temporary / FILE, seen.feedback.model_dump_json())
            os.rename(temporary, place)
        except OSError:
            if not (place / FILE).is_file():  # else another process has kept the same
                raise
        finally:
            shutil.rmtree(temporary, ignore_errors=True)

    def digest(self, images: ImageSet) -> str:
        """sha256 of every input and reference of a set, in order; read once in this process."""
        files = (i for e in images.entries for i in (e.image, e.low) if i is not None)
        key = (repr(images), *(f"{i.path} {i.path.stat().st_mtime_ns}" for i in files))
        if key not in self._digests:
            sha = hashlib.sha256()
            for item in images:
                sha.update(f"{item.name} {item.condition} {item.lq.shape}".encode() + item.lq.tobytes())
                if item.hq is not None:
                    sha.update(str(item.hq.shape).encode() + item.hq.tobytes())
            self._digests[key] = sha.hexdigest()
        return self._digests[key]


def weights_digest(network: nn.Module) -> str:
    """sha256 of a network's parameters and buffers with their names."""
    sha = hashlib.sha256()
    for name, tensor in network.state_dict().items():
        sha.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        sha.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return sha.hexdigest()


def _read(place: Path) -> Seen:
    try:
        feedback = Feedback.model_validate_json((place / FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise Damaged(f"{place} cannot be read: {str(error).splitlines()[0]}. Delete it; it is made again.") from error
    return Seen(feedback, {p.stem: read_image(p) for p in sorted((place / "pictures").glob("*.png"))})
