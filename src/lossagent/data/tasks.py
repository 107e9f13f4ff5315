"""The folders of all-in-one restoration as PromptIR publishes them [Potlapalli et al., NeurIPS 2023]."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lossagent.data.matching import Match
from lossagent.data.sources import Photographs, folder, pairs
from lossagent.errors import Refused


@dataclass(frozen=True)
class Tasks:
    """Data of the three tasks; ``None`` where a folder is absent.

    Attributes:
        denoise: clean photographs, to which noise is added.
        derain: pairs.
        dehaze: pairs, several hazy images for a clean one.
        absent: a sentence for each absent task, naming the folder that was looked for.
    """

    denoise: Photographs | None
    derain: Photographs | None
    dehaze: Photographs | None
    absent: tuple[str, ...]


def training_tasks(root: Path) -> Tasks:
    """``Denoise``, ``Derain/{gt,rainy}``, ``Dehaze/{original,synthetic}`` below ``root`` (published as ``Train``).

    The rainy image ``rain-N`` belongs to ``norain-N``, a hazy one to the clean one named like its part before ``_``.

    Raises:
        Refused: none of the three is there, one is there in part, or images that do not pair.
    """
    denoise = folder(root / "Denoise", "Denoise") if (root / "Denoise").is_dir() else None
    derain = _pairs(root / "Derain", "gt", "rainy", "rain")
    dehaze = _pairs(root / "Dehaze", "original", "synthetic", "haze")
    return _tasks(root, denoise, derain, dehaze, ("Denoise", "Derain/{gt,rainy}", "Dehaze/{original,synthetic}"))


def evaluation_tasks(root: Path) -> Tasks:
    """``denoise/bsd68``, ``derain/Rain100L/{input,target}``, ``dehaze/{input,target}`` below ``root`` (``test``).

    Rainy and clean images have equal names, hazy ones as in training.

    Raises:
        Refused: none of the three is there, one is there in part, or images that do not pair.
    """
    denoise = folder(root / "denoise" / "bsd68", "BSD68") if (root / "denoise" / "bsd68").is_dir() else None
    derain = _pairs(root / "derain" / "Rain100L", "target", "input", "name", "Rain100L")
    dehaze = _pairs(root / "dehaze", "target", "input", "haze", "SOTS")
    wanted = "denoise/bsd68", "derain/Rain100L/{input,target}", "dehaze/{input,target}"
    return _tasks(root, denoise, derain, dehaze, wanted)


def _pairs(path: Path, clean: str, low: str, match: Match, name: str | None = None) -> Photographs | None:
    missing = [part for part in (clean, low) if not (path / part).is_dir()]
    if len(missing) == 2:
        return None
    if missing:
        raise Refused(f"{path}: wanted the folders {clean} and {low}; {missing[0]} is missing.")
    return pairs(path / clean, path / low, 1, name or path.name, match)


def _tasks(
    root: Path,
    denoise: Photographs | None,
    derain: Photographs | None,
    dehaze: Photographs | None,
    wanted: tuple[str, str, str],
) -> Tasks:
    found = {"denoising": denoise, "deraining": derain, "dehazing": dehaze}
    if not any(found.values()):
        present = sorted(entry.name for entry in root.iterdir())[:5] if root.is_dir() else []
        shown = ", ".join(present) or ("nothing" if root.is_dir() else "no such folder")
        raise Refused(f"{root}: wanted at least one of {', '.join(wanted)}; found {shown}.")
    absent = [
        f"{task} has no data: {root / where} is absent."
        for (task, data), where in zip(found.items(), wanted, strict=True)
        if data is None
    ]
    return Tasks(denoise, derain, dehaze, tuple(absent))
